"""How well voiceprints of short clips name the speakers of conversations: `python -m benchmarks.identification DATA`.

DATA holds `enrol/<speaker>.*`, a clip of each known speaker, and `sim/<name>/` with `mix.*`, `<name>.rttm` and, where
there are any, `bg_*.*`, the same with a background. Each conversation is diarized with its true number of speakers; a
found speaker is the one of the reference with whom it speaks longest at the same time. Every pair of a found speaker
and a known voice counts.

AUROC: the chance that a pair of one person is more alike than a pair of two. EER: the share of errors where both kinds
are equally frequent. `--fit` prints the logistic curve of the cosine, both kinds of pairs weighing the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_engine import registry
from audio_engine.formats import parse_rttm
from audio_engine.identification import confidence, identify
from audio_engine.memory import Samples
from audio_engine.progress import ignore_progress
from audio_engine.types import Diarization, SpeakerBounds, Turn
from audio_engine.voices import Voiceprint

RATE = 16_000
STEP = 0.01  # seconds


@dataclass(frozen=True)
class Found:
    """The speakers of one recording: their voiceprints and who they are by the reference."""

    recording: str
    voiceprints: tuple[Voiceprint | None, ...]
    names: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--speakers", default="", help="only conversations in which a speaker's name starts so")
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    known = {path.stem: enrolled(path, options.engine) for path in sorted((options.data / "enrol").iterdir())}
    found = list(conversations(options.data / "sim", options.engine, options.speakers))
    for kind, some in (("clean", False), ("with a background", True)):
        report(kind, [each for each in found if ("bg_" in each.recording) == some], known)
    report("all", found, known)
    if options.fit:
        even, steepness = fit(*pairs(found, known))
        print(f"even {even:.3f}, steepness {steepness:.1f}")


def enrolled(path: Path, engine: str) -> Voiceprint:
    (voiceprint,) = diarize(path, engine, 1).voiceprints
    assert voiceprint
    return voiceprint


def conversations(folder: Path, engine: str, speakers: str) -> Iterator[Found]:
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        lines = [line.split() for line in (each / f"{each.name}.rttm").read_text().splitlines()]
        names = tuple(dict.fromkeys(line[7] for line in lines))
        if not any(name.startswith(speakers) for name in names):
            continue
        truth = parse_rttm((each / f"{each.name}.rttm").read_text())
        for path in sorted([*each.glob("mix.*"), *each.glob("bg_*.*")]):
            heard = diarize(path, engine, len(names))
            found = Found(
                f"{each.name}/{path.stem}", heard.voiceprints, tuple(names[at] for at in matched(heard, truth))
            )
            yield found


def diarize(path: Path, engine: str, speakers: int) -> Diarization:
    pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Samples = soxr.resample(pcm.mean(axis=1), rate, RATE)
    with tempfile.TemporaryDirectory() as scratch:
        return registry.load(engine).diarize(mono, SpeakerBounds(exact=speakers), Path(scratch), ignore_progress)


def matched(heard: Diarization, truth: tuple[Turn, ...]) -> list[int]:
    """For each found speaker the one of the reference who speaks longest together with it."""
    length = max(turn.end for turn in (*heard.turns, *truth))
    own, reference = speaking(heard.turns, length), speaking(truth, length)
    return (own.astype(int) @ reference.T.astype(int)).argmax(axis=1).tolist()


def speaking(turns: tuple[Turn, ...], seconds: float) -> np.ndarray:
    grid = np.zeros((1 + max(turn.speaker for turn in turns), round(seconds / STEP) + 1), dtype=bool)
    for turn in turns:
        grid[turn.speaker, round(turn.start / STEP) : round(turn.end / STEP)] = True
    return grid


def pairs(found: list[Found], known: dict[str, Voiceprint]) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs and whether each is of one person."""
    rows = [
        (np.dot(voiceprint.vector, other.vector), name == label)
        for each in found
        for voiceprint, name in zip(each.voiceprints, each.names, strict=True)
        if voiceprint
        for label, other in known.items()
    ]
    cosines, same = np.array(rows).T
    return cosines, same.astype(bool)


def report(kind: str, found: list[Found], known: dict[str, Voiceprint]) -> None:
    if not found:
        return
    cosines, same = pairs(found, known)
    model = next(iter(known.values())).model
    sure = confidence(cosines, model)
    named, right = identified(found, known, exclusive=True)
    known_right, others_right = (100 * part.mean() for part in (sure[same] >= 50, sure[~same] < 50))
    print(
        f"{kind}: {len(found)} recordings, {same.sum()} pairs of one person at cosine {cosines[same].mean():.2f}, "
        f"{(~same).sum()} of two at {cosines[~same].mean():.2f}; AUROC {auroc(cosines, same):.3f}, "
        f"EER {100 * equal_error(cosines, same):.1f} %; right at confidence 50: {known_right:.0f} % of one person, "
        f"{others_right:.0f} % of two; named {named}, of them right {right}"
    )


def identified(found: list[Found], known: dict[str, Voiceprint], *, exclusive: bool) -> tuple[int, int]:
    """How many known speakers got a name at confidence 50, and how many of these the right one."""
    named = right = 0
    for each in found:
        for speaker in identify(each.voiceprints, known, threshold=50, exclusive=exclusive):
            if speaker.match:
                named += 1
                right += speaker.match == each.names[speaker.speaker]
    return named, right


def auroc(cosines: np.ndarray, same: np.ndarray) -> float:
    ranks = np.argsort(np.argsort(cosines)) + 1
    ones, others = same.sum(), (~same).sum()
    return float((ranks[same].sum() - ones * (ones + 1) / 2) / (ones * others))


def equal_error(cosines: np.ndarray, same: np.ndarray) -> float:
    levels = np.unique(cosines)
    missed = np.array([(cosines[same] < level).mean() for level in levels])
    false = np.array([(cosines[~same] >= level).mean() for level in levels])
    at = np.abs(missed - false).argmin()
    return float((missed[at] + false[at]) / 2)


def fit(cosines: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Newton's method for the logistic curve with both kinds weighing the same."""
    rows = np.stack([cosines, np.ones_like(cosines)], axis=1)
    weights = np.where(same, 0.5 / same.mean(), 0.5 / (~same).mean())
    slope, offset = values = np.zeros(2)
    for _ in range(50):
        likely = 1 / (1 + np.exp(-rows @ values))
        gradient = rows.T @ (weights * (same - likely))
        curvature = (rows * (weights * likely * (1 - likely))[:, None]).T @ rows
        values = values + np.linalg.solve(curvature, gradient)
        slope, offset = values
    return -offset / slope, slope


if __name__ == "__main__":
    main()
