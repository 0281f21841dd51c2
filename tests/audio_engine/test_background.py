from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from audio_engine.background import MASK_FLOOR, BackgroundMask
from audio_engine.exemplars import GRID, PIECE
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.speakers import NO_PAUSES
from audio_engine.types import SpeakerRequest, Turn
from benchmarks.background import noisy_recording
from benchmarks.simulated import conversations, tracks

from .conftest import EVAL
from .voices import HIGH, LOW, RATE, Signal

TURNS = (Turn(1.0, 4.0, 0), Turn(5.0, 8.0, 1), Turn(9.0, 12.0, 0), Turn(13.0, 16.0, 1))


def conversation() -> Signal:
    speech = np.zeros(17 * RATE, dtype=np.float32)
    for take, turn in enumerate(TURNS):
        start = round(turn.start * RATE)
        said = (LOW, HIGH)[turn.speaker].says(turn.duration, take)
        speech[start : start + len(said)] = said
    return speech


def pink_noise() -> Signal:
    white = np.random.default_rng(3).standard_normal(17 * RATE)
    return lfilter([0.05, -0.048], [1, -1.95, 0.951], white).astype(np.float32)


def chords() -> Signal:
    time = np.arange(2 * RATE) / RATE
    roots = (220.0, 293.7, 329.6)
    bars = [
        sum(
            np.sin(2 * np.pi * root * ratio * harmonic * time) / harmonic
            for ratio in (1, 1.25, 1.5)
            for harmonic in (1, 2, 3, 4)
        )
        * np.exp(-time)
        for root in roots
    ]
    return np.tile(np.concatenate(bars), 3)[: 17 * RATE].astype(np.float32)


def at_level(background: Signal, speech: Signal, snr_db: float) -> Signal:
    """`background` so loud that the whole of `speech` is `snr_db` above it."""
    return background * np.float32(10 ** (-snr_db / 20) * np.sqrt(np.mean(speech**2) / np.mean(background**2)))


def spoken(signal: Signal) -> Signal:
    return np.concatenate([signal[round(turn.start * RATE) : round(turn.end * RATE)] for turn in TURNS])


@pytest.mark.parametrize(
    ("background", "snr_db", "least"),
    [(pink_noise, 0.0, 2.0), (pink_noise, 10.0, 2.0), (chords, 0.0, 4.0), (chords, 10.0, 1.5)],
)
def test_a_background_is_lowered_under_words(background: Callable[[], Signal], snr_db: float, least: float) -> None:
    speech = conversation()
    recording = speech + at_level(background(), speech, snr_db)
    cleaned = tracks(recording, RATE, TURNS, separate=False, clean=True)
    assert si_sdr(spoken(cleaned[0]), spoken(speech)) > si_sdr(spoken(recording), spoken(speech)) + least


def test_a_clean_recording_stays_as_it_is() -> None:
    speech = conversation() + at_level(pink_noise(), conversation(), 40.0)
    cleaned = tracks(speech, RATE, TURNS, separate=False, clean=True)
    assert np.abs(cleaned - speech).max() < 1e-5


@pytest.mark.parametrize("turns", [(), TURNS], ids=["silence", "turns over silence"])
def test_nothing_is_lowered_against_pauses_of_digital_silence(turns: tuple[Turn, ...]) -> None:
    background = BackgroundMask(np.zeros(17 * RATE, np.float32), turns)
    assert background.knows_background
    assert (background.mask(0, 17 * RATE // GRID.hop) == 1).all()


def test_masks_are_the_same_however_they_are_asked_for() -> None:
    speech = np.tile(conversation(), 2)
    turns = (*TURNS, *(Turn(turn.start + 17, turn.end + 17, turn.speaker) for turn in TURNS))
    background = BackgroundMask(speech + at_level(np.tile(pink_noise(), 2), speech, 5.0), turns)
    frames = len(speech) // GRID.hop
    assert frames > 2 * PIECE
    whole = background.mask(0, frames)
    parts = [background.mask(first, min(first + 41, frames)) for first in range(0, frames, 41)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
    assert whole.min() >= MASK_FLOOR - 1e-6
    assert whole.max() <= 1


def test_without_pauses_the_tracks_stay_as_they_are_and_the_result_says_so(
    tmp_path: Path, scripted: str, recording: Path
) -> None:
    plain = run(SpeakerRequest(recording, tmp_path / "plain", engine=scripted))
    result = run(SpeakerRequest(recording, tmp_path / "clean", engine=scripted, clean_background=True))
    assert NO_PAUSES in result.warnings
    assert NO_PAUSES not in plain.warnings
    first, second = (soundfile.read(tmp_path / name / "speaker_0.wav")[0] for name in ("plain", "clean"))
    assert np.abs(first - second).max() <= 1 / 32768


def test_backgrounds_are_lowered_in_a_simulated_conversation() -> None:
    if not EVAL.exists():
        pytest.skip(f"no recordings with references at {EVAL}")
    chosen = next(each for each in conversations(EVAL) if any(each.folder.glob("bg_music*")))
    for name in ("bg_music_0dB.ogg", "bg_noise_10dB.ogg"):
        plain, cleaned = noisy_recording(chosen, chosen.folder / name)
        assert cleaned > plain + 1, name
