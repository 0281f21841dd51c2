"""A voice apart from what accompanies it, where no model is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine import registry
from audio_engine.backends.basic import BasicSplitter
from audio_engine.errors import EngineError
from audio_engine.music import StemsRequest, StemsResult
from audio_engine.options import engine_for
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr

from .voices import HIGH, RATE, Signal

SECONDS = 12


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "models"))
    registry.unload()


@pytest.fixture(scope="module")
def voice() -> Signal:
    """What is said never comes again."""
    said = np.zeros(SECONDS * RATE, np.float32)
    for take, start in enumerate((0.7, 4.2, 8.3)):
        phrase = HIGH.says(2.6, take)
        said[round(start * RATE) :][: len(phrase)] = phrase
    return said


@pytest.fixture(scope="module")
def band(voice: Signal) -> Signal:
    """A chord for each second, four of them in turn, and the same blow twice a second, as loud as the voice."""
    time = np.arange(RATE) / RATE
    bars = [
        sum(np.sin(2 * np.pi * root * ratio * time) for ratio in (1, 1.25, 1.5)) * np.exp(-time)
        for root in (196.0, 261.6, 293.7, 220.0)
    ]
    blow = np.random.default_rng(8).standard_normal(1_200) * np.exp(-np.arange(1_200) / 250)
    played = 0.05 * np.tile(np.concatenate(bars), SECONDS // 4)
    for start in range(0, len(played) - len(blow), RATE // 2):
        played[start : start + len(blow)] += 0.2 * blow
    return (played * np.sqrt(np.mean(voice**2) / np.mean(played**2))).astype(np.float32)


def split(song: Signal, folder: Path, *stems: str) -> tuple[StemsResult, dict[str, Signal]]:
    """The result, and the stems, shape (frames, channels), of a recording of that shape."""
    soundfile.write(folder / "song.wav", song, RATE, subtype="FLOAT")
    result = run(StemsRequest(folder / "song.wav", folder / "out", stems=stems))
    assert isinstance(result, StemsResult)
    names = [stem.stem for stem in result.stems]
    return result, {
        name: soundfile.read(folder / "out" / f"{name}.wav", dtype="float32", always_2d=True)[0] for name in names
    }


def test_a_voice_and_its_accompaniment_come_apart_and_are_together_the_recording(tmp_path, voice, band):
    song = voice + band
    result, found = split(np.stack([song, 0.5 * song], axis=1), tmp_path)
    assert list(found) == ["vocals", "other"]
    np.testing.assert_allclose(found["vocals"] + found["other"], np.stack([song, 0.5 * song], axis=1), atol=1e-6)
    for stem, truth in (("vocals", voice), ("other", band)):
        assert si_sdr(found[stem][:, 0], truth) > si_sdr(song, truth) + 3
        np.testing.assert_allclose(found[stem][:, 1], 0.5 * found[stem][:, 0], atol=1e-6)
    assert (result.engine, result.models, result.warnings) == ("basic", (), (BasicSplitter.warning,))


def test_a_blow_that_comes_again_accompanies_and_one_that_does_not_is_no_accompaniment(tmp_path):
    blow = 0.3 * np.random.default_rng(5).standard_normal(1_600) * np.exp(-np.arange(1_600) / 300)
    shares = []
    for name, starts in (("again", range(0, 8 * RATE, RATE // 2)), ("once", [4 * RATE])):
        struck = np.zeros((8 * RATE, 1), np.float32)
        for start in starts:
            struck[start : start + len(blow), 0] = blow
        (tmp_path / name).mkdir()
        _, found = split(struck, tmp_path / name, "instrumental")
        shares.append(np.sum(found["instrumental"] ** 2) / np.sum(struck**2))
    assert shares[0] > 0.5
    assert shares[1] < 0.2


@pytest.mark.parametrize(("rate", "channels", "subtype"), [(8_000, 1, "PCM_U8"), (48_000, 3, "PCM_24")])
def test_rate_channels_depth_and_length_are_the_recordings(tmp_path, rate, channels, subtype):
    noise = np.random.default_rng(2).uniform(-0.5, 0.5, (2 * rate - 7, channels))
    soundfile.write(tmp_path / "odd.wav", noise, rate, subtype=subtype)
    run(StemsRequest(tmp_path / "odd.wav", tmp_path / "out", stems=("no_vocals",)))
    info = soundfile.info(tmp_path / "out" / "no_vocals.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (rate, channels, subtype, len(noise))


def test_silence_has_silent_stems(tmp_path):
    result, found = split(np.zeros((RATE, 2), np.float32), tmp_path, "vocals")
    assert result.stems[0].rms_db is None
    assert not found["vocals"].any()


@pytest.mark.parametrize("stems", [(), ("vocals",), ("other", "instrumental"), ("no_vocals", "no_other")])
def test_auto_takes_it_for_what_it_tells_apart(stems):
    assert engine_for(stems) == "basic"


@pytest.mark.parametrize("stems", [("drums",), ("vocals", "bass"), ("no_piano",)])
def test_other_stems_are_refused_with_what_is_missing(stems, tmp_path, voice):
    soundfile.write(tmp_path / "song.wav", voice, RATE)
    with pytest.raises(EngineError, match="models fetch htdemucs") as refusal:
        run(StemsRequest(tmp_path / "song.wav", tmp_path / "out", stems=stems))
    assert refusal.value.code == "ENGINE_UNAVAILABLE"
    with pytest.raises(EngineError, match="the engine basic tells apart; htdemucs") as refusal:
        run(StemsRequest(tmp_path / "song.wav", tmp_path / "out", engine="basic", stems=stems))
    assert refusal.value.details["field"] == "stems"
