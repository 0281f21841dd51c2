"""What bfloat16 in the speaker encoder costs in DER (collar 0, overlap scored): `python -m benchmarks.precision DATA
[--only PART]`; see `simulated` for DATA, whose `manifest.csv` names the recordings and their references."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest import mock

from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from audio_engine import SpeakerBounds, Turn
from audio_engine.backends import precision
from audio_engine.backends.embedded import EmbeddedDiarizer
from audio_engine.progress import ignore_progress

from .recordings import annotated
from .rounds import print_machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="recordings whose name holds this")
    options = parser.parse_args()
    print_machine()
    engines = {"float32": engine(bf16=False), "bfloat16": engine(bf16=True)}
    totals = {name: DiarizationErrorRate() for name in engines}
    with tempfile.TemporaryDirectory() as scratch:
        for file, pcm, turns in annotated(options.data, options.only):
            reference = annotation(turns)
            errors = []
            for name, diarizer in engines.items():
                found = diarizer.diarize(pcm, SpeakerBounds(), Path(scratch), ignore_progress)
                errors.append(100 * totals[name](reference, annotation(found.turns)))
            print(f"{file:45} float32 {errors[0]:6.2f}   bfloat16 {errors[1]:6.2f}")
    print("all:", ", ".join(f"{name} {100 * abs(total):.2f}" for name, total in totals.items()))


def engine(*, bf16: bool) -> EmbeddedDiarizer:
    diarizer = EmbeddedDiarizer()
    with mock.patch.object(precision, "fast_bf16", return_value=bf16):
        diarizer.load()
    return diarizer


def annotation(turns: tuple[Turn, ...]) -> Annotation:
    result = Annotation()
    for number, turn in enumerate(turns):
        result[Segment(turn.start, turn.end), number] = str(turn.speaker)
    return result


if __name__ == "__main__":
    main()
