"""The embedded engine as a whole, on the sample that pyannote.audio's package carries."""

from __future__ import annotations

import itertools
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio_engine.backends.embedded import EmbeddedDiarizer, diarizer
from audio_engine.backends.embedded.activity import Activity
from audio_engine.formats import parse_rttm
from audio_engine.memory import Samples
from audio_engine.types import Diarization, SpeakerBounds, Stage, Turn

RATE = 16_000
FRAMES = 100  # a second, for scoring
ANY_NUMBER = SpeakerBounds()


@pytest.fixture(scope="module")
def engine() -> EmbeddedDiarizer:
    return EmbeddedDiarizer()


@pytest.fixture(scope="module")
def speech(sample: Path) -> Samples:
    with wave.open(str(sample)) as source:
        return np.frombuffer(source.readframes(source.getnframes()), dtype="<i2").astype(np.float32) / 32768


@pytest.fixture
def diarize(engine: EmbeddedDiarizer, tmp_path: Path):
    def run(pcm: Samples, bounds: SpeakerBounds = ANY_NUMBER, report=lambda *_: None) -> Diarization:
        return engine.diarize(pcm, bounds, tmp_path, report)

    return run


def activity(turns: tuple[Turn, ...], seconds: float) -> np.ndarray:
    """Who speaks in each frame, shape (speakers, frames)."""
    grid = np.zeros((max(turn.speaker for turn in turns) + 1, round(seconds * FRAMES)), dtype=bool)
    for turn in turns:
        grid[turn.speaker, round(turn.start * FRAMES) : round(turn.end * FRAMES)] = True
    return grid


def test_the_sample_has_two_speakers_who_are_mostly_found_where_they_speak(diarize, speech, sample) -> None:
    found = diarize(speech)
    assert found.speakers == 2
    truth = activity(parse_rttm(sample.with_suffix(".rttm").read_text()), 30)
    heard = activity(found.turns, 30)
    wrong = min((heard[order] != truth).sum() for order in ([0, 1], [1, 0]))
    assert wrong / truth.sum() < 0.4  # each confused frame counts twice here


def test_exclusive_turns_never_overlap(diarize, speech) -> None:
    found = diarize(speech)
    assert found.exclusive
    ordered = sorted(found.exclusive, key=lambda turn: turn.start)
    assert all(before.end <= after.start for before, after in itertools.pairwise(ordered))


def test_two_runs_give_the_same_turns(diarize, speech) -> None:
    assert diarize(speech) == diarize(speech)


def test_the_number_of_speakers_asked_for_is_honoured(diarize, speech) -> None:
    assert diarize(speech, SpeakerBounds(exact=1)).speakers == 1
    assert diarize(speech, SpeakerBounds(exact=3)).speakers == 3


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_and_hiss_have_no_turns(diarize, level: float) -> None:
    hiss = level * np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)
    assert diarize(hiss).turns == ()


def test_a_quiet_recording_has_the_same_speakers_as_a_loud_one(diarize, speech) -> None:
    quiet = diarize(speech * np.float32(0.003))
    assert quiet.speakers == 2
    assert sum(turn.duration for turn in quiet.turns) == pytest.approx(
        sum(turn.duration for turn in diarize(speech).turns), rel=0.1
    )


def test_progress_goes_through_the_stages_and_never_back(diarize, speech) -> None:
    reported: list[tuple[Stage, float]] = []
    diarize(speech, report=lambda stage, fraction: reported.append((stage, fraction)))
    fractions = [fraction for _, fraction in reported]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert list(dict.fromkeys(stage for stage, _ in reported)) == [
        "activity",
        "embedding",
        "clustering",
        "resegmentation",
    ]


def test_the_result_names_the_models_that_made_it(diarize, speech) -> None:
    assert any("silero" in model for model in diarize(speech).models)


def test_less_counts_as_speech_at_a_higher_threshold(engine, speech, tmp_path) -> None:
    def spoken(threshold: float | None) -> float:
        found = engine.hearing(threshold).diarize(speech[: 12 * RATE], ANY_NUMBER, tmp_path, lambda *_: None)
        return float(activity(found.turns, 12).any(axis=0).mean())

    assert spoken(0.02) > spoken(0.5) == spoken(None) > spoken(0.98) > 0


def test_thresholds_move_together_and_half_moves_neither() -> None:
    half, one = np.full(3, 0.3, np.float32), np.zeros(3, np.float32)
    heard = Activity(half, one)
    assert (heard.at(0.5).onset, heard.at(0.5).offset) == pytest.approx((heard.onset, heard.offset))
    strict, lenient = heard.at(0.9), heard.at(0.1)
    assert heard.offset < strict.offset < strict.onset < 1
    assert 0 < lenient.offset < lenient.onset < heard.onset
    assert 0 < heard.at(0).offset < heard.at(1).offset < 1


def test_where_anybody_speaks_is_told_without_the_voices(diarize, engine, speech, tmp_path, monkeypatch) -> None:
    whole = activity(tuple(replace(turn, speaker=0) for turn in diarize(speech).turns), 30)
    monkeypatch.setattr(diarizer, "embed", None)  # nothing else is asked
    reported: list[tuple[Stage, float]] = []
    found = engine.speech(speech, tmp_path, lambda stage, fraction: reported.append((stage, fraction)))
    assert (activity(found.turns, 30) == whole).mean() > 0.95
    assert (reported[-1], {stage for stage, _ in reported}) == (("activity", 1.0), {"activity"})
    assert found.models[0].startswith("silero-vad ")
    assert engine.speech(np.zeros(RATE, np.float32), tmp_path, lambda *_: None).turns == ()
