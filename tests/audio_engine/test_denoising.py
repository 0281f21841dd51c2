from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from audio_engine import registry
from audio_engine.denoising import TOO_SHORT, TOO_SILENT
from audio_engine.errors import EngineError
from audio_engine.filters import COMPRESSOR, equalizer, filtered
from audio_engine.noise import AgreedNoise, FollowingNoise, SurroundingNoise
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.sound import DenoisingRequest
from audio_engine.suppression import HOP_SECONDS, Suppressor
from audio_engine.types import MediaInfo, Progress

from .denoised import denoised_by, with_white_noise
from .voices import HIGH, LOW, RATE, Signal

denoised = partial(denoised_by, engine="spectral")  # which needs no speech to be heard as such
TURNS = ((1, 4), (5, 8))  # of PausingDiarizer, in seconds
SECONDS = 9


@pytest.fixture(scope="module")
def speech() -> Signal:
    """Two voices, one after the other, with pauses of a second."""
    said = np.zeros(SECONDS * RATE, dtype=np.float32)
    for take, (start, end) in enumerate(TURNS):
        voice = (LOW, HIGH)[take % 2].says(end - start, take)
        said[start * RATE : start * RATE + len(voice)] = voice
    return said


@pytest.fixture(scope="module")
def noisy(speech: Signal) -> Signal:
    """With white noise 10 dB below."""
    return with_white_noise(speech)


@pytest.mark.parametrize("quality", ["balanced", "studio"])
def test_noise_goes_and_speech_stays(tmp_path: Path, speech: Signal, noisy: Signal, quality: str) -> None:
    result, cleaned = denoised(tmp_path, noisy, quality=quality)
    assert si_sdr(cleaned, speech) - si_sdr(noisy, speech) > 2
    assert result.noise_reduction_db is not None
    assert result.noise_reduction_db > 8
    assert result.before.noise_db is not None
    assert result.before.noise_db - result.noise_reduction_db == pytest.approx(result.after.noise_db, abs=0.2)
    assert (result.engine, result.files[0].name, result.warnings) == ("spectral", "denoised.wav", ())


def test_studio_does_better_than_balanced(tmp_path: Path, speech: Signal, noisy: Signal) -> None:
    studio, balanced = (denoised(tmp_path / each, noisy, quality=each)[1] for each in ("studio", "balanced"))
    assert si_sdr(studio, speech) > si_sdr(balanced, speech)


def test_ultra_takes_away_what_the_pauses_sound_like(
    tmp_path: Path, speech: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tones that swell: no tracker of steady noise hears them as noise."""
    monkeypatch.setitem(registry.ENGINES, "embedded", "tests.audio_engine.scripted:PausingDiarizer")
    time = np.arange(len(speech)) / RATE
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in (317, 951, 1585)) * (1 + np.sin(2 * np.pi * 2 * time))
    hummed = (speech + 0.03 * tones).astype(np.float32)
    ultra, cleaned = denoised(tmp_path / "ultra", hummed, quality="ultra")
    _, studio = denoised(tmp_path / "studio", hummed, quality="studio")
    assert si_sdr(cleaned, speech) > si_sdr(studio, speech) + 1
    assert ultra.models == ("pausing 1",)


def test_strength_0_changes_nothing_and_less_strength_less(tmp_path: Path, noisy: Signal) -> None:
    reductions = []
    for strength in (0.0, 0.5, 1.0):
        result, cleaned = denoised(tmp_path / str(strength), noisy, strength=strength)
        reductions.append(result.noise_reduction_db)
        if strength == 0:
            assert np.abs(cleaned - noisy).max() < 2e-7 + 2**-23
    assert reductions[0] == pytest.approx(0, abs=0.01)
    assert reductions[1] == pytest.approx(reductions[2] / 2, rel=0.25)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(48_000, 2, "PCM_16"), (8_000, 1, "PCM_U8"), (44_100, 6, "FLOAT"), (96_000, 8, "PCM_24")],
)
def test_rate_channels_depth_and_length_are_the_sources_own(
    tmp_path: Path, noise: Callable[..., npt.NDArray[np.float64]], rate: int, channels: int, subtype: str
) -> None:
    sound = noise(2.345, rate, channels)
    _, cleaned = denoised(tmp_path, sound, rate, subtype, equalizer="balanced", compress=True, loudness=-20)
    info = soundfile.info(tmp_path / "out" / "denoised.wav")
    assert (info.samplerate, info.channels, info.subtype) == (rate, channels, subtype)
    assert cleaned.reshape(-1, channels).shape == sound.shape


@pytest.mark.parametrize("target", [-30.0, -23.0, -14.0])
@pytest.mark.parametrize("compress", [False, True])
def test_loudness_is_within_half_a_unit_of_the_target(
    tmp_path: Path, noisy: Signal, target: float, compress: bool
) -> None:
    result, cleaned = denoised(tmp_path, noisy, loudness=target, compress=compress)
    assert result.after.loudness_lufs == pytest.approx(target, abs=0.5)
    assert np.abs(cleaned).max() <= 10 ** (-1.5 / 20) * 1.01
    assert ebur128(tmp_path / "out" / "denoised.wav") == pytest.approx(target, abs=0.5)


def swelling(seconds: float) -> Signal:
    """A buzz whose peaks rise 17 dB above its loudness."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 140 * number * time) / number for number in range(1, 20))
    return (0.1 * buzz * np.sin(2 * np.pi * 1.3 * time) ** 2).astype(np.float32)


def clicking(seconds: float, noise: float) -> Signal:
    """Two clicks of full scale a second, above noise of that level."""
    sound = (
        np.random.default_rng(7).normal(0, noise, round(seconds * RATE)) if noise else np.zeros(round(seconds * RATE))
    )
    sound[:: RATE // 2] = 0.99
    return sound.astype(np.float32)


@pytest.mark.parametrize("sound", [swelling(3), swelling(0.7), clicking(3, 1e-3)], ids=["swelling", "short", "clicks"])
def test_peaks_far_above_the_loudness_keep_it_not_from_the_target(tmp_path: Path, sound: Signal) -> None:
    result, cleaned = denoised(tmp_path, sound, quality="balanced", strength=0.3, loudness=-9)
    assert result.after.loudness_lufs == pytest.approx(-9, abs=0.2)
    assert result.warnings == ()
    assert np.abs(cleaned).max() <= 10 ** (-1.5 / 20) * 1.01


def test_peaks_with_nothing_between_them_are_told(tmp_path: Path) -> None:
    result, _ = denoised(tmp_path, clicking(3, 0), strength=0.0, loudness=-9)
    assert result.after.loudness_lufs is not None
    assert result.after.loudness_lufs < -20
    now = f"{result.after.loudness_lufs:.1f}"
    assert result.warnings == (f"The recording's peaks leave no room for -9 LUFS. It has {now} LUFS now.",)


def test_what_is_too_short_for_a_loudness_is_told_apart_from_silence(tmp_path: Path) -> None:
    result, cleaned = denoised(tmp_path, swelling(0.39), strength=0.0, loudness=-9)
    assert (result.after.loudness_lufs, result.warnings) == (None, (TOO_SHORT,))
    assert np.abs(cleaned - swelling(0.39)).max() < 1e-6


def ebur128(path: Path) -> float:
    """Integrated loudness by FFmpeg's own meter."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        nodes = [graph.add_abuffer(template=stream), graph.add("ebur128", "metadata=1"), graph.add("abuffersink")]
        graph.link_nodes(*nodes).configure()
        heard = "-70"
        for frame in container.decode(stream):
            graph.push(frame)
            while True:
                try:
                    heard = graph.pull().metadata.get("lavfi.r128.I", heard)
                except (av.BlockingIOError, av.EOFError):
                    break
    return float(heard)


def test_silence_stays_silence_and_has_no_loudness(tmp_path: Path) -> None:
    result, cleaned = denoised(tmp_path, np.zeros(RATE * 2), loudness=-16)
    assert not cleaned.any()
    assert (result.noise_reduction_db, result.before.loudness_lufs, result.after.noise_db) == (None, None, None)
    assert result.warnings == (TOO_SILENT,)


# --- the parts


@pytest.mark.parametrize("kind", [FollowingNoise, SurroundingNoise, AgreedNoise])
def test_a_tracker_finds_the_level_of_noise_under_speech(kind: type, speech: Signal, noisy: Signal) -> None:
    suppressor = Suppressor(RATE, 1, tracker := Remembering(kind(HOP_SECONDS)), 1.0)
    for start in range(0, len(noisy), RATE):
        suppressor.feed(noisy[start : start + RATE, None])
    suppressor.finish()
    found = np.concatenate(tracker.told)[300:-300].mean(axis=0)
    right = np.mean((noisy - speech) ** 2) * suppressor._grid.size / 2
    assert np.abs(10 * np.log10(found / right)).mean() < 3  # dB, mean over the bins


class Remembering:
    def __init__(self, tracker: object) -> None:
        self._tracker, self.told = tracker, []  # type: ignore[var-annotated]

    def push(self, power: npt.NDArray[np.float64], *, last: bool = False) -> npt.NDArray[np.float64]:
        self.told.append(self._tracker.push(power, last=last))  # type: ignore[attr-defined]
        return self.told[-1]


@pytest.mark.parametrize("size", [1, 100, 128, 7_777, RATE * SECONDS])
def test_pieces_of_any_length_give_the_same_samples_back(noisy: Signal, size: int) -> None:
    heard = noisy[: max(400, 100 * size)]
    suppressor = Suppressor(RATE, 1, AgreedNoise(HOP_SECONDS), 0.0)
    given = [suppressor.feed(heard[start : start + size, None]) for start in range(0, len(heard), size)]
    assert np.concatenate([*given, suppressor.finish()])[:, 0] == pytest.approx(heard, abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "louder", "softer"), [("vocal", 3000, 250), ("balanced", 3000, 250), ("bass_boost", 60, 1000)]
)
def test_presets_raise_and_lower_what_they_are_named_for(preset: str, louder: float, softer: float) -> None:
    def gain(hertz: float) -> float:
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)[:, None].astype(np.float32) * np.float32(0.1)
        through = np.concatenate(list(filtered([tone], equalizer(preset, RATE), MEDIA)))  # type: ignore[arg-type]
        return float(10 * np.log10(np.mean(through[2000:] ** 2) / np.mean(tone[2000:] ** 2)))

    assert gain(louder) > gain(softer) + 2


def test_the_compressor_brings_loud_and_soft_closer_together() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[:, None].astype(np.float32)
    levels = []
    for level in (0.8, 0.02):
        through = np.concatenate(list(filtered([tone * np.float32(level)], [COMPRESSOR], MEDIA)))
        levels.append(20 * np.log10(np.abs(through[RATE // 2 :]).max()))
    assert levels[0] - levels[1] < 20 * np.log10(0.8 / 0.02) - 8


MEDIA = MediaInfo("wav", "pcm_f32le", RATE, 1, 32, True, 1.0, "mono")


# --- bounds


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, noise: Callable[..., npt.NDArray[np.float64]]) -> None:
    def peak(seconds: float) -> int:
        soundfile.write(tmp_path / "long.wav", noise(seconds, 8_000), 8_000)
        run(DenoisingRequest(tmp_path / "long.wav", tmp_path / "out", quality="balanced"))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    short = peak(5)
    assert peak(120) - short < 20_000  # KiB; the sound itself is 3.8 MB as floats


def test_progress_rises_to_the_end(tmp_path: Path, noisy: Signal) -> None:
    soundfile.write(tmp_path / "in.wav", noisy, RATE)
    reports: list[tuple[str, float]] = []
    progress: Progress = lambda *report: reports.append(report)  # noqa: E731
    run(DenoisingRequest(tmp_path / "in.wav", tmp_path / "out"), progress)
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert list(dict.fromkeys(stage for stage, _ in reports)) == ["denoising", "levelling"]


@pytest.mark.parametrize(
    ("field", "value"), [("quality", "best"), ("strength", -0.1), ("equalizer", "loud"), ("loudness", 0.0)]
)
def test_an_impossible_option_is_refused_by_name(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(EngineError) as refused:
        run(DenoisingRequest(tmp_path / "in.wav", tmp_path / "out", **{field: value}))  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", field)
