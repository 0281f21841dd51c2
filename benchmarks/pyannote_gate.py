"""What our modes cost in DER (collar 0, overlap scored) with community-1's true weights:
`python -m benchmarks.pyannote_gate DATA MODELS [--modes MODE ...] [--only PART] [--scripted] [--made NUMBER]`.

DATA's `manifest.csv` names the recordings and their references, MODELS is a models folder. With `--made`, DATA holds
recordings of one speaker each, and that many conversations are made of those that `thin_wespeaker` does not learn from.
The first of the modes is what the others are compared with: `exact` is pyannote.audio's own pipeline, and `fast` finds
the same. By the design, `shared` may move the DER of all recordings together by 0.3. Cosines are between a voice's
embedding in a window of one mode and of the other, where somebody is heard for at least a second.

With `--scripted` the references say who speaks when in each window and which windows' embeddings belong to one voice,
as for the weights that `thin_wespeaker` makes: each voice of a window goes to the speaker whose embeddings' mean is the
nearest, and errors are those of embeddings alone. Clustering would add its own, which jump by far more than 0.3 with
any change of an embedding. The interval is that of 95 % of bootstrap samples of the recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio.pipelines.clustering import BaseClustering
from pyannote.core import Segment, SlidingWindow, SlidingWindowFeature, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from audio_engine import Turn
from audio_engine.backends.pyannote.loading import PIPELINES
from audio_engine.memory import Samples
from audio_engine.training.frame_head import packaged_silero, read_voices

from .community_1 import Run, models, ours, run
from .precision import annotation
from .pyannote_modes import cosines, windows
from .pyannote_pipeline import WINDOW, activity, speaking
from .recordings import HEARD, Signal, annotated, made
from .rounds import print_machine
from .thin_wespeaker import held_out

ENOUGH = 1.0  # second of a voice
SAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--modes", nargs="+", choices=PIPELINES, default=["fast", "shared"])
    parser.add_argument("--only", default="", help="recordings whose name holds this")
    parser.add_argument("--scripted", action="store_true", help="take the segmentation from the references")
    parser.add_argument("--made", type=int, default=0, help="conversations to make of single speakers' recordings")
    options = parser.parse_args()
    print_machine()
    totals = {mode: DiarizationErrorRate() for mode in options.modes}
    first, *others = options.modes
    with models(options.models):
        pipelines = {mode: ours(mode) for mode in options.modes}
    alike: dict[str, list[np.ndarray]] = {mode: [] for mode in others}
    errors: dict[str, list[dict[str, Any]]] = {mode: [] for mode in options.modes}
    for name, pcm, turns in recordings(options):
        for pipeline in pipelines.values() if options.scripted else ():
            script(pipeline, turns, len(pcm) / HEARD)
        heard = enough(pipelines[first], pcm)
        runs = {mode: run(pipeline, pcm) for mode, pipeline in pipelines.items()}
        reference, whole = annotation(turns), Timeline([Segment(0, len(pcm) / HEARD)])
        for mode, found in runs.items():
            errors[mode].append(totals[mode](reference, found.output.speaker_diarization, uem=whole, detailed=True))
        for mode in others if heard.any() else ():
            alike[mode].append(cosines(runs[first].embeddings, runs[mode].embeddings)[heard])
        print(f"{name:45} {'   '.join(told(mode, errors[mode][-1], runs[mode]) for mode in options.modes)}")
    print("all:", ", ".join(f"{mode} {100 * abs(total):.2f}" for mode, total in totals.items()))
    for mode in others:
        found = np.concatenate(alike[mode])
        moved = 100 * (abs(totals[mode]) - abs(totals[first]))
        low, high = interval(errors[first], errors[mode])
        print(
            f"{mode}: {moved:+.2f} to {first} ({low:+.2f} to {high:+.2f}); "
            f"cosines median {np.median(found):.4f}, least {found.min():.4f}"
        )


def recordings(options: argparse.Namespace) -> Iterator[tuple[str, Signal, tuple[Turn, ...]]]:
    if not options.made:
        return annotated(options.data, options.only)
    return made(held_out(read_voices(options.data, packaged_silero())), options.made)


def script(pipeline: Any, turns: tuple[Turn, ...], seconds: float) -> None:
    inference = pipeline._segmentation
    frames = inference.model.num_frames(inference.model.audio.get_num_samples(inference.duration))
    starts = inference.step * np.arange(windows(pipeline, seconds))
    answer = np.stack([activity(turns, start, frames) for start in starts])
    grid = SlidingWindow(duration=inference.duration, step=inference.step)
    pipeline.get_segmentations = lambda *_, **__: SlidingWindowFeature(answer.copy(), grid)
    pipeline.clustering = TrueMeans([speaking(turns, start) for start in starts])


class TrueMeans(BaseClustering):
    """By the means of the embeddings of each of those `heard` in the windows."""

    def __init__(self, heard: list[list[int]]) -> None:
        super().__init__()
        self._heard = heard

    def __call__(self, embeddings: np.ndarray, segmentations: SlidingWindowFeature, **_: Any) -> Any:
        vectors = embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
        chosen, rows, columns = self.filter_embeddings(vectors, segmentations, min_active_ratio=ENOUGH / WINDOW)
        whose = np.array([self._heard[row][column] for row, column in zip(rows, columns, strict=True)])
        means = [chosen[whose == speaker].mean(axis=0) for speaker in np.unique(whose)]
        means = np.stack(means or [vectors.mean(axis=(0, 1))])
        means /= np.linalg.norm(means, axis=-1, keepdims=True)
        return (vectors @ means.T).argmax(axis=-1), None, means


def interval(totals: list[dict[str, Any]], others: list[dict[str, Any]]) -> tuple[float, float]:
    """Of how far the DER of all recordings moves, in points, by the components of each recording's."""
    moved = np.array([wrong(other) - wrong(one) for one, other in zip(totals, others, strict=True)])
    spoken = np.array([one["total"] for one in totals])
    drawn = np.random.default_rng(0).integers(len(moved), size=(SAMPLES, len(moved)))
    low, high = np.percentile(100 * moved[drawn].sum(axis=1) / spoken[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def wrong(found: dict[str, Any]) -> float:
    """Seconds."""
    return float(found["missed detection"] + found["false alarm"] + found["confusion"])


def enough(pipeline: Any, pcm: Samples) -> np.ndarray:
    """Of whom there is enough in which window, shape (windows, speakers)."""
    activity = pipeline.get_segmentations({"waveform": torch.from_numpy(pcm)[None], "sample_rate": HEARD})
    return np.asarray(activity.data.mean(axis=1) * activity.sliding_window.duration >= ENOUGH)


def told(mode: str, error: dict[str, Any], found: Run) -> str:
    speakers = len(found.output.speaker_diarization.labels())
    return f"{mode} {100 * error['diarization error rate']:6.2f} ({speakers} speakers)"


if __name__ == "__main__":
    main()
