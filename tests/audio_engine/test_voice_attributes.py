"""Pitch on made-up voices whose pitch is known, and the guess of gender on real people."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine import voice_attributes as attributes
from audio_engine.formats import result_from_json
from audio_engine.pipeline import run
from audio_engine.pitch import HOP, REACH, WINDOW, pitch
from audio_engine.types import Diarization, SpeakerRequest, SpeakerResult, Turn
from audio_engine.voice_attributes import gender_of, voice_attributes

from .conftest import EVAL
from .voices import HIGH, LOW, RATE, Signal, Speaker


def gliding(base: float, seconds: float = 4) -> tuple[Signal, np.ndarray]:
    """Harmonics of a pitch that goes up and down by a third, and that pitch at each sample."""
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = base * 2 ** (np.sin(2 * np.pi * 0.5 * time) / 3)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    voice = sum(np.sin(harmonic * phase) / (1 + (harmonic - 3) ** 2) for harmonic in range(1, 9))
    return (0.1 * voice).astype(np.float32), hertz


def alone(samples: Signal) -> Diarization:
    turns = (Turn(0, len(samples) / RATE, 0),)
    return Diarization(turns, turns, 1, ("made-up 1",))


# --- pitch


@pytest.mark.parametrize("base", [75, 110, 200, 320])
@pytest.mark.parametrize("noise", [0.0, 0.02], ids=["clean", "noisy"])
def test_pitch_follows_a_gliding_voice(base: float, noise: float) -> None:
    samples, hertz = gliding(base)
    samples = samples + np.random.default_rng(3).normal(0, noise, len(samples)).astype(np.float32)
    found = pitch(samples)
    true = hertz[np.arange(len(found)) * HOP + round(WINDOW + RATE / base) // 2]
    heard = found > 0
    assert heard.mean() > 0.9
    errors = np.abs(found[heard] / true[heard] - 1)
    assert np.mean(errors > 0.2) < 0.01
    assert np.median(errors) < 0.005


def test_neither_silence_nor_noise_nor_a_moment_has_a_pitch() -> None:
    assert not pitch(np.zeros(RATE, np.float32)).any()
    assert np.mean(pitch(np.random.default_rng(1).normal(0, 0.1, 2 * RATE).astype(np.float32)) > 0) < 0.02
    assert len(pitch(np.ones(REACH - 1, np.float32))) == 0
    assert len(pitch(np.ones(REACH, np.float32))) == 1


def test_mains_hum_between_the_words_is_no_voice() -> None:
    voice, hertz = gliding(200)
    voice[RATE : 3 * RATE] = 0
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(voice)) / RATE)
    found = pitch(voice + hum.astype(np.float32))
    assert np.mean(found > 0) > 0.4
    assert found[found > 0].min() > 0.9 * hertz.min()


# --- of each speaker


def test_each_speaker_is_described_by_what_they_say_alone() -> None:
    low, high = LOW.says(6), HIGH.says(6)
    both = np.concatenate([low[: 4 * RATE], low[4 * RATE :] + high[: 2 * RATE], high[2 * RATE :]])
    turns = (Turn(0, 6, 0), Turn(4, 10, 1))
    first, second = voice_attributes(both, Diarization(turns, turns, 2, ("made-up 1",)))
    assert (first.speaker, first.gender, second.speaker, second.gender) == (0, "male", 1, "female")
    for found, speaker in ((first, LOW), (second, HIGH)):
        assert found.pitch_low
        assert found.pitch_median
        assert found.pitch_high
        assert found.gender_confidence
        assert 0.8 * speaker.pitch < found.pitch_low < found.pitch_median < found.pitch_high < 1.3 * speaker.pitch
        assert 80 <= found.gender_confidence <= 100


def test_of_who_never_speaks_alone_for_long_nothing_is_told() -> None:
    turns = (Turn(0, 5, 0), Turn(0.5, 5, 1))
    for found in voice_attributes(LOW.says(5), Diarization(turns, turns, 2, ("made-up 1",))):
        assert (found.pitch_low, found.pitch_median, found.pitch_high) == (None, None, None)
        assert (found.gender, found.gender_confidence) == ("unknown", None)


def test_of_a_long_recording_a_minute_is_heard_from_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    monkeypatch.setattr(attributes, "pitch", lambda samples: heard.append(samples) or pitch(samples))
    minutes = np.repeat(np.arange(30, dtype=np.float32), 60 * RATE)  # each sample tells its minute
    voice_attributes(minutes, alone(minutes))
    assert 50 * RATE < len(heard[0]) <= 60 * RATE
    assert set(heard[0].tolist()) == set(range(30))


def test_the_guess_is_unknown_between_and_above_the_voices_it_was_fitted_to() -> None:
    assert [gender_of(hertz)[0] for hertz in (75, 110, 150, 210, 300)] == [
        "male",
        "male",
        "unknown",
        "female",
        "unknown",
    ]
    assert gender_of(150)[1] is None
    surer = [gender_of(hertz)[1] or 0 for hertz in (125, 110, 90)]
    assert surer == sorted(surer)
    assert surer[0] >= 80


def test_only_who_asks_for_it_is_told(tmp_path: Path, scripted: str) -> None:
    recording = tmp_path / "voice.wav"
    soundfile.write(recording, Speaker(pitch=110, tract=1, seed=5).says(9), RATE)
    plain = run(SpeakerRequest(recording, tmp_path / "plain", task="diarization", engine=scripted))
    assert isinstance(plain, SpeakerResult)
    assert plain.voice_attributes == ()
    asked = SpeakerRequest(recording, tmp_path / "asked", task="diarization", engine=scripted, voice_attributes=True)
    found = run(asked)
    assert isinstance(found, SpeakerResult)
    assert [voice.gender for voice in found.voice_attributes] == ["male", "male"]
    assert result_from_json(json.loads((asked.output / "result.json").read_text())).voice_attributes == (  # type: ignore[attr-defined]
        found.voice_attributes
    )


@pytest.mark.skipif(not (EVAL / "single.csv").exists(), reason="the recordings with references are not here")
def test_real_people_are_mostly_guessed_right() -> None:
    right = wrong = 0
    rows = csv.DictReader((EVAL / "single.csv").read_text().splitlines())
    for row in [row for row in rows if row["kind"] == "single_speaker" and row["note"][-2:] in (" F", " M")][::4]:
        samples = soundfile.read(EVAL / row["file"], dtype="float32", frames=10 * RATE)[0]
        (found,) = voice_attributes(samples, alone(samples))
        right += found.gender == {"F": "female", "M": "male"}[row["note"][-1]]
        wrong += found.gender == {"F": "male", "M": "female"}[row["note"][-1]]
    assert right >= 10
    assert wrong <= 1
