"""The chain of voices, on numbers small enough to count by hand or by trying all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from audio_engine.backends.embedded.embeddings import GRID, EncoderName
from audio_engine.backends.embedded.vbx import (
    LEAST_WINDOWS,
    LENIENCE,
    choice,
    forward_backward,
    merged,
    voices,
)
from audio_engine.backends.embedded.voice_space import VoiceSpace, shipped_space

DIMENSIONS = 8


@pytest.fixture
def space() -> VoiceSpace:
    """Its directions are the inputs themselves; voices are far apart along all of them."""
    inputs = np.eye(DIMENSIONS, dtype=np.float32)
    return VoiceSpace(
        np.zeros(DIMENSIONS, np.float32), inputs, np.full(DIMENSIONS, 9.0, np.float32), np.full(1, 8.0, np.float32)
    )


def talk(turns: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Windows, shape (windows, DIMENSIONS), of `turns` (voice, windows), and whose they are."""
    generator = np.random.default_rng(3)
    centres = 3 * generator.standard_normal((10, DIMENSIONS))
    whose = np.repeat(*np.array(turns).T)
    return centres[whose] + generator.standard_normal((len(whose), DIMENSIONS)), whose


def of_one_kind(found: np.ndarray, whose: np.ndarray) -> bool:
    return len(set(zip(found.tolist(), whose.tolist(), strict=True))) == len(set(whose.tolist())) == found.max() + 1


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_voices_are_counted_and_told_apart(space: VoiceSpace, speakers: int) -> None:
    vectors, whose = talk([(turn % speakers, 12) for turn in range(8)])
    found = voices(vectors, GRID * np.arange(len(vectors)), space, 1, 10)
    assert of_one_kind(found, whose)


def test_a_voice_of_few_windows_is_given_to_others(space: VoiceSpace) -> None:
    vectors, whose = talk([(0, 30), (1, 30), (2, LEAST_WINDOWS - 1), (0, 20)])
    found = voices(vectors, GRID * np.arange(len(vectors)), space, 1, 10)
    assert of_one_kind(found[whose < 2], whose[whose < 2])


def test_many_windows_of_a_voice_make_no_more_voices_than_few(space: VoiceSpace) -> None:
    vectors, whose = talk([(turn % 3, 40) for turn in range(36)])
    assert of_one_kind(voices(vectors, GRID * np.arange(len(vectors)), space, 1, 10), whose)


@pytest.mark.parametrize("windows", [LEAST_WINDOWS - 2, 30])
def test_a_third_voice_is_found_where_there_must_be_one_however_little_it_says(space: VoiceSpace, windows: int) -> None:
    vectors, whose = talk([(0, 30), (1, 30), (2, windows), (0, 20)])
    assert of_one_kind(voices(vectors, GRID * np.arange(len(vectors)), space, 3, 3), whose)


def test_of_too_many_voices_a_splinter_goes_before_a_voice() -> None:
    points = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.5]], [20, 20, 2], axis=0)
    labels = np.repeat([0, 1, 2], [20, 20, 2])
    assert np.bincount(merged(labels, points, 2)).tolist() == [22, 20]
    assert np.bincount(merged(labels, points, 3)).tolist() == [20, 20, 2]


def test_more_voices_are_taken_where_they_cost_little_and_not_where_they_cost_much() -> None:
    one, two, three = (np.arange(6) % voices for voices in (1, 2, 3))
    assert choice([(one, 0.0), (two, -LENIENCE / 2)]) is two
    assert choice([(one, 0.0), (two, -2 * LENIENCE)]) is one
    assert choice([(three, -1000.0), (one, -1200.0), (two, -1010.0)]) is three


def test_responsibilities_and_likelihood_are_those_of_all_paths() -> None:
    generator = np.random.default_rng(1)
    scores, stay = generator.standard_normal((5, 3)), np.array([0.8, 0.5, 0.0, 0.9])
    weight = np.array([0.5, 0.3, 0.2])
    share, drawn, likelihood = forward_backward(scores, weight, stay)
    expected, total = np.zeros_like(share), 0.0
    for path in itertools.product(range(3), repeat=5):
        chance = weight[path[0]] * np.exp(scores[range(5), path].sum())
        for window, kept in enumerate(stay):
            chance *= kept * (path[window] == path[window + 1]) + (1 - kept) * weight[path[window + 1]]
        expected[range(5), path] += chance
        total += chance
    assert share == pytest.approx(expected / total)
    assert likelihood == pytest.approx(np.log(total))
    assert drawn.sum() == pytest.approx(1)


def test_windows_far_apart_in_time_say_nothing_of_each_other() -> None:
    scores = np.log(np.array([[0.9, 0.1], [0.4, 0.6]]))
    share, _, _ = forward_backward(scores, np.array([0.5, 0.5]), np.zeros(1))
    assert share == pytest.approx(np.exp(scores))


@pytest.mark.parametrize(("encoder", "inputs"), [("campplus", 192), ("ge2e", 2 * 256)])
def test_the_shipped_spaces_are_of_their_encoders_embeddings(encoder: EncoderName, inputs: int) -> None:
    shipped = shipped_space(encoder)
    assert shipped.directions.shape == (inputs, len(shipped.between))
    assert (shipped.between > 0).all()
    assert shipped.between[0] == shipped.between.max()
