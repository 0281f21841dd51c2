"""The whole engine against pyannote.audio's `SpeakerDiarization`, on the same seconds of the same recording:
`python -m benchmarks.pyannote_pipeline DATA [--seconds N]`; see `simulated` for DATA.

Models of the architectures and sizes of speaker-diarization-community-1 with random weights, since its own are behind a
licence: what they answer is worth nothing, what they cost is the same. Where the answer decides how much work follows,
after the segmentation, the activity of the reference takes its place; clusters of random embeddings cost next to
nothing either way. Both sides get the samples, not a file.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio import Pipeline

from audio_engine import SpeakerBounds, Turn, registry
from audio_engine.formats import parse_rttm
from audio_engine.progress import ignore_progress
from tests.audio_engine.pyannote import random_models

from .recordings import HEARD, mono, source
from .rounds import compare, print_machine, print_timings

WINDOW = 10.0  # seconds
SPEAKERS = 3  # that the segmentation tells apart in a window
MODEL = "speaker-diarization-community-1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    print_machine()
    recording = source(options.data)
    pcm = mono(recording, options.seconds)
    turns = parse_rttm(next(recording.parent.glob("*.rttm")).read_text())
    engine = registry.load("embedded")
    with tempfile.TemporaryDirectory() as name:
        model = random_models.community(Path(name) / MODEL, pcm, random_models.COMMUNITY_1)
        pipeline = Pipeline.from_pretrained(model)
        script(pipeline, turns)
        file = {"waveform": torch.from_numpy(pcm)[None], "sample_rate": HEARD}
        contenders = {
            "embedded": lambda: engine.diarize(pcm, SpeakerBounds(), Path(name), ignore_progress),
            "pyannote.audio": lambda: pipeline(file),
        }
        print_timings(compare(contenders, rounds=2), ["embedded"], options.seconds)


def script(pipeline: Any, turns: tuple[Turn, ...]) -> None:
    """Segmentation runs as it is, then says what the reference says."""
    segment = pipeline.get_segmentations

    def scripted(file: Any, hook: Any = None) -> Any:
        found = segment(file, hook)
        for (window, _), answer in zip(found, found.data, strict=True):
            answer[:] = activity(turns, window.start, len(answer))
        return found

    pipeline.get_segmentations = scripted


def activity(turns: tuple[Turn, ...], start: float, frames: int) -> np.ndarray:
    """Of the first three who speak in the window, shape (frames, SPEAKERS)."""
    result = np.zeros((frames, SPEAKERS), dtype=np.float32)
    for column, speaker in enumerate(speaking(turns, start)):
        for turn in turns:
            if turn.speaker == speaker:
                low, high = ((edge - start) / WINDOW * frames for edge in (turn.start, turn.end))
                result[max(0, round(low)) : max(0, round(high)), column] = 1
    return result


def speaking(turns: tuple[Turn, ...], start: float) -> list[int]:
    """The first three who speak in the window."""
    heard = (turn.speaker for turn in turns if turn.start < start + WINDOW and turn.end > start)
    return list(dict.fromkeys(heard))[:SPEAKERS]


if __name__ == "__main__":
    main()
