from __future__ import annotations

import itertools

import numpy as np
import pytest

from audio_engine.backends.embedded.activity import Activity, halved, runs
from audio_engine.backends.embedded.clustering import Clusters
from audio_engine.backends.embedded.embeddings import GRID, Windows
from audio_engine.backends.embedded.labelling import NOBODY, label
from audio_engine.backends.embedded.resegmentation import STRETCH, frame_scores, viterbi
from audio_engine.backends.embedded.speaker_models import CEPSTRA

PENALTY = 1.0
MIDDLE = np.array([[1.0, 0.0], [0.0, 1.0]])  # two voices


def worth(scores: np.ndarray, path: np.ndarray) -> float:
    own = scores[np.arange(len(path)), path].astype(np.float64)
    return float(own.sum() - PENALTY * np.count_nonzero(np.diff(path)))


def frame_by_frame(scores: np.ndarray) -> float:
    """What the best path is worth, by the recursion as it is usually written."""
    total = scores[0].astype(np.float64)
    for row in scores[1:]:
        total = np.maximum(total, total.max() - PENALTY) + row
    return float(total.max())


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_no_sequence_of_columns_is_better_than_the_path(random: np.random.Generator, columns: int) -> None:
    scores = random.standard_normal((7, columns)).astype(np.float32)
    best = max(worth(scores, np.array(path)) for path in itertools.product(range(columns), repeat=7))
    assert worth(scores, viterbi(scores, PENALTY)) == pytest.approx(best)


@pytest.mark.parametrize("frames", [1, STRETCH - 1, STRETCH, STRETCH + 1, 7 * STRETCH + 3])
def test_where_stretches_end_the_path_is_as_good_as_without_them(random: np.random.Generator, frames: int) -> None:
    scores = random.standard_normal((frames, 5)).astype(np.float32) / 3
    path = viterbi(scores, PENALTY)
    assert path.shape == (frames,)
    assert worth(scores, path) == pytest.approx(frame_by_frame(scores))


def test_a_change_costs_more_than_a_short_advantage_is_worth() -> None:
    scores = np.tile(np.array([0.1, 0.0], dtype=np.float32), (3 * STRETCH, 1))
    scores[STRETCH - 10 : STRETCH + 10, 1] = 0.19  # 1.8 more in all; to go there and back costs 2
    assert not viterbi(scores, PENALTY).any()
    scores[STRETCH - 10 : STRETCH + 10, 1] = 0.21
    assert runs(viterbi(scores, PENALTY) == 1) == [(STRETCH - 10, STRETCH + 10)]


def test_scores_lie_on_a_line_between_the_windows_centres() -> None:
    windows = of(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([20, 60]))
    scores = frame_scores(windows, Clusters(np.array([[[1.0, 0.0]]])), 0, 80)[:, 0]
    assert scores[[10, 30, 70]] == pytest.approx([1, 1 - 10.5 / 40, 0])


def of(vectors: np.ndarray, centres: np.ndarray) -> Windows:
    alone = np.ones(len(centres), dtype=np.float32)
    return Windows(centres, alone, vectors[:, None].astype(np.float16), (150,))


def test_a_change_of_speakers_is_found_to_10_ms_by_what_the_cepstra_say(random: np.random.Generator) -> None:
    """The embeddings' windows are 0.4 s apart, and hear the change from a second away."""
    frames, change = 6000, 2987
    spoken = (np.arange(frames) >= change).astype(int)
    centres = np.arange(GRID // 2, frames, GRID)
    late = np.clip((centres - change) / 150 + 0.5, 0, 1)[:, None]
    windows = of((1 - late) * MIDDLE[0] + late * MIDDLE[1], centres)
    voices = random.standard_normal((2, 2 * CEPSTRA))
    features = (voices[spoken] + random.standard_normal((frames, 2 * CEPSTRA))).astype(np.float16)
    speech, overlap = np.ones(frames, dtype=bool), np.zeros(frames // 2, np.float32)
    labelling = label(windows, Clusters(MIDDLE[:, None]), features, speech, overlap, lambda _: None)
    assert runs(labelling.first == labelling.first[-1])[0][0] == pytest.approx(change, abs=1)
    assert set(labelling.second) == {NOBODY}
    assert labelling.support.shape == (frames // 2, 2)


def test_speech_begins_and_ends_on_frames_half_as_long() -> None:
    speech = np.array([0.0] * 50 + [0.3] + [1.0] * 50 + [0.2] + [0.0] * 50, dtype=np.float32)
    heard = Activity(speech, 1 - speech, onset=0.4, offset=0.4)
    assert runs(heard.finer_mask()) == [(101, 202)]  # the frame of 0.3 rises from 0.225 to 0.475
    np.testing.assert_allclose(halved(speech)[100:104], [0.225, 0.475, 0.825, 1.0])
    np.testing.assert_allclose(halved(speech)[[0, -1]], speech[[0, -1]])
    assert halved(np.array([0.5], dtype=np.float32)).tolist() == [0.5, 0.5]


def test_pauses_and_stretches_of_speech_are_as_long_as_before_on_finer_frames() -> None:
    speech = np.ones(200, dtype=np.float32)
    speech[100:112] = 0  # 240 ms: not a pause
    assert Activity(speech, 1 - speech).finer_mask().all()
    speech[100:120] = 0
    assert len(runs(Activity(speech, 1 - speech).finer_mask())) == 2
