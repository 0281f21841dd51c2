"""pyannote.audio's own pipeline and demucs's own api against ours on one GPU: `python -m benchmarks.gpu`.

Prints seconds for an hour of audio, the GPU memory taken at most, with the weights of all contenders, and how many
times as fast ours are. The networks have the architecture and size of the published ones, with random weights unless
`--models` names a models folder with the true ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from audio_engine.memory import Samples

from . import community_1, music

NO_GPU = "PyTorch finds no CUDA GPU on this machine: nothing was measured."
GIB = 1 << 30
WARM_UP = 60  # seconds: kernels are chosen at the first use

Work = Callable[[], float]
"""Does all of it and says how many seconds it took."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="a models folder with the true weights")
    parser.add_argument("--only", choices=PARTS, help="one of the comparisons")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(NO_GPU)
    print(f"{torch.cuda.get_device_name()}, {options.seconds:.0f} s of audio, {options.rounds} rounds")
    for name in [options.only] if options.only else PARTS:
        PARTS[name](options.models, options.seconds, options.rounds, "cuda")


def speakers(given: Path | None, seconds: float, rounds: int, device: str) -> None:
    """community-1."""
    pcm = community_1.recording(seconds)
    with community_1.models(given) as folder:
        pipelines = {
            "pyannote.audio": community_1.stock(folder, device),
            "pyannote": community_1.ours("fast"),
            "pyannote-shared": community_1.ours("shared"),
        }
        for pipeline in pipelines.values():
            community_1.run(pipeline, pcm[: WARM_UP * community_1.RATE])
        compare({name: partial(_diarize, pipeline, pcm) for name, pipeline in pipelines.items()}, seconds, rounds)


def _diarize(pipeline: Any, pcm: Samples) -> float:
    return community_1.run(pipeline, pcm).seconds


def stems(given: Path | None, seconds: float, rounds: int, device: str) -> None:
    """htdemucs."""
    with music.models(given, "htdemucs") as folder, TemporaryDirectory() as scratch:
        separator, networks = music.stock(folder, device), music.ours("htdemucs")
        song = music.recording(seconds, networks.rate)
        mix = music.mix_of(song, networks.rate, Path(scratch))
        warm_up = min(WARM_UP * networks.rate, len(song))
        music.run_stock(separator, song[:warm_up])
        music.run_ours(networks, replace(mix, frames=warm_up))

        def theirs() -> float:
            return music.timed(lambda: music.run_stock(separator, song), time.perf_counter)[0]

        def own() -> float:
            return music.timed(lambda: music.run_ours(networks, mix), time.perf_counter)[0]

        compare({"demucs": theirs, "htdemucs": own}, seconds, rounds)


PARTS = {"speakers": speakers, "stems": stems}


def compare(contenders: dict[str, Work], seconds: float, rounds: int) -> None:
    """The first is the one that the others are compared with."""
    found = [[measured(work) for work in contenders.values()] for _ in range(rounds)]
    for number, name in enumerate(contenders):
        taken = np.median([each[number][0] for each in found]) * 3600 / seconds
        peak = max(each[number][1] for each in found) / GIB
        ratio = np.median([each[0][0] / each[number][0] for each in found])
        print(f"{name:15} {taken:8.2f} s an hour, {peak:6.2f} GiB at most, {ratio:6.2f} times as fast")


def measured(work: Work) -> tuple[float, int]:
    """Seconds, and the bytes that PyTorch held on the GPU at most meanwhile."""
    if not torch.cuda.is_available():
        return work(), 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return work(), torch.cuda.max_memory_reserved()


if __name__ == "__main__":
    main()
