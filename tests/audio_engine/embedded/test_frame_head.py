"""The frame head as shipped, on the recording that pyannote.audio carries and on made-up signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.io import wavfile

from audio_engine.backends.embedded import frame_features, packages
from audio_engine.backends.embedded.frame_head import WEIGHTS, FrameHead, probabilities
from audio_engine.backends.embedded.level import frame_levels, gain_curve
from audio_engine.backends.embedded.networks import SileroVad, load_silero

RATE = 16_000

Wave = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def silero() -> SileroVad:
    path = packages.locate(packages.SILERO)
    assert path is not None
    return load_silero(path)


@pytest.fixture(scope="module")
def head() -> FrameHead:
    return FrameHead.load()


@pytest.fixture
def conversation(sample: Path) -> Wave:
    rate, pcm = wavfile.read(sample)
    assert rate == RATE
    return (pcm / 32768).astype(np.float32)


def hear(pcm: Wave, silero: SileroVad, head: FrameHead) -> npt.NDArray[np.float32]:
    return probabilities(pcm, gain_curve(frame_levels(pcm)), silero, head, lambda _: None)


def hear_whole(
    pcm: Wave, silero: SileroVad, head: FrameHead, monkeypatch: pytest.MonkeyPatch
) -> npt.NDArray[np.float32]:
    monkeypatch.setattr(frame_features, "BLOCK_FRAMES", len(pcm))
    return hear(pcm, silero, head)


def turns(sample: Path) -> list[tuple[float, float]]:
    rttm = sample.with_suffix(".rttm")
    fields = [line.split() for line in rttm.read_text().splitlines()]
    return [(float(field[3]), float(field[3]) + float(field[4])) for field in fields]


def voices_spoken(sample: Path, frames: int) -> npt.NDArray[np.int64]:
    centres = (np.arange(frames) + 0.5) * 0.02
    return sum((((start <= centres) & (centres < stop)).astype(np.int64) for start, stop in turns(sample)), start=0)


def test_speech_is_heard_where_people_speak(
    sample: Path, conversation: Wave, silero: SileroVad, head: FrameHead
) -> None:
    speech = hear(conversation, silero, head)[:, 0] > 0.5
    spoken = voices_spoken(sample, len(speech)) > 0
    assert (speech == spoken).mean() > 0.93


def test_overlap_is_heard_more_where_two_speak(
    sample: Path, conversation: Wave, silero: SileroVad, head: FrameHead
) -> None:
    overlap = hear(conversation, silero, head)[:, 1]
    voices = voices_spoken(sample, len(overlap))
    assert overlap[voices == 2].mean() > 3 * overlap[voices == 1].mean()


@pytest.mark.parametrize("gain", [0.003, 0.03, 1.0])
def test_a_quiet_recording_is_heard_as_a_loud_one(
    conversation: Wave, silero: SileroVad, head: FrameHead, gain: float
) -> None:
    loud, quiet = hear(conversation, silero, head), hear(conversation * np.float32(gain), silero, head)
    assert ((loud[:, 0] > 0.5) == (quiet[:, 0] > 0.5)).mean() > 0.98


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.1])
def test_silence_and_steady_noise_hold_no_speech(silero: SileroVad, head: FrameHead, level: float) -> None:
    hiss = level * np.random.default_rng(5).standard_normal(20 * RATE).astype(np.float32)
    assert (hear(hiss, silero, head)[:, 0] > 0.5).mean() < 0.02


@pytest.mark.parametrize("block", [37, 500])
def test_hearing_piece_by_piece_changes_nothing(
    conversation: Wave, silero: SileroVad, head: FrameHead, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = hear(conversation, silero, head)
    monkeypatch.setattr(frame_features, "BLOCK_FRAMES", block)
    # Silero's convolutions round differently for other numbers of frames, and its memory carries that on.
    np.testing.assert_allclose(hear(conversation, silero, head), whole, atol=2e-3)


@pytest.mark.parametrize("samples", range(1, 1200, 97))
def test_a_last_piece_of_any_length_is_heard(
    conversation: Wave, silero: SileroVad, head: FrameHead, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_features, "BLOCK_FRAMES", 200)
    pcm = conversation[: 200 * frame_features.FRAME + samples]
    np.testing.assert_allclose(hear(pcm, silero, head), hear_whole(pcm, silero, head, monkeypatch), atol=2e-3)


def test_hearing_twice_gives_the_same_bytes(conversation: Wave, silero: SileroVad, head: FrameHead) -> None:
    assert hear(conversation, silero, head).tobytes() == hear(conversation, silero, FrameHead.load()).tobytes()


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (320, 1), (321, 2), (RATE, 50)])
def test_there_is_one_frame_for_each_20_ms(samples: int, frames: int, silero: SileroVad, head: FrameHead) -> None:
    assert hear(np.zeros(samples, dtype=np.float32), silero, head).shape == (frames, 3)


def test_probabilities_lie_between_0_and_1_with_overlap_at_most_speech(
    conversation: Wave, silero: SileroVad, head: FrameHead
) -> None:
    speech, overlap, _ = hear(conversation, silero, head).T
    assert overlap.min() >= 0
    assert speech.max() <= 1
    assert (overlap <= speech + 1e-6).all()


def test_progress_rises_to_1(
    conversation: Wave, silero: SileroVad, head: FrameHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_features, "BLOCK_FRAMES", 300)
    reported: list[float] = []
    probabilities(conversation, gain_curve(frame_levels(conversation)), silero, head, reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == 1.0


def test_the_weights_are_small_and_finite(head: FrameHead) -> None:
    assert WEIGHTS.stat().st_size < 5_000_000
    assert all(torch.isfinite(value).all() for value in head.state_dict().values())
