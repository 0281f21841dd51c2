import numpy as np
import pytest

from audio_engine.backends.embedded.overlap import SMALL_LEAD, overlap_mask, second_speakers, with_nearness

FRAMES = 50


@pytest.fixture
def speech() -> np.ndarray:
    return np.ones(FRAMES, dtype=bool)


def heard(posterior: float, lead: float) -> np.ndarray:
    return with_nearness(np.full(FRAMES, posterior, dtype=np.float32), np.full(FRAMES, lead, dtype=np.float32))


def test_the_second_speaker_is_the_best_but_the_first_with_the_first_ones_lead() -> None:
    scores = np.array([[0.9, 0.2, 0.5], [0.1, 0.7, 0.3]], dtype=np.float32)
    second, lead = second_speakers(scores, np.array([0, 1]))
    np.testing.assert_array_equal(second, [2, 2])
    np.testing.assert_allclose(lead, [0.4, 0.4], rtol=1e-6)


def test_a_first_speaker_whom_only_the_path_chose_has_no_lead() -> None:
    second, lead = second_speakers(np.array([[0.2, 0.6]], dtype=np.float32), np.array([0]))
    assert second[0] == 1
    assert lead[0] == pytest.approx(-0.4)


def test_an_unsure_overlap_counts_where_the_second_voice_is_near(speech: np.ndarray) -> None:
    assert not overlap_mask(np.full(FRAMES, 0.35, dtype=np.float32), speech).any()
    assert overlap_mask(heard(0.35, lead=0.1), speech).all()


def test_a_likely_overlap_does_not_count_where_no_second_voice_is_near(speech: np.ndarray) -> None:
    assert overlap_mask(np.full(FRAMES, 0.6, dtype=np.float32), speech).all()
    assert not overlap_mask(heard(0.6, lead=1.0), speech).any()


def test_a_voice_that_leads_as_usual_leaves_the_posteriors_as_they_are() -> None:
    np.testing.assert_allclose(heard(0.45, SMALL_LEAD), 0.45, rtol=1e-6)


def test_overlap_is_nowhere_where_nobody_speaks() -> None:
    assert not overlap_mask(heard(1.0, lead=0.0), np.zeros(FRAMES, dtype=bool)).any()
