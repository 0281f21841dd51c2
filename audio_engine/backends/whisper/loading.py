"""From a model's folder to faster-whisper's pipeline on the best device, without the network."""

from __future__ import annotations

import ctypes
import logging
from importlib.util import find_spec
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from ...models import Model, locate
from ...models.needs import unusable

log = logging.getLogger(__name__)
logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it would tell of each piece

# Windows at once. Each costs memory on the device; on a CPU more are hardly faster.
GPU_BATCH, CPU_BATCH = 16, 4
# By preference: half precision is what the weights are stored in; 8 bits are what CPUs are fast at.
COMPUTE_TYPES = {"cuda": ("float16", "float32"), "cpu": ("int8", "float32")}
# CTranslate2 is built for CUDA 12, whatever PyTorch is built for, and looks for these where the loader looks; as
# packages of NVIDIA's they lie elsewhere.
CUDA_LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")


def load_pipeline(model: Model) -> tuple[BatchedInferencePipeline, int]:
    """The model, on a GPU if one works, and how many windows to give it at once.

    Raises EngineError ENGINE_UNAVAILABLE where its files are damaged or not what they should be.
    """
    stored = locate(model)
    assert stored is not None
    if ctranslate2.get_cuda_device_count():
        _preload(CUDA_LIBRARIES)
        try:
            return _try(stored.folder, "cuda"), GPU_BATCH
        except Exception as error:  # a driver that is too old, CUDA 12's libraries not there
            log.warning("The GPU cannot be used for %s, so the CPU is: %s", model.name, error)
    try:
        return _try(stored.folder, "cpu"), CPU_BATCH
    except Exception as error:  # each library that reads a part of it raises what it likes
        raise unusable(model, error) from error


def _try(folder: Path, device: str) -> BatchedInferencePipeline:
    """Loaded, and heard a second of silence, since what is missing on a device shows only then."""
    supported = ctranslate2.get_supported_compute_types(device)
    compute_type = next(kind for kind in COMPUTE_TYPES[device] if kind in supported)
    whisper = WhisperModel(str(folder), device=device, compute_type=compute_type, local_files_only=True)
    pipeline = BatchedInferencePipeline(whisper)
    second = np.zeros(whisper.feature_extractor.sampling_rate, dtype=np.float32)
    segments, _ = pipeline.transcribe(second, clip_timestamps=[{"start": 0.0, "end": 1.0}], max_new_tokens=1)
    list(segments)
    return pipeline


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
