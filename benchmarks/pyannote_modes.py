"""pyannote.audio's own pipeline against our modes, on the CPU: `python -m benchmarks.pyannote_modes`.

Seconds are the processor's, so that other programs do not count, and each round runs all of them on the same recording;
figures are medians over the rounds. An hour is told by its windows, of which a short recording has fewer for each of
its seconds; `shared` needs 19 s to have a whole block of them. The networks have community-1's architecture and size,
with random weights unless `--models` names a models folder with the true ones.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audio_engine.backends.pyannote.loading import PIPELINES

from .community_1 import Run, models, ours, recording, run, stock

OWN = "pyannote.audio"
NAMES = [OWN, *PIPELINES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="a models folder with the true weights")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="not all of them")
    options = parser.parse_args()
    pcm = recording(options.seconds)
    with models(options.models) as folder:
        pipelines = {name: stock(folder, "cpu") if name == OWN else ours(name) for name in options.only}
        rounds = [
            {name: run(pipeline, pcm, time.process_time) for name, pipeline in pipelines.items()}
            for _ in range(options.rounds)
        ]
    first, *others = pipelines
    counted, hourly = (windows(pipelines[first], seconds) for seconds in (options.seconds, 3600))
    print(f"{torch.get_num_threads()} threads, {options.seconds:.0f} s of audio, {options.rounds} rounds")
    print(f"{counted} windows, in an hour {hourly}")
    for name in pipelines:
        whole = np.median([each[name].seconds for each in rounds]) * hourly / counted
        embedding = np.median([each[name].embedding_seconds for each in rounds]) * hourly / counted
        print(f"{name:15} {whole:8.0f} s an hour, of them embedding {embedding:8.0f}")
    for name in others:
        print(f"{name:15} {compared(rounds, first, name)}")


def windows(pipeline: Any, seconds: float) -> int:
    inference = pipeline._segmentation
    return 1 + math.ceil(round(max(0.0, seconds - inference.duration) / inference.step, 6))


def compared(rounds: list[dict[str, Run]], first: str, name: str) -> str:
    own, found = rounds[0][first], rounds[0][name]
    whole = np.median([each[first].seconds / each[name].seconds for each in rounds])
    embedding = np.median([each[first].embedding_seconds / each[name].embedding_seconds for each in rounds])
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
