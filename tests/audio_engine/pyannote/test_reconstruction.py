"""Who speaks when, and how far voices are from each other, as pyannote.audio and SciPy have it."""

from __future__ import annotations

import numpy as np
import pytest
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import SlidingWindow, SlidingWindowFeature
from scipy.spatial.distance import pdist

from audio_engine.backends.pyannote import clustering
from audio_engine.backends.pyannote.pipelines import FastSpeakerDiarization

WINDOWS, FRAMES = 300, 50  # more windows than are taken in one go
STEP, FRAME = 0.1, 0.02  # seconds
THEIRS = SpeakerDiarization.__new__(SpeakerDiarization)
OURS = FastSpeakerDiarization.__new__(FastSpeakerDiarization)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(11)


def talk(random: np.random.Generator, frames: int, speakers: int) -> np.ndarray:
    """Turns of some frames, shape (frames, speakers)."""
    changes = random.random((frames, speakers)) < 0.1
    return (np.cumsum(changes, axis=0) % 2).astype(np.float32)


def over_time(data: np.ndarray) -> SlidingWindowFeature:
    return SlidingWindowFeature(data, SlidingWindow(start=0.0, duration=0.03, step=FRAME))


@pytest.mark.parametrize("soft", [False, True])
def test_speakers_of_windows_become_those_of_the_recording_as_pyannote_has_it(random: np.random.Generator, soft: bool):
    activity = talk(random, WINDOWS * FRAMES, 3).reshape(WINDOWS, FRAMES, 3)
    if soft:
        activity *= random.random(activity.shape, dtype=np.float32)
    clusters = random.integers(0, 4, (WINDOWS, 3)).astype(np.int8)  # often two of a window are one
    clusters[random.random((WINDOWS, 3)) < 0.2] = -2
    windows = SlidingWindowFeature(activity, SlidingWindow(start=0.0, duration=FRAMES * FRAME, step=STEP))
    count = SpeakerDiarization.speaker_count(windows, SlidingWindow(0.03, FRAME, 0.0), warm_up=(0.0, 0.0))
    theirs, ours = (each.reconstruct(windows, clusters, count) for each in (THEIRS, OURS))
    assert set(np.unique(theirs.data)) == {0, 1}
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert ours.sliding_window[0] == theirs.sliding_window[0]
    assert ours.sliding_window[7] == theirs.sliding_window[7]


@pytest.mark.parametrize("longest_gap", [0.0, 0.1])
@pytest.mark.parametrize("frames", [1, 2, 2000])
def test_turns_are_those_that_pyannote_reads_off_frames(random: np.random.Generator, frames: int, longest_gap: float):
    active = talk(random, frames + 40, 3)[40:]
    active[:, 1] = 0
    active[0, 0] = active[-1, 2] = 1
    if frames == 1:  # of which pyannote.audio makes nothing if nobody speaks in it, and else an error
        active[:] = 0
    theirs, ours = (each.to_annotation(over_time(active), min_duration_off=longest_gap) for each in (THEIRS, OURS))
    assert list(ours.itertracks(yield_label=True)) == list(theirs.itertracks(yield_label=True))
    assert bool(ours) is (frames > 1)
    assert len(ours) > 100 or frames < 2000


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1100])
def test_distances_are_those_of_scipy(random: np.random.Generator, count: int):
    rows = random.standard_normal((count, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = clustering.distances(rows)
    assert found.shape == (count * (count - 1) // 2,)
    if count > 1:
        np.testing.assert_allclose(found, pdist(rows), rtol=0, atol=1e-13)
    same = clustering.distances(np.repeat(rows[:1], 3, axis=0))
    np.testing.assert_allclose(same, 0, atol=1e-7)
