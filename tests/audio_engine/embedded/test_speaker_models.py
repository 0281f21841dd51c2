from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio_engine.backends.embedded.level import frame_levels, gain_curve
from audio_engine.backends.embedded.speaker_models import BLOCK_FRAMES, CEPSTRA, SMOOTHING, SpeakerModels, cepstra

TURN = 200  # frames: 2 s
LATE = 60  # frames by which the first labels miss each change


@pytest.fixture
def spoken() -> np.ndarray:
    """Who of two speaks in each frame: in turn."""
    return (np.arange(60 * TURN) // TURN) % 2


@pytest.fixture
def features(spoken: np.ndarray) -> np.ndarray:
    """As different as two voices are: much less than one voice's sounds are from each other."""
    generator = np.random.default_rng(0)
    sounds = generator.standard_normal((5, 2 * CEPSTRA)) * 3
    voices = generator.standard_normal((2, 2 * CEPSTRA)) * 0.5
    rows = sounds[generator.integers(0, 5, len(spoken))] + voices[spoken]
    return (rows + generator.standard_normal(rows.shape)).astype(np.float16)


def test_changes_are_heard_where_they_are_though_the_labels_learnt_from_are_late(
    features: np.ndarray, spoken: np.ndarray
) -> None:
    late = np.roll(spoken, LATE)
    models = SpeakerModels.of(features, [np.flatnonzero(late == speaker) for speaker in (0, 1)])
    assert models is not None
    heard = models.ratios(features, 0, len(features)).argmax(axis=1)
    assert np.mean(late == spoken) == pytest.approx(1 - LATE / TURN)
    assert np.mean(heard == spoken) > 1 - 0.2 * LATE / TURN


def test_where_blocks_are_cut_changes_nothing(features: np.ndarray, spoken: np.ndarray) -> None:
    models = SpeakerModels.of(features, [np.flatnonzero(spoken == speaker) for speaker in (0, 1)])
    assert models is not None
    whole = models.ratios(features, 0, len(features))
    np.testing.assert_allclose(models.ratios(features, 400, 600), whole[400:600], atol=1e-4)
    np.testing.assert_allclose(models.ratios(features, 11_900, 12_000), whole[11_900:], atol=1e-4)


def test_who_has_hardly_spoken_has_no_model_and_neither_has_a_recording_of_a_moment(features: np.ndarray) -> None:
    models = SpeakerModels.of(features, [np.arange(1000), np.arange(1000, 1020)])
    assert models is not None
    ratios = models.ratios(features, 0, 2000)
    assert ratios[:, 0].any()
    assert not ratios[:, 1].any()
    assert SpeakerModels.of(features, [np.arange(24), np.arange(40, 60)]) is None


def test_cepstra_do_not_depend_on_level_or_blocks_and_are_left_out_where_nobody_speaks(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal(16_000 * 130).astype(np.float32) * 0.01
    speech = np.ones(100 * 130, dtype=bool)
    speech[2 * BLOCK_FRAMES :] = False

    def of(signal: np.ndarray) -> np.ndarray:
        return np.array(cepstra(signal, gain_curve(frame_levels(signal)), speech, tmp_path))

    whole, louder, later = of(samples), of(10 * samples), of(samples[160_000:])
    assert whole.shape == (len(speech), 2 * CEPSTRA)
    assert not whole[2 * BLOCK_FRAMES :].any()
    inside = slice(SMOOTHING, 2 * BLOCK_FRAMES)
    np.testing.assert_allclose(louder[inside], whole[inside], atol=0.02)
    np.testing.assert_allclose(later[4800:5200], whole[5800:6200], atol=0.05)  # across the border of a block
