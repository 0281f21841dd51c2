"""Which GPU is CUDA's first, how large it is, and whether CUDA can use it, by what NVIDIA's driver tells."""

from __future__ import annotations

import os

import pytest

from audio_engine import nvidia, registry
from audio_engine.nvidia import CHOICE_VARIABLE, ORDER_VARIABLE, gpu_memory
from tests.audio_engine.conftest import Gpu

SMALL = Gpu("GPU-5ebe9f43-ac33-420d-a3b5-8de5a6d4f4aa", 8_000)
LARGE = Gpu("GPU-5ec1c2a0-1f9c-4f0f-9d7b-3a0a5b1c2d3e", 24_000)
PARTS = (
    Gpu("MIG-3eb2d04c-0c2d-5f60-8f2a-1f9d4d8c1a11", 10_000),
    Gpu("MIG-8d5e5cb2-7f3b-5f1d-9a6e-2b7c1d0e4f22", 20_000),
)
DIVIDED = Gpu("GPU-b64f9a11-9f0e-4d58-a1ad-52f1f3b8c6d7", 80_000, divided=True, parts=PARTS)


@pytest.mark.parametrize(
    ("chosen", "total"),
    [
        (None, 8_000),
        ("0", 8_000),
        ("1,0", 24_000),
        (" 1 ", 24_000),
        (LARGE.uuid, 24_000),
        (f"{LARGE.uuid},{SMALL.uuid}", 24_000),
        ("GPU-5eb", 8_000),  # as much of it as no other begins with
        ("GPU-5e", None),
        ("GPU-0", None),
        ("2", 10_000),
        (DIVIDED.uuid, 10_000),
        (PARTS[0].uuid, 10_000),
        (PARTS[1].uuid, 20_000),
        ("MIG-0", None),
        ("3", None),
        ("", None),
        ("-1", None),
        ("-1,0", None),  # what is behind one that is not there does not count
    ],
)
def test_the_gpu_that_counts_is_the_first_that_the_operator_names(
    gpus, monkeypatch: pytest.MonkeyPatch, chosen: str | None, total: int | None
):
    gpus([SMALL, LARGE, DIVIDED])
    if chosen is not None:
        monkeypatch.setenv(CHOICE_VARIABLE, chosen)
    memory = gpu_memory()
    assert (memory.total if memory else None) == total
    assert nvidia.has_gpu() is bool(total)


def test_a_gpu_that_is_to_be_divided_and_has_no_parts_yet_is_none(gpus):
    gpus([Gpu("GPU-1", 80_000, divided=True)])
    assert not nvidia.has_gpu()
    assert gpu_memory() is None


def test_memory_is_not_told_of_unlike_gpus_that_the_operator_has_numbered_otherwise(
    gpus, monkeypatch: pytest.MonkeyPatch
):
    gpus([SMALL, LARGE])
    monkeypatch.setenv(ORDER_VARIABLE, "FASTEST_FIRST")
    assert gpu_memory() is None
    assert nvidia.has_gpu()
    monkeypatch.setenv(CHOICE_VARIABLE, LARGE.uuid)
    assert gpu_memory() == nvidia.GpuMemory(24_000, 0)
    gpus([LARGE])
    monkeypatch.setenv(ORDER_VARIABLE, "FASTEST_FIRST")
    assert gpu_memory() == nvidia.GpuMemory(24_000, 0)


@pytest.mark.parametrize(("operators", "order"), [(None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")])
def test_cuda_numbers_gpus_as_the_driver_does_from_before_an_engine_is_loaded(
    scripted: str, monkeypatch: pytest.MonkeyPatch, operators: str | None, order: str
):
    monkeypatch.setenv(ORDER_VARIABLE, operators or "")
    if operators is None:
        monkeypatch.delenv(ORDER_VARIABLE)
    orders: list[str] = []
    kind = type(registry.backend(scripted))
    monkeypatch.setattr(kind, "load", lambda _: orders.append(os.environ[ORDER_VARIABLE]))
    registry.unload()
    registry.load(scripted)
    registry.unload()
    assert orders == [order]
