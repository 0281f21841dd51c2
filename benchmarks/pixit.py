"""What `pixit` costs at full size: `python -m benchmarks.pixit DATA`; see `simulated` for DATA.

The weights are random, so what it makes of the recordings means nothing; the work is the same. Memory is this process's
resident set: after loading, at most while loading, and at most while separating.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import soxr
import torch

from audio_engine.backends.pixit import PixitSeparator
from audio_engine.backends.pixit.windows import window_starts
from audio_engine.exemplars import RATE
from audio_engine.models.store import MODELS_DIR_VARIABLE
from audio_engine.overlaps import Overlaps
from audio_engine.progress import ignore_progress

from .separation import overlapped
from .simulated import Conversation, conversations

PAGE_MIB = resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recordings", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _make(Path(folder))
        engine = _loaded(Path(folder))
    print(f"{torch.get_num_threads()} threads of PyTorch")
    chosen = [each for each in conversations(options.data) if overlapped(each)][: options.recordings]
    for conversation in chosen:
        measure(engine, conversation)
    print(f"at most {_peak():.0f} MiB with loading")


def _make(folder: Path) -> None:
    """In a process of its own, whose memory is not this one's."""
    from multiprocessing import get_context

    maker = get_context("spawn").Process(target=_make_here, args=(folder,))
    maker.start()
    maker.join()


def _make_here(folder: Path) -> None:
    from tests.audio_engine.pixit import random_pixit

    random_pixit.pixit(folder, random_pixit.FULL)


def _loaded(folder: Path) -> PixitSeparator:
    os.environ[MODELS_DIR_VARIABLE] = str(folder)
    engine = PixitSeparator()
    started = time.perf_counter()
    engine.load()
    print(f"loaded in {time.perf_counter() - started:.1f} s, then {_resident():.0f} MiB, at most {_peak():.0f} MiB")
    return engine


def measure(engine: PixitSeparator, conversation: Conversation) -> None:
    mix = conversation.mix
    pcm = soxr.resample(mix, conversation.rate, RATE) if conversation.rate != RATE else mix
    overlaps = Overlaps(conversation.turns, len(pcm))
    assert engine._network
    windows = sum(len(window_starts(each, engine._network.samples, len(pcm))) for each in overlaps.stretches)
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        engine.separator(pcm, overlaps, Path(scratch), ignore_progress)
        took = time.perf_counter() - started
    print(
        f"{conversation.name}: {len(pcm) / RATE:.0f} s with {len(overlaps.stretches)} overlaps in {windows} windows"
        f" took {took:.1f} s, {took / windows:.2f} s for each window, and {_resident():.0f} MiB"
    )


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MIB


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
