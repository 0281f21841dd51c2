"""pyannote.audio's own pipeline and ours beside each other, on the same weights of community-1's architecture.

Weights are random where no folder of true ones is given: the times are then right, since they hardly depend on the
weights, and who speaks when means nothing.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
import torch
from pyannote.audio import Pipeline

from audio_engine.backends.pyannote.diarizer import Mode
from audio_engine.backends.pyannote.loading import load_pipeline
from audio_engine.memory import Samples
from audio_engine.models import MODELS, MODELS_DIR_VARIABLE, locate
from audio_engine.types import SpeakerBounds
from tests.audio_engine.pyannote import random_models

RATE = 16_000
MODEL = MODELS["speaker-diarization-community-1"]
HISS = 0.003  # makes the repetitions of a recording differ
NOBODY = np.zeros((0, 0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Run:
    """Seconds that the whole took and of them its embeddings, and what was found."""

    seconds: float
    embedding_seconds: float
    embeddings: np.ndarray  # (windows, speakers, dimension), of no windows where nobody speaks
    output: Any


def recording(seconds: float) -> Samples:
    """The sample of pyannote.audio's package, again and again, with a hiss: 16 kHz mono."""
    sample, rate = soundfile.read(str(files("pyannote.audio") / "sample" / "sample.wav"), dtype="float32")
    assert rate == RATE
    whole = np.resize(sample, round(seconds * RATE))
    return (whole + HISS * np.random.default_rng(0).standard_normal(len(whole))).astype(np.float32)


@contextmanager
def models(given: Path | None) -> Iterator[Path]:
    """The folder of the model: in the models folder `given`, else a new one with random weights."""
    with TemporaryDirectory() as scratch:
        if given is None:
            random_models.community(Path(scratch) / MODEL.name, recording(20), random_models.COMMUNITY_1)
        folder = given or Path(scratch)
        os.environ[MODELS_DIR_VARIABLE] = str(folder)
        if locate(MODEL) is None:
            sys.exit(f"{folder} has no {MODEL.name}, or not all of it.")
        yield folder / MODEL.name


def stock(folder: Path, device: str) -> Any:
    """As pyannote.audio loads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Pipeline.from_pretrained(folder).to(torch.device(device))


def ours(mode: Mode = "fast") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_pipeline(MODEL, mode)


def run(pipeline: Any, pcm: Samples, clock: Callable[[], float] = time.perf_counter) -> Run:
    """Diarize `pcm`, taking the time of the stage that embeds as well."""
    taken: list[tuple[float, np.ndarray]] = []
    embed = pipeline.get_embeddings

    def timed(*arguments: Any, **options: Any) -> Any:
        started = clock()
        embeddings = embed(*arguments, **options)
        taken.append((clock() - started, embeddings))
        return embeddings

    pipeline.get_embeddings = timed
    started = clock()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = _diarize(pipeline, pcm)
    finally:
        del pipeline.get_embeddings
    seconds = clock() - started
    return Run(seconds, *(taken or [(0.0, NOBODY)])[0], output)


def _diarize(pipeline: Any, pcm: Samples) -> Any:
    if hasattr(pipeline, "run"):
        return pipeline.run(pcm, RATE, SpeakerBounds(), None)
    return pipeline({"waveform": torch.from_numpy(pcm)[None], "sample_rate": RATE, "uri": "recording"})
