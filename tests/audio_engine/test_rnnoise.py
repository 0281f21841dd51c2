"""Denoising with RNNoise: what it hears, where and how late, and what happens where it is not installed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from audio_engine import registry
from audio_engine.backends.rnnoise import denoiser, library
from audio_engine.backends.rnnoise.denoiser import RnnoiseDenoiser, RnnoiseEstimate
from audio_engine.backends.rnnoise.library import Library, locate
from audio_engine.errors import EngineError
from audio_engine.noise import AgreedNoise
from audio_engine.separation import si_sdr
from audio_engine.sound import QUALITIES
from audio_engine.suppression import HOP_SECONDS, SpeechEstimate, Suppressor
from audio_engine.training import noises
from audio_engine.types import MediaInfo

from .denoised import denoised_by, with_white_noise
from .voices import Signal

denoised = partial(denoised_by, subtype="FLOAT")
RATE = 16_000
SECONDS = 8
pytestmark = pytest.mark.skipif(locate() is None, reason="pyrnnoise is not installed")


@pytest.fixture(scope="module")
def talk(sample: Path) -> Signal:
    """People who talk, shape (samples,)."""
    return np.asarray(soundfile.read(sample, dtype="float32", start=5 * RATE, frames=SECONDS * RATE)[0])


@pytest.fixture(scope="module")
def noisy(talk: Signal) -> Signal:
    """With white noise 10 dB below."""
    return with_white_noise(talk)


@pytest.mark.parametrize("quality", QUALITIES)
def test_auto_takes_it_and_it_takes_away_what_is_no_steady_noise(tmp_path: Path, talk: Signal, quality: str) -> None:
    rain = noises.rain(np.random.default_rng(5), len(talk))
    rainy = (talk + rain * np.sqrt(np.mean(talk**2) / np.mean(rain**2)) * 10 ** (-10 / 20)).astype(np.float32)
    result, cleaned = denoised(tmp_path / "auto", rainy, quality=quality)
    _, without = denoised(tmp_path / "spectral", rainy, engine="spectral")
    assert result.engine == "rnnoise"
    assert result.models == (f"pyrnnoise {version('pyrnnoise')}",)
    assert si_sdr(cleaned, talk) > si_sdr(rainy, talk) + 2
    assert si_sdr(cleaned, talk) > si_sdr(without, talk) + 1


def test_ultra_goes_deeper_and_asks_nobody_who_speaks(tmp_path: Path, talk: Signal, noisy: Signal) -> None:
    studio, cleaned = denoised(tmp_path / "studio", noisy)
    ultra, deeper = denoised(tmp_path / "ultra", noisy, quality="ultra")
    between = slice(*quietest(talk))
    assert np.mean(deeper[between] ** 2) < 0.5 * np.mean(cleaned[between] ** 2)
    assert ultra.models == studio.models
    assert ultra.noise_reduction_db > studio.noise_reduction_db


def quietest(talk: Signal) -> tuple[int, int]:
    """A quarter of a second in which nobody says anything."""
    span = RATE // 4
    start = min(range(RATE, len(talk) - RATE, 400), key=lambda at: float(np.sum(talk[at : at + span] ** 2)))
    return start, start + span


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(48_000, 2, "PCM_16"), (8_000, 1, "PCM_U8"), (44_100, 6, "FLOAT"), (96_000, 1, "PCM_24")],
)
def test_rate_channels_depth_and_length_are_the_sources_own(
    tmp_path: Path, noise: Callable[..., npt.NDArray[np.float64]], rate: int, channels: int, subtype: str
) -> None:
    sound = noise(1.234, rate, channels)
    result, cleaned = denoised(tmp_path, sound, rate, subtype=subtype)
    info = soundfile.info(tmp_path / "out" / "denoised.wav")
    assert (info.samplerate, info.channels, info.subtype) == (rate, channels, subtype)
    assert cleaned.reshape(-1, channels).shape == sound.shape
    assert result.engine == "rnnoise"


def test_silence_stays_silence(tmp_path: Path) -> None:
    assert not denoised(tmp_path, np.zeros(RATE))[1].any()


def test_channels_that_cancel_each_other_keep_their_speech(tmp_path: Path, noisy: Signal, talk: Signal) -> None:
    _, cleaned = denoised(tmp_path, np.stack([noisy, -noisy], axis=1))
    assert np.allclose(cleaned[:, 0], -cleaned[:, 1], atol=1e-6)
    assert si_sdr(cleaned[:, 0], talk) > si_sdr(noisy, talk) + 2


# --- what it hears


def heard(sound: Signal, rate: int, size: int) -> Signal:
    path = locate()
    assert path
    estimate = RnnoiseEstimate(Library(path), rate, sound.shape[1])
    pieces = [estimate.push(sound[start : start + size]) for start in range(0, len(sound), size)]
    return np.concatenate([*pieces, estimate.push(sound[:0], last=True)])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_what_it_hears_is_where_it_was_said(talk: Signal, rate: int) -> None:
    said = soxr.resample(talk[: 3 * RATE], RATE, rate).astype(np.float32)[:, None]
    found = heard(said, rate, rate)
    assert found.shape == said.shape
    span = 2 * len(said)
    likeness = np.fft.irfft(np.fft.rfft(found[:, 0], span) * np.conj(np.fft.rfft(said[:, 0], span)), span)
    late = int(np.argmax(likeness))
    assert min(late, span - late) <= rate / 16_000


@pytest.mark.parametrize("size", [1, 479, 5_000])
def test_pieces_of_any_length_are_heard_alike(noisy: Signal, size: int) -> None:
    said = noisy[: max(800, 5 * size), None]
    assert heard(said, RATE, size) == pytest.approx(heard(said, RATE, len(said)), abs=1e-4)


def test_damage_far_over_full_scale_is_forgotten(noisy: Signal, talk: Signal) -> None:
    damaged = np.concatenate([np.full(RATE, 2.0**24, np.float32), noisy])
    media = MediaInfo("wav", "pcm_f32le", RATE, 1, 32, True, len(damaged) / RATE, "mono")
    suppressor = RnnoiseDenoiser().suppressor(media, "studio", 1.0)
    cleaned = np.concatenate([suppressor.feed(damaged[:, None]), suppressor.finish()])[:, 0]
    assert np.isfinite(cleaned).all()
    late = slice(2 * RATE, None)
    assert si_sdr(cleaned[RATE:][late], talk[late]) > si_sdr(noisy[late], talk[late]) + 2


def test_what_it_remembers_of_a_channel_is_given_back() -> None:
    path = locate()
    assert path
    opened = Library(path)
    freed: list[int] = []
    destroy = opened._functions.rnnoise_destroy
    opened._functions.rnnoise_destroy = lambda state: (freed.append(state), destroy(state))
    estimate = RnnoiseEstimate(opened, RATE, 2)
    states, gone = [channel._state for channel in estimate._channels], weakref.ref(estimate)
    del estimate
    gc.collect()
    assert gone() is None
    assert sorted(freed) == sorted(states)


# --- beside what is known of the noise


class Quarter(SpeechEstimate):
    """Hears a quarter of the amplitude as speech, and tells half a second late."""

    highest = 4_000.0
    floor = 0.1

    def __init__(self) -> None:
        self._held = np.zeros((0, 1), np.float32)

    def push(self, signal: Signal, *, last: bool = False) -> Signal:
        self._held = np.concatenate([self._held, signal])
        count = len(self._held) if last else max(0, len(self._held) - RATE // 2)
        given, self._held = self._held[:count] / 4, self._held[count:]
        return np.asarray(given, np.float32)


class NoNoise:
    def push(self, power: npt.NDArray[np.float64], *, last: bool = False) -> npt.NDArray[np.float64]:
        return np.full_like(power, 1e-12)


@pytest.mark.parametrize("size", [100, 7_777, RATE * SECONDS])
def test_gains_are_the_geometric_mean_of_both_and_where_they_belong(noisy: Signal, size: int) -> None:
    suppressor = Suppressor(RATE, 1, NoNoise(), 1.0, Quarter())
    given = [suppressor.feed(noisy[start : start + size, None]) for start in range(0, len(noisy), size)]
    cleaned = np.concatenate([*given, suppressor.finish()])[:, 0]
    assert cleaned == pytest.approx(noisy / 2, abs=1e-4)  # without noise the other gain is one


def test_what_lies_above_what_it_hears_is_treated_like_the_octave_below() -> None:
    time = np.arange(2 * RATE) / RATE
    low, high = (np.sin(2 * np.pi * pitch * time).astype(np.float32) for pitch in (3_000, 6_000))

    class Deaf(Quarter):
        def push(self, signal: Signal, *, last: bool = False) -> Signal:
            return super().push(np.asarray(low[: len(signal), None] if len(signal) else signal), last=last)

    suppressor = Suppressor(RATE, 1, NoNoise(), 1.0, Deaf())
    cleaned = np.concatenate([suppressor.feed((low + high)[:, None]), suppressor.finish()])[:, 0]
    middle = slice(RATE // 2, 3 * RATE // 2)
    kept = [2 * abs(np.mean(cleaned[middle] * tone[middle])) for tone in (low, high)]
    assert kept[0] == pytest.approx(0.5, abs=0.02)
    assert kept[1] > 0.05  # and not the least there is, though none of it was heard


def test_without_an_estimate_of_the_speech_the_noise_alone_decides(noisy: Signal) -> None:
    alone, beside = (Suppressor(RATE, 1, AgreedNoise(HOP_SECONDS), 1.0, each) for each in (None, Quarter()))
    first, second = (np.concatenate([each.feed(noisy[:, None]), each.finish()]) for each in (alone, beside))
    assert np.mean(second**2) < np.mean(first**2)


# --- where it is not there


def test_without_its_package_auto_does_without_and_who_names_it_is_told_how_to_get_it(
    tmp_path: Path, noisy: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PACKAGE", "nothing_of_that_name")
    result, _ = denoised(tmp_path, noisy[:RATE])
    assert (result.engine, result.models) == ("spectral", ())
    with pytest.raises(EngineError, match="pyrnnoise is not installed: pip install --no-deps pyrnnoise") as refused:
        registry.resolve("rnnoise")
    assert (refused.value.code, refused.value.details["field"]) == ("ENGINE_UNAVAILABLE", "engine")


def test_a_library_that_cannot_be_loaded_is_no_defect_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "librnnoise.so"
    broken.write_text("no library")
    monkeypatch.setattr(denoiser, "locate", lambda: broken)
    with pytest.raises(EngineError, match=r"cannot be used here .*--force-reinstall") as refused:
        RnnoiseDenoiser().load()
    assert refused.value.code == "ENGINE_UNAVAILABLE"
