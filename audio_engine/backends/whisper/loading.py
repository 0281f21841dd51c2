"""From a model's folder to faster-whisper's pipeline on the best device, without the network."""

from __future__ import annotations

import ctypes
import logging
from importlib.util import find_spec
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from ... import registry
from ...hardware import gpu_allowed, gpu_demanded
from ...memory import short_of_memory
from ...models import Model, locate
from ...models.needs import unusable, unusable_gpu
from ...nvidia import GpuMemory, gpu_memory

log = logging.getLogger(__name__)
logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it would tell of each piece

# Windows at once. Each costs memory on the device; on a CPU more are hardly faster.
GPU_BATCH, CPU_BATCH = 16, 4
TAKEN = 0.8  # of the GPU's memory that is free: others may want some
# By preference: half precision is what the weights are stored in; 8 bits are what CPUs are fast at.
COMPUTE_TYPES = {"cuda": ("float16", "float32"), "cpu": ("int8", "float32")}
# CTranslate2 is built for CUDA 12, whatever PyTorch is built for, and looks for these where the loader looks; as
# packages of NVIDIA's they lie elsewhere.
CUDA_LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")


def load_pipeline(model: Model) -> tuple[BatchedInferencePipeline, int]:
    """The model, on a GPU if one works, and how many windows to give it at once, by what memory is free there now.

    Raises EngineError ENGINE_UNAVAILABLE where its files are damaged or not what they should be, or where the operator
    wants a GPU and no CPU, and none works; OUT_OF_MEMORY where that is for want of memory.
    """
    stored = locate(model)
    assert stored is not None
    try:
        if gpu_allowed() and ctranslate2.get_cuda_device_count():
            return registry.with_room(lambda: _on_gpu(stored.folder), short_of_memory)
        if gpu_demanded():
            raise RuntimeError("CTranslate2 finds none")
    except Exception as error:  # a driver that is too old, CUDA 12's libraries not there
        if gpu_demanded():
            raise unusable_gpu(error, short=short_of_memory(error)) from error
        log.warning("The GPU cannot be used for %s, so the CPU is: %s", model.name, error)
    try:
        pipeline = _load(stored.folder, "cpu")
        _try(pipeline)
    except Exception as error:  # each library that reads a part of it raises what it likes
        raise unusable(model, error) from error
    return pipeline, CPU_BATCH


def _on_gpu(folder: Path) -> tuple[BatchedInferencePipeline, int]:
    _preload(CUDA_LIBRARIES)
    pipeline = _load(folder, "cuda")
    before = gpu_memory()
    _try(pipeline)
    return pipeline, fitting(before, gpu_memory())


def fitting(before: GpuMemory | None, after: GpuMemory | None) -> int:
    """GPU_BATCH, or the largest half of a half of it that fits into what is free `after` one window has been heard,
    which CTranslate2 keeps the memory of. The libraries' own share is in that, too, for what windows write later.
    """
    most = GPU_BATCH
    if before is None or after is None or before.free <= after.free:
        return most
    while most > max(1, 1 + TAKEN * after.free / (before.free - after.free)):
        most //= 2
    return most


def _load(folder: Path, device: str) -> BatchedInferencePipeline:
    supported = ctranslate2.get_supported_compute_types(device)
    compute_type = next(kind for kind in COMPUTE_TYPES[device] if kind in supported)
    whisper = WhisperModel(str(folder), device=device, compute_type=compute_type, local_files_only=True)
    return BatchedInferencePipeline(whisper)


def _try(pipeline: BatchedInferencePipeline) -> None:
    """Hear a second of silence, since what is missing on a device shows only then."""
    second = np.zeros(pipeline.model.feature_extractor.sampling_rate, dtype=np.float32)
    segments, _ = pipeline.transcribe(second, clip_timestamps=[{"start": 0.0, "end": 1.0}], max_new_tokens=1)
    list(segments)


def _preload(names: tuple[str, ...]) -> None:
    """Load libraries from NVIDIA's packages, where they are: whoever asks for them by name then gets them."""
    package = find_spec("nvidia")
    folders = [Path(folder) for folder in (package.submodule_search_locations or ())] if package else []
    for name in names:
        for path in [path for folder in folders for path in folder.glob(f"*/lib/{name}")][:1]:
            try:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                log.warning("%s cannot be loaded: %s", path, error)
