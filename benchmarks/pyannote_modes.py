"""pyannote.audio's own pipeline against our two modes, on the CPU: `python -m benchmarks.pyannote_modes`.

Seconds are the processor's, so that other programs do not count, and each round runs all of them on the same recording;
figures are medians over the rounds. The networks have community-1's architecture and size, with random weights unless
`--models` names a models folder with the true ones.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from .community_1 import Run, models, ours, recording, run, stock

NAMES = ("pyannote.audio", "exact", "fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="a models folder with the true weights")
    options = parser.parse_args()
    pcm = recording(options.seconds)
    with models(options.models) as folder:
        pipelines = dict(zip(NAMES, (stock(folder, "cpu"), ours(exact=True), ours()), strict=True))
        rounds = [
            {name: run(pipeline, pcm, time.process_time) for name, pipeline in pipelines.items()}
            for _ in range(options.rounds)
        ]
    print(f"{torch.get_num_threads()} threads, {options.seconds:.0f} s of audio, {options.rounds} rounds")
    hours = options.seconds / 3600
    for name in NAMES:
        whole = np.median([each[name].seconds for each in rounds]) / hours
        embedding = np.median([each[name].embedding_seconds for each in rounds]) / hours
        print(f"{name:15} {whole:8.0f} s an hour, of them embedding {embedding:8.0f}")
    for name in NAMES[1:]:
        print(f"{name:15} {compared(rounds, name)}")


def compared(rounds: list[dict[str, Run]], name: str) -> str:
    own, found = rounds[0][NAMES[0]], rounds[0][name]
    whole = np.median([each[NAMES[0]].seconds / each[name].seconds for each in rounds])
    embedding = np.median([each[NAMES[0]].embedding_seconds / each[name].embedding_seconds for each in rounds])
    same = own.output.speaker_diarization == found.output.speaker_diarization
    return (
        f"{whole:.2f} times as fast, embedding {embedding:.2f} times; turns {'the same' if same else 'differ'}, "
        f"least cosine of an embedding {cosines(own.embeddings, found.embeddings).min():.6f}"
    )


def cosines(own: np.ndarray, found: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(own, axis=-1) * np.linalg.norm(found, axis=-1)
    return (own * found).sum(axis=-1) / lengths


if __name__ == "__main__":
    main()
