"""What the CPU does of a diarization whose networks run on a GPU: `OMP_NUM_THREADS=1 python -m benchmarks.host_side`.

Neither GPU nor networks take part: who speaks in each window, and what the voices are, is made up, of community-1's
shapes and rates, so this is the processor time for everything else: windows that are cut, masks, clustering, turns, by
the quickest round. What PyTorch takes to give a GPU its work is not in it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet

from audio_engine.backends.pyannote.batching import Batch
from audio_engine.backends.pyannote.loading import GPU_BATCHES
from tests.audio_engine.pyannote import random_models

from . import community_1

SPEAKERS = 3  # as many as the segmentation network tells apart in a window
TALK, PAUSE, OVERLAP = 3.0, 0.4, 0.3  # seconds: a turn and a pause in the mean, and how long some run over the next
NOISE = 0.3  # of a voice in a window, beside the voice
NOWHERE = torch.device("meta")
STEPS = ("get_segmentations", "speaker_count", "clustering", "reconstruct", "to_annotation")


class Thin(BaseWeSpeakerResNet):
    """Embeddings of the published size from few channels."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.resnet = ResNet(BasicBlock, [1, 1, 1, 1], 4, 80, 256, pooling_func="TSTP", two_emb_layer=False)


SMALL = replace(random_models.TINY, window_seconds=10.0, embedding=Thin, dimension=256, lda_dimension=128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pcm = community_1.recording(options.seconds)
    warnings.simplefilter("ignore")
    with mock.patch.object(random_models, "COMMUNITY_1", SMALL), community_1.models(None):
        for mode in GPU_BATCHES:
            pipeline = community_1.ours(mode)
            pipeline.segmentation_batch_size, pipeline.embedding_batch_size = GPU_BATCHES[mode]
            taken: Counter[str] = Counter()
            _without_networks(pipeline, mode, options.seconds)
            for step in STEPS:
                setattr(pipeline, step, _timed(getattr(pipeline, step), step, taken))
            runs = []
            for _ in range(options.rounds):
                taken.clear()
                run = community_1.run(pipeline, pcm, time.process_time)
                runs.append((run.seconds, {**taken, "get_embeddings": run.embedding_seconds}))
            whole, steps = min(runs, key=lambda run: run[0])
            told = ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items())
            print(f"{mode:8} {whole:5.2f} s: {told}")


def _timed(work: Callable[..., Any], step: str, taken: Counter[str]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return work(*arguments, **options)
        finally:
            taken[step] += time.process_time() - started

    return run


def _without_networks(pipeline: Any, mode: str, seconds: float) -> None:
    inference, random = pipeline._segmentation, np.random.default_rng(0)
    size = inference.model.audio.get_num_samples(inference.duration)
    frames = inference.model.num_frames(size)
    rate = frames / inference.duration
    activity = _activity(seconds + inference.duration, rate, random)
    voices = random.standard_normal((SPEAKERS, pipeline._embedding.dimension)).astype(np.float32)

    several = voices + NOISE * random.standard_normal((1000, *voices.shape)).astype(np.float32)

    def hear(batch: Batch) -> np.ndarray:
        batch.to(NOWHERE)
        starts = [round(max(0, number) * inference.step * rate) for number in batch.numbers]
        return np.stack([activity[start : start + frames] for start in starts])

    def embed(batch: Batch, masks: torch.Tensor, *_: Any) -> np.ndarray:
        batch.to(NOWHERE)
        return several[random.integers(len(several), size=tuple(masks.shape[:-2]))]

    inference.infer = hear
    vars(pipeline)["_pooled_within_memory" if mode == "fast" else "_shared_within_memory"] = embed


def _activity(seconds: float, rate: float, random: np.random.Generator) -> np.ndarray:
    """Who speaks when, shape (frames, speakers): one after another, running over the next now and then."""
    activity = np.zeros((round(seconds * rate) + 1, SPEAKERS), dtype=np.float32)
    start = 0
    while start < len(activity):
        speaker = random.integers(SPEAKERS)
        stop = start + round(random.exponential(TALK) * rate)
        activity[start:stop, speaker] = 1
        if random.random() < OVERLAP:
            activity[stop - round(OVERLAP * rate) : stop, (speaker + 1) % SPEAKERS] = 1
        start = stop + round(random.exponential(PAUSE) * rate)
    return activity


if __name__ == "__main__":
    main()
