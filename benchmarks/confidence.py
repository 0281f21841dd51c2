"""How far the embedded engine's confidence is to be trusted: `python -m benchmarks.confidence DATA`.

DATA/manifest.csv names recordings (`file`, `rttm`, `kind`, `reference`); those whose reference is `human` count, `kind`
tells the simulated (`sim_…`) from the others. A 20 ms frame is right where just those speak who are said to, speakers
matched one to one over the recording; a turn is right where most of its frames are. For each ten points of confidence:
how many there are, their mean confidence, and how many are right. AUROC is the chance that something right has a higher
confidence than something wrong, over all recordings and as the mean over single ones; ECE the mean distance between
confidence and share of right ones (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from audio_engine.backends.embedded import EmbeddedDiarizer
from audio_engine.backends.embedded.confidence import frames_of
from audio_engine.decoding import Decoder
from audio_engine.downmix import write_mono
from audio_engine.formats import parse_rttm
from audio_engine.media import probe
from audio_engine.memory import Samples
from audio_engine.progress import ignore_progress
from audio_engine.training.confidence import Truth, right_frames
from audio_engine.types import CONFIDENCE_SECONDS, MediaLimits, SpeakerBounds, Turn

BIN = 10  # points of confidence


@dataclass(frozen=True)
class Judged:
    """Confidences, 0 to 100, and whether what they stand for is right, each of shape (things,)."""

    confidence: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = EmbeddedDiarizer()
    simulated, real = [], []
    for recording, reference, kind in recordings(options.data):
        (simulated if kind.startswith("sim") else real).append(judge(engine, recording, reference))
    for name, judged in (("simulated", simulated), ("real", real)):
        report(f"{name}: frames", [frames for frames, _ in judged])
        report(f"{name}: turns", [turns for _, turns in judged])


def recordings(data: Path) -> Iterator[tuple[Path, Path, str]]:
    """Recording, reference and kind."""
    with (data / "manifest.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            if row["rttm"] and row["reference"] == "human":
                yield data / row["file"], data / row["rttm"], row["kind"]


def judge(engine: EmbeddedDiarizer, recording: Path, reference: Path) -> tuple[Judged, Judged]:
    """A recording's frames and its turns."""
    with tempfile.TemporaryDirectory() as scratch:
        pcm = read(recording, Path(scratch))
        found = engine.diarize(pcm, SpeakerBounds(), Path(scratch), ignore_progress)
    confidence = np.frombuffer(found.confidence, dtype=np.uint8).astype(np.int64)
    right = right_frames(found.turns, spoken(parse_rttm(reference.read_text()), len(confidence)))
    mostly = [right[frames_of(turn)].mean() >= 0.5 for turn in found.turns]
    turns = Judged(np.array([turn.confidence for turn in found.turns], dtype=np.int64), np.array(mostly, dtype=bool))
    return Judged(confidence, right), turns


def read(recording: Path, scratch: Path) -> Samples:
    limits = MediaLimits()
    return write_mono(Decoder(recording, limits), probe(recording, limits).layout, scratch / "pcm", lambda _: None)


def spoken(turns: Iterable[Turn], frames: int) -> Truth:
    """Who speaks at the frames' centres."""
    turns = tuple(turns)
    truth = np.zeros((frames, max(turn.speaker + 1 for turn in turns)), dtype=bool)
    centres = (np.arange(frames) + 0.5) * CONFIDENCE_SECONDS
    for turn in turns:
        truth[(turn.start <= centres) & (centres < turn.end), turn.speaker] = True
    return truth


def report(name: str, recordings: list[Judged]) -> None:
    everything = joined(recordings)
    single = [auroc(one) for one in recordings if 0 < one.right.sum() < len(one.right)]
    print(f"{name} ({len(everything.right)} of {len(recordings)} recordings)")
    print(f"{'confidence':>12} {'share %':>8} {'mean':>6} {'right %':>8}")
    for low, share, mean, right in reliability(everything):
        print(f"{f'{low} to {low + BIN}':>12} {share:8.1f} {mean:6.1f} {right:8.1f}")
    print(
        f"AUROC {auroc(everything):.3f}, within a recording {np.mean(single):.3f}; "
        f"ECE {calibration_error(everything):.1f}; "
        f"mean confidence {everything.confidence.mean():.1f}, right {100 * everything.right.mean():.1f} %\n"
    )


def joined(recordings: Iterable[Judged]) -> Judged:
    parts = [(one.confidence, one.right) for one in recordings]
    confidence, right = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Judged(confidence, right)


def reliability(judged: Judged) -> Iterator[tuple[int, float, float, float]]:
    """Lowest confidence of each bin that holds anything, its share in %, mean confidence and share of right ones in %;
    100 goes to the last bin."""
    bins = np.minimum(judged.confidence, 99) // BIN
    for number in np.unique(bins).tolist():
        inside = bins == number
        mean, right = judged.confidence[inside].mean(), judged.right[inside].mean()
        yield number * BIN, float(100 * inside.mean()), float(mean), float(100 * right)


def calibration_error(judged: Judged) -> float:
    """Points of confidence."""
    return sum(share / 100 * abs(mean - right) for _, share, mean, right in reliability(judged))


def auroc(judged: Judged) -> float:
    """By ranks (Mann & Whitney, 1947)."""
    right, wrong = judged.right.sum(), (~judged.right).sum()
    return float((rankdata(judged.confidence)[judged.right].sum() - right * (right + 1) / 2) / (right * wrong))


if __name__ == "__main__":
    main()
