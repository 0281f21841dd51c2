"""What our modes cost in DER (collar 0, overlap scored) with community-1's true weights:
`python -m benchmarks.pyannote_gate DATA MODELS [--modes MODE ...] [--only PART]`.

DATA's `manifest.csv` names the recordings and their references, MODELS is a models folder. The first of the modes is
what the others are compared with: `exact` is pyannote.audio's own pipeline, and `fast` finds the same. By the design,
`shared` may move the DER of all recordings together by 0.3. Cosines are between a voice's embedding in a window of one
mode and of the other, where somebody is heard for at least a second.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.core import Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from audio_engine.backends.pyannote.loading import PIPELINES
from audio_engine.memory import Samples

from .community_1 import Run, models, ours, run
from .precision import annotation
from .pyannote_modes import cosines
from .recordings import HEARD, annotated
from .rounds import print_machine

ENOUGH = 1.0  # second of a voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--modes", nargs="+", choices=PIPELINES, default=["fast", "shared"])
    parser.add_argument("--only", default="", help="recordings whose name holds this")
    options = parser.parse_args()
    print_machine()
    totals = {mode: DiarizationErrorRate() for mode in options.modes}
    first, *others = options.modes
    with models(options.models):
        pipelines = {mode: ours(mode) for mode in options.modes}
    alike: dict[str, list[np.ndarray]] = {mode: [] for mode in others}
    for name, pcm, turns in annotated(options.data, options.only):
        heard = enough(pipelines[first], pcm)
        runs = {mode: run(pipeline, pcm) for mode, pipeline in pipelines.items()}
        reference, whole = annotation(turns), Timeline([Segment(0, len(pcm) / HEARD)])
        errors = {
            mode: 100 * totals[mode](reference, found.output.speaker_diarization, uem=whole)
            for mode, found in runs.items()
        }
        for mode in others if heard.any() else ():
            alike[mode].append(cosines(runs[first].embeddings, runs[mode].embeddings)[heard])
        print(f"{name:45} {'   '.join(told(mode, errors[mode], runs[mode]) for mode in options.modes)}")
    print("all:", ", ".join(f"{mode} {100 * abs(total):.2f}" for mode, total in totals.items()))
    for mode in others:
        found = np.concatenate(alike[mode])
        moved = 100 * (abs(totals[mode]) - abs(totals[first]))
        print(f"{mode}: {moved:+.2f} to {first}; cosines median {np.median(found):.4f}, least {found.min():.4f}")


def enough(pipeline: Any, pcm: Samples) -> np.ndarray:
    """Of whom there is enough in which window, shape (windows, speakers)."""
    activity = pipeline.get_segmentations({"waveform": torch.from_numpy(pcm)[None], "sample_rate": HEARD})
    return np.asarray(activity.data.mean(axis=1) * activity.sliding_window.duration >= ENOUGH)


def told(mode: str, error: float, found: Run) -> str:
    return f"{mode} {error:6.2f} ({len(found.output.speaker_diarization.labels())} speakers)"


if __name__ == "__main__":
    main()
