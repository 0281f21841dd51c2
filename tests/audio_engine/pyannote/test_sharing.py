"""One pass of the embedding network over many windows, against a pass over each, on small random networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyannote.core import SlidingWindow, SlidingWindowFeature

from audio_engine.backends import pyannote as backends
from audio_engine.backends.pyannote import pipelines, sharing
from audio_engine.backends.pyannote.batching import Windows
from audio_engine.backends.pyannote.blocks import Blocks
from audio_engine.backends.pyannote.diarizer import Mode
from audio_engine.backends.pyannote.loading import load_pipeline
from audio_engine.memory import Samples
from audio_engine.models import MODELS
from audio_engine.types import Diarization

COMMUNITY = MODELS["speaker-diarization-community-1"]
WINDOW, STEP = 2.0, 0.2  # seconds, of the small networks
MEL, FRAME = 0.01, 0.08  # seconds
Run = Callable[..., Diarization]


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "fast_bf16", lambda _: False)


@pytest.fixture(scope="module")
def loaded(tiny_models: Path) -> Iterator[dict[Mode, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOLOIST_MODELS_DIR", str(tiny_models))
        modes: tuple[Mode, ...] = ("fast", "shared")
        yield {mode: load_pipeline(COMMUNITY, mode) for mode in modes}


@pytest.fixture
def fast(loaded: dict[Mode, Any]) -> Any:
    return loaded["fast"]


@pytest.fixture
def shared(loaded: dict[Mode, Any]) -> Any:
    return loaded["shared"]


def file_of(pcm: Samples) -> dict[str, Any]:
    return {"waveform": torch.from_numpy(pcm)[None], "sample_rate": 16_000, "uri": "recording"}


def embeddings_of_one_block(model: Any, pcm: Samples, activity: np.ndarray) -> np.ndarray:
    """By the definition, a window and a speaker at a time."""
    with torch.inference_mode():
        mels = model._fbank(torch.from_numpy(pcm)[None] * 2**15).numpy()
        span, hop = round(WINDOW / MEL) - 2, round(STEP / MEL)  # the last 25 ms have no room for more
        starts = hop * np.arange(len(activity))
        means = np.stack([mels[start : start + span].mean(axis=0) for start in starts])
        inside = [(starts <= place) & (place < starts + span) for place in range(len(mels))]
        centred = mels - np.stack([means[windows].mean(axis=0) for windows in inside])
        frames = model.resnet.forward_frames(torch.from_numpy(centred)[None])[0].flatten(0, 1).numpy()
    times = np.arange(frames.shape[1]) * FRAME
    found = np.empty((*activity.shape[::2], model.dimension), dtype=np.float32)
    for window, speaker in np.ndindex(*activity.shape[::2]):
        since = np.round(times - window * STEP, 6)
        inside = np.flatnonzero((since >= 0) & (since < WINDOW))
        said = activity[window, (since[inside] / WINDOW * activity.shape[1]).astype(int), speaker]
        pooled = model.resnet.pool(
            torch.from_numpy(frames[None, :, None, inside]), weights=torch.from_numpy(said[None].astype(np.float32))
        )
        found[window, speaker] = model.resnet.seg_1(pooled)[0].detach().numpy()
    return found


def test_a_block_of_one_window_has_the_embeddings_of_that_window(heard: Samples, fast, shared, monkeypatch):
    monkeypatch.setattr(sharing, "MOST_WINDOWS", 1)
    file = file_of(heard)
    activity = fast.get_segmentations(file)
    activity.data[3] = 0  # nobody speaks
    for exclude_overlap in (True, False):
        each = fast.get_embeddings(file, activity, exclude_overlap)
        assert np.abs(each).max() > 1
        np.testing.assert_allclose(shared.get_embeddings(file, activity, exclude_overlap), each, atol=1e-4)


def test_the_windows_of_a_block_take_from_one_pass_what_is_theirs(heard: Samples, shared, monkeypatch):
    monkeypatch.setattr(sharing, "MOST_WINDOWS", 11)
    file = file_of(heard)
    activity = shared.get_segmentations(file)
    assert len(activity.data) == 11
    found = shared.get_embeddings(file, activity)
    expected = embeddings_of_one_block(shared._embedding.model_, heard, activity.data)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_part_of_a_recording_goes_through_the_network_about_twice(heard: Samples, shared, monkeypatch):
    passed: list[int] = []
    backbone = shared._embedding.model_.resnet.forward_frames

    def noted(features: torch.Tensor) -> torch.Tensor:
        passed.append(features.shape[0] * features.shape[1])
        return backbone(features)

    monkeypatch.setattr(shared._embedding.model_.resnet, "forward_frames", noted)
    long = np.tile(heard, 5)
    shared.get_embeddings(file_of(long), everybody_for_20_seconds())
    assert 1.8 * len(long) / 160 <= sum(passed) < 2.2 * len(long) / 160  # where each window has it 10 times
    assert len(set(passed)) == 1  # one shape


def test_blocks_are_heard_one_by_one_where_memory_is_too_small_for_two(heard: Samples, shared, monkeypatch):
    monkeypatch.setattr(sharing, "MOST_WINDOWS", 50)
    backbone, tried = shared._embedding.model_.resnet.forward_frames, []

    def crowded(features: torch.Tensor) -> torch.Tensor:
        tried.append(len(features))
        if len(features) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return backbone(features)

    file = file_of(np.tile(heard, 5))
    alone = shared.get_embeddings(file, everybody_for_20_seconds())
    monkeypatch.setattr(shared._embedding.model_.resnet, "forward_frames", crowded)
    monkeypatch.setattr(shared, "embedding_batch_size", 2)
    assert np.array_equal(shared.get_embeddings(file, everybody_for_20_seconds()), alone)
    assert tried == [2, 1, 1]
    vars(shared).pop("_shared_within_memory")  # which remembers it


def test_only_who_speaks_in_a_window_is_pooled_and_the_others_are_as_if_they_were(heard: Samples, shared, monkeypatch):
    monkeypatch.setattr(sharing, "MOST_WINDOWS", 11)
    activity = shared.get_segmentations(file_of(heard))
    activity.data[:, :, 2] = 0
    activity.data[4, :, 1] = 0
    activity.data[7] = 0
    speaking = (activity.data > 0).any(axis=1)
    pooled: list[int] = []
    network = shared._embedding.model_
    pool = network.forward_embedding

    def noted(frames: torch.Tensor, weights: torch.Tensor) -> Any:
        pooled.append(len(frames))
        return pool(frames, weights=weights)

    expected = embeddings_of_one_block(network, heard, activity.data)
    monkeypatch.setattr(network, "forward_embedding", noted)
    vars(shared).pop("_nobody", None)
    found = shared.get_embeddings(file_of(heard), activity)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert 0 < speaking.sum() < speaking.size
    assert sum(pooled) == speaking.sum() + 1  # one for who says nothing


def everybody_for_20_seconds() -> SlidingWindowFeature:
    everybody = np.ones((91, 12, 3), dtype=np.float32)
    return SlidingWindowFeature(everybody, SlidingWindow(start=0, duration=WINDOW, step=STEP))


def test_sharing_finds_people_who_speak_when_the_other_modes_say(models: Path, heard: Samples, run: Run):
    fast, shared = run(backends.fast()), run(backends.shared())
    assert shared.speakers >= 1
    assert [covered(shared), shared.models] == [covered(fast), fast.models]
    assert shared == run(backends.shared())
    named = {voice.model for found in (fast, shared) for voice in found.voiceprints if voice}
    assert len(named) == 1  # so that they can be compared


def covered(found: Diarization) -> list[tuple[float, float]]:
    """Where anybody speaks."""
    spans: list[list[float]] = []
    for turn in sorted(found.turns, key=lambda turn: turn.start):
        if spans and turn.start <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], turn.end)
        else:
            spans.append([turn.start, turn.end])
    return [(round(start, 3), round(end, 3)) for start, end in spans]


@pytest.mark.parametrize("seconds", [0.02, 0.5, 2.0])
def test_a_recording_of_one_window_or_less_is_the_same_in_both_modes(heard: Samples, fast, shared, seconds: float):
    file = file_of(heard[: round(seconds * 16_000)])
    activity = fast.get_segmentations(file)
    assert len(activity.data) == 1
    np.testing.assert_allclose(shared.get_embeddings(file, activity), fast.get_embeddings(file, activity), atol=1e-4)


# --- blocks


def blocks(count: int, total: int) -> Blocks:
    pcm = torch.zeros((1, round((10 + (total - 1)) * 16_000)))
    windows = Windows(pcm, 16_000, 160_000, 1.0)
    assert len(windows) == total
    return Blocks.over(windows, count, FRAME, 125)


@pytest.mark.parametrize("total", [1, 20, 49, 50, 51, 120])
def test_blocks_have_all_windows_and_none_beyond_the_last(total: int):
    made = blocks(50, total)
    firsts = made.firsts(np.arange(total), total)
    numbers = (firsts[:, None] + np.arange(made.count)).ravel()
    assert set(numbers) == set(range(total))
    assert len(firsts) == math.ceil(total / 50)


def test_no_block_is_made_for_windows_that_nobody_speaks_in():
    made = blocks(50, 1000)
    assert list(made.firsts(np.array([3, 4, 52, 53, 400, 990]), 1000)) == [3, 53, 400, 950]
    assert list(made.firsts(np.array([], dtype=np.intp), 1000)) == []


def test_a_window_between_two_frames_takes_those_that_lie_in_it():
    made = blocks(50, 120)  # windows start every 12.5 frames
    places = made.places()
    assert list(places[:4, 0]) == [0, 13, 25, 38]
    assert list(places[:4, -1]) == [124, 137, 149, 162]
    masks = np.broadcast_to(np.arange(589.0, dtype=np.float32)[:, None], (1, 50, 589, 1))
    heard = made.sampled(masks)[0, :, :, 0]
    assert list(heard[0, :3]) == [0, 4, 9]  # as the nearest of 589 is taken for each of 125
    assert list(heard[1, :3]) == [2, 7, 11]
    assert heard[1, -1] == 586  # 9.96 s after the start of the window


def test_from_a_frame_goes_the_mean_of_the_means_of_the_windows_that_it_is_in():
    values = np.random.default_rng(1).normal(size=(2, 31, 3)).astype(np.float32)
    found = sharing.mean_of_means(torch.from_numpy(values), 10, 5).numpy()
    means = np.stack([values[:, start : start + 10].mean(axis=1) for start in range(0, 21, 5)])
    for place, windows in [(0, [0]), (4, [0]), (5, [0, 1]), (12, [1, 2]), (24, [3, 4]), (29, [4])]:
        np.testing.assert_allclose(found[:, place], means[windows].mean(axis=0), atol=1e-6)
    assert not found[:, 30].any()  # in none
