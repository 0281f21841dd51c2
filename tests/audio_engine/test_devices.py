"""On which device networks end up, by what there is, what works and what the operator wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
import torch

from audio_engine import registry
from audio_engine.backends.base import Backend
from audio_engine.backends.devices import WithinMemory, out_of_memory, place_best, received
from audio_engine.backends.precision import convolutions_in_tf32
from audio_engine.errors import EngineError
from tests.audio_engine.pretended_gpu import GPU, pretended


@pytest.fixture
def a_gpu(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(1, total=8_000, free=300)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


class Placed:
    """Networks that a GPU does not run for some reason, and where they were tried."""

    def __init__(self, reason: Exception | None = None) -> None:
        self.reason = reason
        self.tried: list[str] = []

    def __call__(self, device: torch.device) -> None:
        self.tried.append(device.type)
        if self.reason and device.type != "cpu":
            raise self.reason


def test_networks_are_on_the_gpu_where_one_works(a_gpu, monkeypatch: pytest.MonkeyPatch):
    networks = Placed()
    place_best(networks)
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    place_best(networks)
    monkeypatch.setenv("SOLOIST_DEVICE", "cpu")
    place_best(networks)
    assert networks.tried == ["cuda", "cuda", "cpu"]


def test_a_gpu_that_fails_leaves_the_cpu(a_gpu, caplog: pytest.LogCaptureFixture):
    networks = Placed(torch.OutOfMemoryError("CUDA out of memory."))
    place_best(networks)
    assert networks.tried == ["cuda", "cpu"]
    assert "so the CPU is: CUDA out of memory." in caplog.text


def test_a_gpu_that_is_not_used_keeps_no_memory(a_gpu, monkeypatch: pytest.MonkeyPatch):
    networks, given_back = Placed(torch.OutOfMemoryError("CUDA out of memory.")), []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(networks.tried[-1]))
    place_best(networks)
    assert given_back == ["cpu"]  # after what was placed halfway has left it


def test_what_fits_at_once_is_not_copied():
    made = np.ones((4, 2), dtype=np.float32)
    assert WithinMemory(lambda _: made)(torch.zeros(4)) is made


def test_what_a_gpu_made_comes_back_into_memory_that_it_can_write_to(monkeypatch: pytest.MonkeyPatch):
    pinned: list[bool] = []
    empty = torch.empty

    def noted(*args: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        pinned.append(pin_memory)
        return empty(*args, **options)

    monkeypatch.setattr(torch, "empty", noted)
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    with pretended() as gpu:
        there = values.to(GPU).transpose(0, 1)
        gpu.reset()
        assert received(there).tolist() == [[0, 3], [1, 4], [2, 5]]
        assert (gpu.down, gpu.waits, pinned) == (24, 1, [True])
    assert received(values).tolist() == values.tolist()
    assert pinned == [True]


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (torch.OutOfMemoryError("HIP out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.10 GiB)."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), False),
        (ValueError("Expected more than 1 value per channel"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_failures(error: Exception, short: bool):
    assert out_of_memory(error) is short


def test_precision_does_not_depend_on_what_ran_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # as pyannote.audio's pipelines leave it

    @convolutions_in_tf32(allowed=True)
    def allowed_meanwhile() -> bool:
        return bool(torch.backends.cudnn.allow_tf32)

    assert [allowed_meanwhile(), allowed_meanwhile()] == [True, True]
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("reason", "code", "permanent"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "OUT_OF_MEMORY", False),
        (EngineError("OUT_OF_MEMORY", "Too small for one window.", permanent=False), "OUT_OF_MEMORY", False),
        (RuntimeError("The NVIDIA driver is too old."), "ENGINE_UNAVAILABLE", True),
    ],
)
def test_with_nothing_but_a_gpu_allowed_it_is_said_why_that_fails(
    a_gpu, monkeypatch: pytest.MonkeyPatch, reason: Exception, code: str, permanent: bool
):
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    networks = Placed(reason)
    with pytest.raises(EngineError) as refused:
        place_best(networks)
    assert networks.tried == ["cuda"]
    assert (refused.value.code, refused.value.permanent) == (code, permanent)
    for part in ("SOLOIST_DEVICE=gpu", str(reason), "8,000 MB", "300 MB of them free"):
        assert part in refused.value.message


def test_with_nothing_but_a_gpu_allowed_and_none_there_nothing_is_placed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    networks = Placed()
    with pytest.raises(EngineError, match="PyTorch finds none") as refused:
        place_best(networks)
    assert (networks.tried, refused.value.code) == ([], "ENGINE_UNAVAILABLE")


# --- a GPU with room for one engine


class Large(Backend):
    """Takes all of a GPU's memory. It is there as long as the object is."""

    tasks = ("stems",)
    there: WeakSet[Large] = WeakSet()
    tried: list[str]

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        self.tried = []
        place_best(self.place)

    def place(self, device: torch.device) -> None:
        self.tried.append(device.type)
        if device.type != "cpu":
            self.take()

    def take(self) -> None:
        if [other for other in Large.there if other is not self]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        Large.there.add(self)


class First(Large):
    name = "first"


class Second(Large):
    name = "second"


@pytest.fixture
def crowded(a_gpu, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    registry.unload()
    monkeypatch.setattr(registry, "ENGINES", {kind.name: f"{__name__}:{kind.__name__}" for kind in (First, Second)})
    registry.begin_request()
    yield
    registry.unload()


def loaded(name: str) -> Large:
    backend = registry.load(name)
    assert isinstance(backend, Large)
    return backend


def test_what_earlier_requests_needed_makes_room_on_a_gpu(crowded, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    assert loaded("first").tried == ["cuda"]
    registry.begin_request()
    assert loaded("second").tried == ["cuda", "cuda"]
    assert "Unloading first, which leaves no room on the GPU." in caplog.text
    assert loaded("first").tried == ["cuda", "cpu"]  # anew, while this request needs the second


def test_what_a_request_needs_itself_stays_where_it_is(crowded):
    first = loaded("first")
    assert loaded("second").tried == ["cuda", "cpu"]
    assert loaded("first") is first


def test_a_window_that_finds_no_room_gets_that_of_earlier_requests(crowded):
    loaded("first")
    registry.begin_request()
    second = Second()

    def forward(rows: np.ndarray) -> np.ndarray:
        second.take()
        return rows

    assert WithinMemory(forward)(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert [each.name for each in Large.there] == ["second"]
