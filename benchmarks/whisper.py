"""What `whisper` costs beside faster-whisper's own call, on the CPU: `python -m benchmarks.whisper DATA [--seconds N]`;
see `recordings` for DATA.

A Whisper of the architecture and size of OpenAI's tiny with random weights: what it writes means nothing, and how much
it writes decides what it costs, so that is told too. Both get the same windows, of the same language. Memory is the
peak of a process of its own for each, loading included.
"""

from __future__ import annotations

import argparse
import os
import resource
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from audio_engine.backends import whisper
from audio_engine.backends.whisper.loading import CPU_BATCH
from audio_engine.models.store import MODELS_DIR_VARIABLE
from audio_engine.progress import ignore_progress
from audio_engine.transcription.transcript import Span
from tests.audio_engine.whisper import tiny

from .recordings import Signal, mono, source
from .rounds import compare, print_machine, print_timings

MODEL, LANGUAGE = "whisper-large-v3-turbo", "en"  # whose layout it has
WINDOW = 28.0  # seconds

Hear = Callable[[], int]
"""Gives the number of words."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=112.0)
    options = parser.parse_args()
    print_machine()
    pcm = mono(source(options.data), options.seconds)
    windows = [(float(start), min(start + WINDOW, options.seconds)) for start in np.arange(0, options.seconds, WINDOW)]
    with TemporaryDirectory() as folder:
        os.environ[MODELS_DIR_VARIABLE] = folder
        tiny.whisper(Path(folder) / MODEL, tiny.WHISPER_TINY)
        contenders = {name: make(Path(folder), pcm, windows) for name, make in MAKERS.items()}
        print({name: f"{hear()} words" for name, hear in contenders.items()})
        print_timings(compare(contenders), ["ours"], options.seconds)
        for name in MAKERS:
            print(f"{name}: {_alone(name, Path(folder), pcm, windows):.0f} MiB at most")


def ours(_: Path, pcm: Signal, windows: list[Span]) -> Hear:
    engine = whisper.large_v3_turbo()
    engine.load()
    return lambda: len(engine.transcribe(pcm, windows, LANGUAGE, ignore_progress).words)


def own(folder: Path, pcm: Signal, windows: list[Span]) -> Hear:
    pipeline = BatchedInferencePipeline(WhisperModel(str(folder / MODEL), device="cpu", compute_type="int8"))
    given = [{"start": start, "end": end} for start, end in windows]

    def hear() -> int:
        segments, _ = pipeline.transcribe(
            pcm, language=LANGUAGE, word_timestamps=True, clip_timestamps=given, batch_size=CPU_BATCH
        )
        return sum(len(segment.words or ()) for segment in segments)

    return hear


MAKERS = {"ours": ours, "faster-whisper": own}


def _alone(name: str, folder: Path, pcm: Signal, windows: list[Span]) -> float:
    with get_context("spawn").Pool(1) as pool:
        return float(pool.apply(partial(_peak, name, folder, pcm, windows)))


def _peak(name: str, folder: Path, pcm: Signal, windows: list[Span]) -> float:
    """MiB."""
    MAKERS[name](folder, pcm, windows)()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
