"""What is right, and how confidence is fitted to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from audio_engine.backends.embedded.confidence import FEATURES
from audio_engine.training import confidence
from audio_engine.training.confidence import fit, right_frames, train, usual_conversation
from audio_engine.types import Turn
from benchmarks.confidence import Judged, auroc, calibration_error, reliability, spoken

from .test_frame_head_training import made_up_voice

FRAMES = 100  # 2 s


def turns(*spans: tuple[float, float, int]) -> tuple[Turn, ...]:
    return tuple(Turn(*span) for span in spans)


def test_a_frame_is_right_whatever_the_speakers_are_called() -> None:
    truth = spoken(turns((0, 1, 0), (1, 2, 1)), FRAMES)
    assert right_frames(turns((0, 1, 1), (1, 2, 0)), truth).all()


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (turns((0, 1, 0), (1, 1.5, 1)), (75, 100)),  # missed
        (turns((0, 1, 0), (1, 2, 1), (0.5, 0.7, 1)), (25, 35)),  # one too many
        (turns((0, 1.2, 0), (1.2, 2, 1)), (50, 60)),  # taken for another
        (turns((0, 1, 0), (1, 1.8, 1), (1.8, 2, 2)), (90, 100)),  # somebody who does not exist
        (turns((0, 1, 0), (1, 1.2, 0)), (50, 100)),  # somebody not found
        ((), (0, 100)),
    ],
)
def test_a_frame_is_wrong_where_somebody_is_missed_added_or_confused(
    said: tuple[Turn, ...], wrong: tuple[int, int]
) -> None:
    right = right_frames(said, spoken(turns((0, 1, 0), (1, 2, 1)), FRAMES))
    assert np.flatnonzero(~right).tolist() == list(range(*wrong))


def test_silence_is_right_where_nobody_speaks() -> None:
    assert right_frames((), np.zeros((FRAMES, 0), dtype=bool)).all()


def test_the_fit_finds_the_probabilities_the_frames_were_drawn_with() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((20_000, len(FEATURES)))
    counts = generator.integers(0, 3, len(rows)).astype(np.int8)
    slopes = np.array([0.5, -1.0, 2.0])[counts]
    probability = 1 / (1 + np.exp(-(slopes * rows[:, 3] + 0.5)))
    model = fit(rows, counts, generator.random(len(rows)) < probability)
    unseen = np.abs(rows).max(axis=1) < 2
    assert np.abs(model.probabilities(rows, counts) - probability)[unseen].mean() < 0.02
    assert fit(rows, counts, probability > 0.5) == fit(rows, counts, probability > 0.5)


def test_conversations_to_learn_from_are_the_same_for_a_seed_and_mostly_of_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confidence, "SECONDS", (5, 8))
    voices = [made_up_voice(seed) for seed in range(14)]
    first, second = (usual_conversation(np.random.default_rng(5), voices) for _ in range(2))
    assert first.wave.tobytes() == second.wave.tobytes()
    assert (first.active.sum(axis=1) > 1).sum() <= 0.25 * first.active.any(axis=1).sum()


def test_too_few_speakers_are_refused(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "one.wav", 16_000, np.zeros(16_000, dtype=np.int16))
    with pytest.raises(SystemExit, match="14 needed"):
        train(tmp_path, "campplus", conversations=1, seed=0)


def test_reliability_counts_the_right_ones_of_each_ten_points() -> None:
    judged = Judged(np.array([5, 5, 95, 100]), np.array([False, True, True, True]))
    assert list(reliability(judged)) == [(0, 50, 5, 50), (90, 50, 97.5, 100)]
    assert calibration_error(judged) == pytest.approx((45 + 2.5) / 2)
    assert auroc(judged) == pytest.approx((0.5 + 1 + 1) / 3)
