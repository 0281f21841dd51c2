"""What each engine's networks take of memory for one window, weights included: `python -m benchmarks.gpu_need`.

Counted on the CPU, where PyTorch tells of each piece that it takes and gives back, on networks of the published
architectures and sizes with random weights, in float32. A GPU takes the same pieces, and besides what CUDA and its
libraries take for themselves; `GPU_MEGABYTES` in `audio_engine/models/needs.py` is this, rounded up.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch
from torch.profiler import ProfilerActivity, profile

from audio_engine.backends.pixit.loading import load_network
from audio_engine.backends.pyannote import pipelines
from audio_engine.models import MODELS, MODELS_DIR_VARIABLE
from tests.audio_engine.pixit import random_pixit

from . import community_1, music

MEGABYTE = 1e6


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for kind in (speakers, stems, streams):
        kind()


def speakers() -> None:
    with community_1.models(None), mock.patch.object(pipelines, "fast_bf16", return_value=False):
        for mode in ("fast", "shared", "exact"):
            pipeline = community_1.ours(mode)
            pcm = community_1.recording(19 if mode == "shared" else 10)  # a block of windows, or one
            networks = [pipeline._segmentation.model, pipeline._embedding.model_]
            pipeline.segmentation_batch_size = pipeline.embedding_batch_size = 1
            tell(f"community-1, {mode}", networks, partial(community_1.run, pipeline, pcm))


def stems() -> None:
    for name in ("htdemucs", "htdemucs_ft", "htdemucs_6s"):
        with music.models(None, name):
            networks = music.ours(name)
            segment = torch.zeros((1, 2, networks.segment))
            tell(name, networks._bag.models, partial(networks.forward, segment, frozenset(networks.sources)))


def streams() -> None:
    with TemporaryDirectory() as folder:
        random_pixit.pixit(Path(folder), random_pixit.FULL)
        os.environ[MODELS_DIR_VARIABLE] = folder
        network = load_network(MODELS["separation-ami-1.0"], MODELS["wavlm-large"])
        tell("pixit", [network._network], partial(network, torch.zeros((1, network.samples))))


def tell(name: str, networks: Any, work: Callable[[], object]) -> None:
    weights = sum(tensor.nbytes for network in networks for tensor in network.state_dict().values())
    print(
        f"{name:22} {weights / MEGABYTE:5.0f} MB of weights, {(weights + most(work)) / MEGABYTE:5.0f} MB with a window"
    )


def most(work: Callable[[], object]) -> int:
    """Bytes that PyTorch holds at most while it works, beyond what it held before."""
    work()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    pieces = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for piece in sorted(pieces, key=lambda event: event.start_ns()):
        held += piece.nbytes()
        peak = max(peak, held)
    return peak


if __name__ == "__main__":
    main()
