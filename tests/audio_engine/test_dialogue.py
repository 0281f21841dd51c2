from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from audio_engine import registry
from audio_engine.dialogue import BASIC, BY_TIMES, NO_WORDS
from audio_engine.errors import EngineError
from audio_engine.formats import result_from_json
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.speakers import NO_SPEECH
from audio_engine.transcription.transcript import Heard
from audio_engine.types import DialogueRequest, DialogueResult

from .scripted import ScriptedTranscriber
from .voices import HIGH, LOW, RATE

TURNS = ((1, 4), (5, 8))  # of PausingDiarizer, in seconds
SECONDS = 9


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(registry, "ENGINES", {"pausing": "tests.audio_engine.scripted:PausingDiarizer"})
    return "pausing"


@pytest.fixture
def speech() -> npt.NDArray[np.float32]:
    said = np.zeros(SECONDS * RATE, dtype=np.float32)
    for take, (start, end) in enumerate(TURNS):
        voice = (LOW, HIGH)[take % 2].says(end - start, take)
        said[start * RATE : start * RATE + len(voice)] = voice
    return said


@pytest.fixture
def noisy(tmp_path: Path, speech: npt.NDArray[np.float32], noise: Callable[..., npt.NDArray[np.float64]]) -> Path:
    """Speech 10 dB above white noise, 16 bits."""
    path = tmp_path / "noisy.wav"
    soundfile.write(path, speech + 0.3 * noise(SECONDS)[:, 0], RATE)
    return path


def stems(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return soundfile.read(folder / "speech.wav")[0], soundfile.read(folder / "background.wav")[0]


def test_both_stems_together_are_the_recording(tmp_path: Path, noisy: Path, pausing: str) -> None:
    result = run(DialogueRequest(noisy, tmp_path / "out", engine=pausing))
    assert isinstance(result, DialogueResult)
    assert [(file.kind, file.name) for file in result.files] == [
        ("audio", "speech.wav"),
        ("audio", "background.wav"),
        ("json", "result.json"),
    ]
    assert (result.speech_seconds, result.warnings) == (6.0, ())
    voice, rest = stems(tmp_path / "out")
    assert np.abs(voice + rest - soundfile.read(noisy)[0]).max() <= 1.5 / 32768
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result_from_json(told).media.seconds == SECONDS


@pytest.fixture
def recogniser(monkeypatch: pytest.MonkeyPatch, pausing: str) -> str:
    path = "tests.audio_engine.scripted:ScriptedTranscriber"
    monkeypatch.setattr(registry, "ENGINES", {**registry.ENGINES, "scripted-words": path})
    return "scripted-words"


def test_words_alone_are_speech_where_that_is_asked_for(tmp_path: Path, noisy: Path, recogniser: str) -> None:
    result = run(DialogueRequest(noisy, tmp_path / "out", engine="pausing", recogniser=recogniser))
    assert [file.name for file in result.files] == ["speech.wav", "nonlingual.wav", "result.json"]
    assert (result.models, result.warnings) == (("scripted words 1", "pausing 1"), (BY_TIMES,))
    assert isinstance(result, DialogueResult)
    assert result.speech_seconds == pytest.approx(0.5 + 0.6)
    heard = soundfile.read(noisy)[0]
    voice, rest = (
        soundfile.read(tmp_path / "out" / "speech.wav")[0],
        soundfile.read(tmp_path / "out" / "nonlingual.wav")[0],
    )
    words = np.zeros(len(heard), dtype=bool)
    for start, end in ((1.15, 1.65), (3.15, 3.75)):
        words[round(start * RATE) : round(end * RATE)] = True
    borders = np.convolve(np.abs(np.diff(words, prepend=False)), np.ones(RATE // 50), mode="same") > 0
    assert np.array_equal(voice[words & ~borders], heard[words & ~borders])
    assert np.array_equal(rest[~words & ~borders], heard[~words & ~borders])
    assert np.abs(voice + rest - heard).max() <= 1.5 / 32768


def test_without_words_all_is_something_else_and_a_warning_says_so(
    tmp_path: Path, noisy: Path, recogniser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedTranscriber, "transcribe", lambda *_: Heard("en", None, (), ()))
    result = run(DialogueRequest(noisy, tmp_path / "out", engine="pausing", recogniser=recogniser))
    assert result.warnings == (NO_WORDS,)
    assert not soundfile.read(tmp_path / "out" / "speech.wav")[0].any()


def test_words_and_a_split_background_exclude_each_other(tmp_path: Path, noisy: Path, recogniser: str) -> None:
    with pytest.raises(EngineError) as refused:
        run(DialogueRequest(noisy, tmp_path / "out", engine="pausing", recogniser=recogniser, split_background=True))
    assert refused.value.details["field"] == "recogniser"


def test_speech_is_cleaner_than_it_was_and_silent_between_the_turns(
    tmp_path: Path, noisy: Path, speech: npt.NDArray[np.float32], pausing: str
) -> None:
    run(DialogueRequest(noisy, tmp_path / "out", engine=pausing))
    voice, rest = stems(tmp_path / "out")
    spoken = np.concatenate([np.arange(start * RATE, end * RATE) for start, end in TURNS])
    before = si_sdr(soundfile.read(noisy)[0][spoken], speech[spoken])
    assert si_sdr(voice[spoken], speech[spoken]) > before + 2
    assert not voice[: RATE - 200].any()
    assert not voice[4 * RATE + 200 : 5 * RATE - 200].any()
    assert np.sqrt(np.mean(rest[spoken] ** 2)) < 0.6 * np.sqrt(np.mean(speech[spoken] ** 2))


@pytest.mark.parametrize(("rate", "bits", "subtype"), [(8_000, 8, "PCM_U8"), (44_100, 20, "PCM_24")])
def test_stems_have_the_rate_and_depth_that_are_asked_for(
    tmp_path: Path, noisy: Path, pausing: str, rate: int, bits: int, subtype: str
) -> None:
    run(DialogueRequest(noisy, tmp_path / "out", engine=pausing, sample_rate=rate, bits=bits))
    for name in ("speech.wav", "background.wav"):
        info = soundfile.info(tmp_path / "out" / name)
        assert (info.samplerate, info.frames, info.subtype) == (rate, SECONDS * rate, subtype)
    voice, rest = stems(tmp_path / "out")
    power = np.mean((voice + rest) ** 2)
    if rate > RATE:  # nothing was cut off
        assert power == pytest.approx(np.mean(soundfile.read(noisy)[0] ** 2), rel=0.02)


def test_stems_of_floating_point_recordings_are_floating_point(tmp_path: Path, noisy: Path, pausing: str) -> None:
    samples = 2 * soundfile.read(noisy)[0]
    soundfile.write(tmp_path / "float.wav", np.stack([samples, samples], axis=1), RATE, subtype="FLOAT")
    run(DialogueRequest(tmp_path / "float.wav", tmp_path / "out", engine=pausing))
    voice, rest = stems(tmp_path / "out")
    assert voice.shape == (SECONDS * RATE, 2)
    np.testing.assert_allclose((voice + rest)[:, 0], samples, atol=1e-6)


def chord(seconds: float) -> npt.NDArray[np.float32]:
    """Three tones that last, as a pad does."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.03 * sum(np.sin(2 * np.pi * hertz * time) for hertz in (261.6, 329.6, 392.0))).astype(np.float32)


def blows(seconds: float) -> npt.NDArray[np.float32]:
    """Bursts of noise that come when they like, all different."""
    generator = np.random.default_rng(11)
    found = np.zeros(round(seconds * RATE), dtype=np.float32)
    for place in generator.integers(0, len(found) - 800, 3 * round(seconds)):
        found[place : place + 800] += 0.2 * generator.standard_normal(800) * np.exp(-np.arange(800) / 150)
    return found


def split(
    samples: npt.NDArray[np.float32], folder: Path, engine: str
) -> tuple[DialogueResult, npt.NDArray[np.float64]]:
    """The result, and the stems for speech, music and effects, shape (stems, samples), of stereo with one channel."""
    stereo = np.stack([samples, samples], axis=1)
    soundfile.write(folder / "all.wav", stereo, RATE, subtype="FLOAT")
    result = run(DialogueRequest(folder / "all.wav", folder / "out", engine=engine, split_background=True))
    assert isinstance(result, DialogueResult)
    assert [file.name for file in result.files[:3]] == ["speech.wav", "music.wav", "effects.wav"]
    found = [soundfile.read(folder / "out" / file.name)[0] for file in result.files[:3]]
    np.testing.assert_allclose(sum(found), stereo, atol=1e-5)
    return result, np.stack([stem[:, 0] for stem in found])


def test_music_and_effects_come_apart_between_the_words(
    tmp_path: Path, speech: npt.NDArray[np.float32], pausing: str
) -> None:
    played, struck = chord(SECONDS), blows(SECONDS)
    result, (said, music, effects) = split(speech + played + struck, tmp_path, pausing)
    assert BASIC in result.warnings
    assert si_sdr(said, speech) > si_sdr(speech + played + struck, speech) + 3
    pauses = np.concatenate(
        [np.arange(start, start + RATE // 2) for start in (RATE // 4, 17 * RATE // 4, 33 * RATE // 4)]
    )
    together = (played + struck)[pauses]
    for stem, truth in ((music[pauses], played[pauses]), (effects[pauses], struck[pauses])):
        assert si_sdr(stem, truth) > si_sdr(together, truth) + 3


def test_music_and_effects_come_apart_where_nobody_speaks_at_all(tmp_path: Path, pausing: str) -> None:
    played, struck = chord(3.9), blows(3.9)
    result, (said, music, effects) = split(played + struck, tmp_path, pausing)
    assert result.speech_seconds == 0
    assert not said.any()
    for stem, truth in ((music, played), (effects, struck)):
        assert si_sdr(stem, truth) > si_sdr(played + struck, truth) + 4


def test_a_tone_that_comes_again_is_music_and_one_that_does_not_is_none(tmp_path: Path, pausing: str) -> None:
    played, rang = np.zeros(3 * RATE, np.float32), np.zeros(3 * RATE, np.float32)
    note = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE) * np.hanning(RATE // 2)
    for start in range(0, 3 * RATE - len(note), 3 * RATE // 4):
        played[start : start + len(note)] = note
    rang[RATE : RATE + len(note)] = note
    shares = []
    for name, sound in (("played", played), ("rang", rang)):
        (tmp_path / name).mkdir()
        _, (_, music, _) = split(sound, tmp_path / name, pausing)
        shares.append(np.sum(music**2) / np.sum(sound**2))
    assert shares[0] > 0.6
    assert shares[1] < 0.2


def test_a_recording_without_speech_is_all_background(tmp_path: Path, scripted: str) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(2 * RATE), RATE)
    result = run(DialogueRequest(tmp_path / "silence.wav", tmp_path / "out", engine=scripted))
    assert isinstance(result, DialogueResult)
    assert (result.speech_seconds, result.warnings) == (0.0, (NO_SPEECH,))


@pytest.mark.parametrize(("option", "value"), [("sample_rate", 1), ("sample_rate", 10**6), ("bits", 7), ("bits", 64)])
def test_impossible_rates_and_depths_are_refused(
    tmp_path: Path, recording: Path, scripted: str, option: str, value: int
) -> None:
    with pytest.raises(EngineError) as refusal:
        run(DialogueRequest(recording, tmp_path / "out", engine=scripted, **{option: value}))
    assert refusal.value.details["field"] == option
