"""Turns that are given instead of found: checked, made whole, and cut into tracks like any others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import pytest
import soundfile

from audio_engine import enrolment, registry
from audio_engine.errors import EngineError
from audio_engine.formats import parse_rttm, request_from_json, request_to_json
from audio_engine.given_turns import check_turns, exclusive, joined
from audio_engine.memory import Samples
from audio_engine.pipeline import run
from audio_engine.types import (
    Diarization,
    IdentificationRequest,
    Progress,
    SpeakerBounds,
    SpeakerRequest,
    Turn,
)
from tests.audio_engine import scripted as scripts

TURNS = (Turn(0.5, 2.0, 0, 80), Turn(1.5, 3.0, 1), Turn(4.0, 9.0, 0))


class Listener(scripts.ScriptedDiarizer):
    """Keeps how many seconds it heard of each speaker."""

    heard: ClassVar[list[float]] = []

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        assert bounds.exact == 1
        self.heard.append(len(pcm) / 16_000)
        return super().diarize(pcm, bounds, scratch, progress)


@pytest.fixture
def no_diarizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ENGINES", dict(scripts.BESIDE))


@pytest.mark.usefixtures("no_diarizer")
def test_tracks_follow_the_given_turns_and_no_engine_tells_speakers(tmp_path: Path, recording: Path) -> None:
    heard: list[float] = []
    request = SpeakerRequest(recording, tmp_path / "out", turns=TURNS, overlap="keep")
    result = run(request_from_json(request_to_json(request)), lambda _, fraction: heard.append(fraction))
    assert result.engine == "given"
    assert [(t.start, t.end, t.speaker, t.confidence) for t in result.turns] == [
        (0.5, 2.0, 0, 80),
        (1.5, 3.0, 1, None),
        (4.0, 5.0, 0, None),  # the recording ends there
    ]
    assert [speaker.talk_seconds for speaker in result.speakers] == [2.5, 1.5]
    assert parse_rttm((tmp_path / "out" / "extraction.rttm").read_text()) == result.turns
    track, rate = soundfile.read(tmp_path / "out" / "speaker_1.wav")
    assert abs(track[: round(1.4 * rate)]).max() == 0
    assert abs(track[round(1.6 * rate) : round(2.9 * rate)]).max() > 0.1
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


@pytest.mark.usefixtures("no_diarizer")
def test_a_turn_that_starts_after_the_recording_is_refused(tmp_path: Path, recording: Path) -> None:
    late = (Turn(0.0, 1.0, 0), Turn(5.0, 6.0, 0))
    with pytest.raises(EngineError, match=r"number 2 starts at 5\.000 s") as refused:
        run(SpeakerRequest(recording, tmp_path / "out", turns=late))
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", "turns")


@pytest.mark.parametrize(
    ("turns", "rule"),
    [
        ((), "must be from 1 to"),
        ((Turn(1.0, 1.0, 0),), "number 1 is 1 to 1 s"),
        ((Turn(0.0, 1.0, 0), Turn(-0.5, 1.0, 0)), "number 2 is -0.5 to 1 s"),
        ((Turn(0.0, math.inf, 0),), "must have times that are numbers"),
        ((Turn(math.nan, 1.0, 0),), "must have times that are numbers"),
        ((Turn(0.0, 1.0, 1),), "without a gap"),
        (tuple(Turn(n, n + 1, n) for n in range(51)), "not of 51"),
    ],
)
def test_turns_that_nobody_can_speak_are_refused(turns: tuple[Turn, ...], rule: str) -> None:
    with pytest.raises(EngineError, match=rule):
        check_turns(turns)


def test_known_voices_are_looked_for_among_the_given_speakers(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is heard for themselves, where nobody else speaks and the longest stretches first."""
    monkeypatch.setattr(registry, "ENGINES", {"scripted": f"{__name__}:Listener"})
    monkeypatch.setattr(Listener, "heard", [])
    monkeypatch.setattr(enrolment, "MOST_HEARD", 2)
    known = {"Ann": scripts.VOICEPRINTS[0]}
    told: list[tuple[str, float]] = []
    turns = (*TURNS, Turn(1.6, 1.9, 2))  # who is never alone
    request = IdentificationRequest(recording, tmp_path / "out", known=known, turns=turns, exclusive=False)
    result = run(request_from_json(request_to_json(request)), lambda *at: told.append(at))
    assert [who.match for who in result.identifications] == ["Ann", "Ann", None]  # type: ignore[attr-defined]
    assert Listener.heard == [2.0, 1.0]
    assert (result.engine, result.models) == ("scripted", ("scripted 1",))
    assert [(t.start, t.end, t.speaker) for t in result.turns[:2]] == [(0.5, 2.0, 0), (1.5, 3.0, 1)]  # type: ignore[attr-defined]
    assert {stage for stage, _ in told} == {"decode", "embedding", "tracks"}
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)


def test_turns_of_one_speaker_that_overlap_are_one() -> None:
    turns = [Turn(2.0, 3.0, 0, 90), Turn(0.0, 2.5, 0, 40), Turn(3.0, 4.0, 0), Turn(1.0, 2.0, 1)]
    assert joined(turns) == (Turn(0.0, 3.0, 0, 40), Turn(1.0, 2.0, 1), Turn(3.0, 4.0, 0))


def test_where_several_speak_whoever_fell_in_is_taken() -> None:
    turns = (Turn(0.0, 5.0, 0), Turn(1.0, 2.0, 1), Turn(4.0, 6.0, 2), Turn(6.0, 7.0, 2))
    assert exclusive(turns) == (
        Turn(0.0, 1.0, 0),
        Turn(1.0, 2.0, 1),
        Turn(2.0, 4.0, 0),
        Turn(4.0, 7.0, 2),
    )
