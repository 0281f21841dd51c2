"""pyannote.audio's own pipeline against ours on one GPU: `python -m benchmarks.gpu`.

Prints seconds for an hour of audio, the GPU memory taken at most, and the ratio. The networks have community-1's
architecture and size, with random weights unless `--models` names a models folder with the true ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audio_engine.backends.base import Samples

from .community_1 import Run, models, ours, recording, run, stock

NO_GPU = "PyTorch finds no CUDA GPU on this machine: nothing was measured."
GIB = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="a models folder with the true weights")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(NO_GPU)
    pcm = recording(options.seconds)
    print(f"{torch.cuda.get_device_name()}, {options.seconds:.0f} s of audio, {options.rounds} rounds")
    with models(options.models) as folder:
        own, fast = stock(folder, "cuda"), ours()
        for pipeline in (own, fast):
            run(pipeline, pcm[: 60 * 16_000])  # kernels are chosen at the first use
        rounds = [(measured(own, pcm), measured(fast, pcm)) for _ in range(options.rounds)]
    for number, name in enumerate(("pyannote.audio", "ours")):
        seconds = np.median([each[number][0].seconds for each in rounds]) * 3600 / options.seconds
        memory = max(each[number][1] for each in rounds)
        print(f"{name:15} {seconds:8.2f} s an hour, {memory / GIB:6.2f} GiB at most")
    print(f"ratio {np.median([first[0].seconds / second[0].seconds for first, second in rounds]):.2f}")


def measured(pipeline: Any, pcm: Samples) -> tuple[Run, int]:
    """A run, and the bytes that PyTorch held on the GPU at most in it."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    found = run(pipeline, pcm)
    return found, torch.cuda.max_memory_reserved()


if __name__ == "__main__":
    main()
