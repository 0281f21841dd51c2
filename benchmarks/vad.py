"""Silero's network over whole blocks against its own package's way, one frame after another:
`python -m benchmarks.vad DATA`; see `simulated` for DATA. A flip is a 32 ms frame on the other side of one half."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from audio_engine.backends.embedded import packages
from audio_engine.backends.embedded.frame_features import SILERO_CONTEXT, SILERO_FRAME
from audio_engine.backends.embedded.networks import load_silero

from .recordings import HEARD, Signal, mono, source
from .rounds import compare, print_machine, print_timings

BLOCK = 1000  # frames: 32 s
SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print_machine()
    pcm = mono(source(data), SECONDS)
    pcm = pcm[: len(pcm) // SILERO_FRAME * SILERO_FRAME]
    found: dict[str, Signal] = {}
    contenders = {
        "in blocks": lambda: found.update(blocks=in_blocks(pcm)),
        "frame by frame": lambda: found.update(frames=frame_by_frame(pcm)),
    }
    torch.set_num_threads(1)  # both wait for one frame after the other in the recurrent layer
    print_timings(compare(contenders), ["in blocks"], len(pcm) / HEARD)
    flips = (found["blocks"] > 0.5) != (found["frames"] > 0.5)
    apart = np.abs(found["blocks"] - found["frames"]).max()
    print(f"{flips.mean():.3%} of {len(flips)} frames flipped; posteriors at most {apart:.1e} apart")


def in_blocks(pcm: Signal) -> Signal:
    network = load_silero(_packaged())
    samples = torch.from_numpy(np.concatenate([np.zeros(SILERO_CONTEXT, np.float32), pcm]))
    frames = samples.unfold(0, SILERO_CONTEXT + SILERO_FRAME, SILERO_FRAME)
    state, found = None, []
    with torch.inference_mode():
        for block in frames.split(BLOCK):
            logits, _, state = network(block, state)
            found.append(logits.sigmoid().numpy())
    return np.concatenate(found)


def frame_by_frame(pcm: Signal) -> Signal:
    packaged = torch.jit.load(_packaged(), map_location="cpu")
    with torch.inference_mode():
        frames = torch.from_numpy(pcm).split(SILERO_FRAME)
        return np.array([packaged(frame[None], HEARD).item() for frame in frames], dtype=np.float32)


def _packaged() -> Path:
    return packages.path_of(packages.SILERO)


if __name__ == "__main__":
    main()
