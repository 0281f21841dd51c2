from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from audio_engine import hardware, nvidia, registry
from tests.audio_engine import scripted as scripted_engines

WHISPER = "whisper-large-v3-turbo"
EVAL = Path(os.environ.get("SOLOIST_EVAL", Path(__file__).parents[3] / "shared" / "eval"))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an engine whose answer is known, the only one there is that tells speakers."""
    monkeypatch.setattr(registry, "ENGINES", {"scripted": scripted_engines.PATH, **scripted_engines.BESIDE})
    return "scripted"


@pytest.fixture
def noise() -> Callable[..., npt.NDArray[np.float64]]:
    """White noise at -20 dB, always the same: shape (frames, channels)."""

    def make(seconds: float, rate: int = 16_000, channels: int = 1) -> npt.NDArray[np.float64]:
        return np.random.default_rng(7).uniform(-0.17, 0.17, (round(seconds * rate), channels))

    return make


@pytest.fixture
def recording(tmp_path: Path, noise: Callable[..., npt.NDArray[np.float64]]) -> Path:
    """Five seconds of noise as a 16 kHz WAV."""
    path = tmp_path / "recording.wav"
    soundfile.write(path, noise(5), 16_000)
    return path


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a small Whisper of random weights. Not to be written to."""
    from tests.audio_engine.whisper import tiny

    folder = tmp_path_factory.mktemp("models")
    tiny.whisper(folder / WHISPER)
    return folder


@pytest.fixture
def whisper_models(tiny_whisper: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as this process's models folder."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tiny_whisper))
    return tiny_whisper


@pytest.fixture
def gpu_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """What PyTorch says of a GPU of which so many MiB are free and each window takes one."""

    import torch

    def have(free: float) -> None:
        figures = {
            "reset_peak_memory_stats": None,
            "memory_allocated": 5 << 20,
            "max_memory_allocated": 6 << 20,
            "memory_reserved": 5 << 20,
            "mem_get_info": (round(free * 2**20), 80 << 30),
        }
        for name, figure in figures.items():
            monkeypatch.setattr(torch.cuda, name, lambda _, figure=figure: figure)

    return have


@dataclass(frozen=True)
class Gpu:
    """Memory is in megabytes. One that is divided (MIG) has parts, as a rule."""

    uuid: str
    total: int
    free: int = 0
    divided: bool = False
    parts: tuple[Gpu, ...] = ()


class ManagementLibrary:
    """NVIDIA's, on a machine with these GPUs."""

    def __init__(self, gpus: Sequence[Gpu], cuda: int) -> None:
        self.gpus, self.cuda = gpus, cuda
        self.devices = [device for gpu in gpus for device in (gpu, *gpu.parts)]  # a handle is a place in it, from 1

    def device(self, handle: Any) -> Gpu:
        return self.devices[handle.value - 1]

    def _found(self, devices: Sequence[Gpu], handle: Any) -> int:
        handle._obj.value = self.devices.index(devices[0]) + 1 if devices else None
        return 0 if devices else 6

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.gpus)
        return 0

    def nvmlSystemGetCudaDriverVersion_v2(self, version: Any) -> int:
        version._obj.value = self.cuda
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: int, handle: Any) -> int:
        return self._found(self.gpus[number : number + 1], handle)

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        return self._found([device for device in self.devices if device.uuid == uuid.decode()], handle)

    def nvmlDeviceGetUUID(self, handle: Any, text: Any, length: Any) -> int:
        text.value = self.device(handle).uuid.encode()[: length.value - 1]
        return 0

    def nvmlDeviceGetMigMode(self, handle: Any, now: Any, soon: Any) -> int:
        now._obj.value = soon._obj.value = self.device(handle).divided
        return 0

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any, most: Any) -> int:
        most._obj.value = 7
        return 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, number: int, part: Any) -> int:
        return self._found(self.device(handle).parts[number - 1 : number] if number else (), part)  # the first is free

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:
        device = self.device(handle)
        memory._obj.total, memory._obj.free = device.total * 10**6, device.free * 10**6
        return 0

    def nvmlShutdown(self) -> int:
        return 0


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """What NVIDIA's driver says that there is: so many like GPUs, or these; and whether it is all there, with what CUDA
    itself needs.
    """
    real = ctypes.CDLL

    def have(
        found: int | Sequence[Gpu], total: int = 80_000, free: int = 80_000, cuda: int = 99_000, *, whole: bool = True
    ) -> None:
        like = [Gpu(f"GPU-{number}", total, free) for number in range(found if isinstance(found, int) else 0)]
        library = ManagementLibrary(found if not isinstance(found, int) else like, cuda)

        def load(name: str | None, *args: Any) -> Any:
            if name == "libcuda.so.1" and not whole:
                raise OSError("libcuda.so.1: cannot open shared object file: No such file or directory")
            return library if name in ("libnvidia-ml.so.1", "libcuda.so.1") else real(name, *args)

        monkeypatch.setattr(ctypes, "CDLL", load)
        for variable in (nvidia.CHOICE_VARIABLE, nvidia.ORDER_VARIABLE):
            monkeypatch.delenv(variable, raising=False)
        hardware.accelerator.cache_clear()

    yield have
    hardware.accelerator.cache_clear()
