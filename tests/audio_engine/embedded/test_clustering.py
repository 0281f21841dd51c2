"""Counting and grouping of voices, on embeddings whose speakers are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from audio_engine.backends.embedded.clustering import LARGEST_SAMPLE, cluster, sample_rows
from audio_engine.backends.embedded.embeddings import GRID
from audio_engine.backends.embedded.voice_space import shipped_space
from audio_engine.types import SpeakerBounds

SCALES, DIMENSIONS = 2, 256
SPACE = shipped_space("ge2e")


def voices(speakers: int, windows_each: int, spread: float = 0.6) -> tuple[npt.NDArray[np.float32], npt.NDArray]:
    """Windows of so many voices, shape (windows, scales, 256), and whose they are."""
    generator = np.random.default_rng(speakers)
    centres = generator.standard_normal((speakers, SCALES, DIMENSIONS))
    whose = np.repeat(np.arange(speakers), windows_each)
    vectors = centres[whose] + spread * generator.standard_normal((len(whose), SCALES, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32), whose


def on_the_grid(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return GRID * np.arange(len(vectors))


def found_among(speakers: int, windows_each: int, bounds: SpeakerBounds) -> int:
    vectors, _ = voices(speakers, windows_each)
    return len(cluster(vectors, on_the_grid(vectors), bounds, SPACE))


def nearest(vectors: npt.NDArray[np.float32], centroids: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return np.einsum("nsd,ksd->nk", vectors, centroids).argmax(axis=1)


@pytest.mark.parametrize("speakers", [2, 3, 5])
def test_well_separated_voices_are_counted_and_told_apart(speakers: int) -> None:
    vectors, whose = voices(speakers, 40)
    found = cluster(vectors, on_the_grid(vectors), SpeakerBounds(), SPACE)
    assert len(found) == speakers
    labels = nearest(vectors, found.centroids)
    assert all(len(set(labels[whose == speaker])) == 1 for speaker in range(speakers))


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        (SpeakerBounds(exact=2), 2),
        (SpeakerBounds(exact=6), 6),
        (SpeakerBounds(maximum=3), 3),
        (SpeakerBounds(exact=1), 1),
    ],
)
def test_a_number_of_speakers_asked_for_is_honoured(bounds: SpeakerBounds, count: int) -> None:
    assert found_among(4, 30, bounds) == count


def test_a_minimum_is_honoured() -> None:
    assert found_among(2, 40, SpeakerBounds(minimum=3)) >= 3


@pytest.mark.parametrize("windows", [1, 2, 5])
def test_very_few_windows_give_no_more_speakers_than_windows(windows: int) -> None:
    assert 1 <= found_among(1, windows, SpeakerBounds(exact=8)) <= windows


def test_the_sample_of_a_long_recording_is_bounded_and_spread_over_it() -> None:
    rows = sample_rows(np.ones(40_000, dtype=np.float32))
    assert len(rows) == LARGEST_SAMPLE
    assert rows[0] == 0
    assert rows[-1] == 39_999


def test_clustering_twice_gives_the_same_bytes() -> None:
    vectors = voices(4, 30)[0]
    assert (
        cluster(vectors, on_the_grid(vectors), SpeakerBounds(), SPACE).centroids.tobytes()
        == cluster(vectors, on_the_grid(vectors), SpeakerBounds(), SPACE).centroids.tobytes()
    )


@pytest.mark.parametrize("times", [3, 10])
def test_a_recording_that_is_played_again_and_again_has_no_more_voices_than_once(times: int) -> None:
    vectors, _ = voices(2, 30)
    generator = np.random.default_rng(0)
    again = np.concatenate([vectors + 0.005 * generator.standard_normal(vectors.shape) for _ in range(times)])
    assert len(cluster(again.astype(np.float32), on_the_grid(again), SpeakerBounds(), SPACE)) == 2
