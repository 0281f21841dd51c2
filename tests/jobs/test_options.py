"""What a job's row says, as the engine is asked for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audio_engine.types import SpeakerBounds, SpeakerRequest
from jobs import options


@pytest.mark.parametrize("task", ["extraction", "diarization"])
def test_a_row_without_options_asks_for_the_engines_defaults(task: str):
    asked = options.stored(task, {}).request(task, source=Path("in"), output=Path("out"))
    assert asked == SpeakerRequest(Path("in"), Path("out"), task=task)  # type: ignore[arg-type]


def test_what_a_row_says_is_what_the_engine_is_asked_for():
    row = options.SpeakerOptions(
        min_speakers=2, overlap="mute", clean_background=True, compact=True, voiceprints=True, engine="embedded"
    ).to_json()
    asked = options.stored("extraction", row).request("extraction", source=Path("in"), output=Path("out"))
    assert asked == replace(
        SpeakerRequest(Path("in"), Path("out")),
        engine="embedded",
        speakers=SpeakerBounds(minimum=2),
        overlap="mute",
        clean_background=True,
        compact=True,
        voiceprints=True,
    )
