"""What goes to a GPU and comes back, counted on one that is pretended."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audio_engine.backends.devices import WithinMemory
from audio_engine.backends.pyannote import pipelines
from audio_engine.backends.pyannote.batching import SILENT, Windows
from audio_engine.backends.pyannote.diarizer import Mode
from audio_engine.backends.pyannote.loading import load_pipeline
from audio_engine.memory import Samples
from audio_engine.models import MODELS
from audio_engine.types import SpeakerBounds
from tests.audio_engine.pretended_gpu import GPU, PretendedGpu, pretended

COMMUNITY = MODELS["speaker-diarization-community-1"]
BESIDE = 1 << 20  # bytes for what is no waveform: masks, filters, constants


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "fast_bf16", lambda _: False)


def found_by(pipeline: Any, pcm: Samples) -> Any:
    with warnings.catch_warnings():  # as the backend does, of precision
        warnings.simplefilter("ignore")
        return pipeline.run(pcm, 16_000, SpeakerBounds(), None)


@pytest.fixture(scope="module")
def on_cpu(tiny_models: Path, heard: Samples) -> dict[Mode, Any]:
    """What each mode finds there; `fast` finds what `exact` does."""
    modes: tuple[Mode, ...] = ("fast", "shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOLOIST_MODELS_DIR", str(tiny_models))
        patch.setattr(pipelines, "fast_bf16", lambda _: False)
        found = {mode: found_by(load_pipeline(COMMUNITY, mode), heard) for mode in modes}
    return found | {"exact": found["fast"]}


@pytest.mark.parametrize(("mode", "embedded"), [("exact", 32), ("fast", 6), ("shared", 2)])
def test_on_a_gpu_is_found_what_is_found_on_the_cpu_and_the_recording_goes_there_about_once_for_each_network(
    models: Path, heard: Samples, on_cpu: dict[Mode, Any], mode: Mode, embedded: int
):
    with pretended() as gpu:  # which refuses what mixes devices
        pipeline = load_pipeline(COMMUNITY, mode)
        assert pipeline.device.type == "cuda"
        pipeline.segmentation_batch_size, pipeline.embedding_batch_size = 6, embedded
        gpu.reset()
        found = found_by(pipeline, heard)
    expected = on_cpu[mode]
    assert found.speaker_diarization == expected.speaker_diarization
    assert found.exclusive_speaker_diarization == expected.exclusive_speaker_diarization
    np.testing.assert_allclose(found.speaker_embeddings, expected.speaker_embeddings, atol=1e-4)
    times = gpu.up / heard.nbytes
    assert times > 20 if mode == "exact" else 2 < times < 4  # masks and filters included


@pytest.fixture(scope="module")
def on_gpu(tiny_models: Path) -> Iterator[tuple[Any, PretendedGpu]]:
    with pytest.MonkeyPatch.context() as patch, pretended() as gpu:
        patch.setenv("SOLOIST_MODELS_DIR", str(tiny_models))
        yield load_pipeline(COMMUNITY, "fast"), gpu


def test_the_gpu_is_waited_for_no_more_often_for_more_speakers(on_gpu: tuple[Any, PretendedGpu], heard: Samples):
    pipeline, gpu = on_gpu
    batch = Windows(torch.from_numpy(heard)[None], 16_000, 32_000, 0.2).take(np.arange(8), 8)
    waits = []
    for speakers in (1, 3):
        masks = np.zeros((8, 120, 3), dtype=np.float32)
        masks[:, :, :speakers] = 1
        masks[5, :, 0] = 0
        pipeline._embed(batch, masks)  # what is made once
        gpu.reset()
        pipeline._embed(batch, masks)
        waits.append(gpu.waits)
    assert waits[0] == waits[1]


def test_a_gpu_is_told_to_do_no_more_for_more_windows(on_gpu: tuple[Any, PretendedGpu], heard: Samples):
    pipeline, gpu = on_gpu
    windows = Windows(torch.from_numpy(heard)[None], 16_000, 32_000, 0.2)
    told = []
    for count in (2, 8):
        gpu.reset()
        pipeline._embed(windows.take(np.arange(count), count), np.ones((count, 120, 3), dtype=np.float32))
        told.append(gpu.operations)
    assert told[0] == told[1] > 50


@pytest.mark.parametrize("bf16", [False, True])
def test_convolutions_have_the_channels_innermost_where_a_gpu_multiplies_half_the_bits(
    models: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool
):
    monkeypatch.setattr(pipelines, "fast_bf16", lambda _: bf16)
    with warnings.catch_warnings(), pretended():
        warnings.simplefilter("ignore")  # that there is no GPU
        pipeline = load_pipeline(COMMUNITY, "fast")
        weights = pipeline._embedding.model_.resnet.layer2[0].conv2.weight
        assert weights.device == GPU
        assert weights.content.is_contiguous(memory_format=torch.channels_last) is bf16


# --- windows


def cut(pcm: Samples, number: int) -> np.ndarray:
    """By the definition: window `number` of 10 samples each third of a second, at 12 Hz."""
    part = pcm[4 * number : 4 * number + 10]
    return np.pad(part, (0, 10 - len(part)))


@pytest.mark.parametrize("numbers", [[0], [0, 1, 2], [1, 4, 5, 9], [7, 8, 9], [9], []])
def test_windows_are_cut_where_they_are_needed_from_what_was_sent_once(numbers: list[int]):
    pcm = np.arange(1, 44, dtype=np.float32)
    windows = Windows(torch.from_numpy(pcm)[None], 12, 10, 1 / 3)
    assert len(windows) == 10
    batch = windows.take(np.array(numbers, dtype=np.intp), 5)
    with pretended() as gpu:
        taken = batch.to(GPU).cpu().numpy()
        assert gpu.up == 4 * len({sample for number in numbers for sample in range(4 * number, 4 * number + 10)})
    assert taken.shape == (5, 1, 10)
    for row, number in zip(taken[:, 0], [*numbers, *[SILENT] * 5], strict=False):
        np.testing.assert_array_equal(row, np.zeros(10) if number == SILENT else cut(pcm, number))


def test_where_memory_runs_out_only_what_is_tried_again_is_sent_again(on_gpu: tuple[Any, PretendedGpu]):
    _, gpu = on_gpu
    windows = Windows(torch.ones((1, 160)), 16, 16, 1.0)

    def crowded(batch: torch.Tensor) -> Any:
        there = batch.to(GPU)
        if len(there) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return there.sum(dim=-1).cpu().numpy()

    gpu.reset()
    sums = WithinMemory(crowded)(windows.take(np.arange(7), 8))
    assert sums[:, 0].tolist() == [16] * 7 + [0]
    assert gpu.up == 4 * 16 * (7 + 4 + 7)  # eight are too many, then four, then two at once are not
