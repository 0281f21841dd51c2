"""What an engine's models lack on this machine, in words that say how to get it."""

from __future__ import annotations

import logging

from ..errors import EngineError
from ..hardware import DEVICE_VARIABLE, gpu_lacking
from ..nvidia import gpu_memory
from .catalogue import Model, needed_by
from .store import absent, fetchable, refusal

log = logging.getLogger(__name__)

OF_CUDA = 500  # megabytes that CUDA and its libraries take for themselves, about
# What an engine's networks take for one window, weights included, as `python -m benchmarks.gpu_need` counts it; of
# Whisper the weights alone.
GPU_MEGABYTES = {
    "pyannote": 90,
    "pyannote-shared": 140,
    "pyannote-exact": 90,
    "pyannote-3.1": 90,
    "pixit": 1400,
    "htdemucs": 580,
    "htdemucs_ft": 1100,
    "htdemucs_6s": 600,
    "whisper-large-v3-turbo": 1622,
    "whisper-large-v3": 3094,
    "whisper-small": 486,
    "whisper-base": 148,
}


def lacking(engine: str) -> str | None:
    """Why an engine whose models the hub gives to who accepts their conditions cannot have them here; None where they
    are here or can be fetched.
    """
    for model in absent(needed_by(engine)):
        if refused := refusal(model):
            return f"{refused} Then: python manage.py models fetch {engine}"
        if not fetchable():
            accept = f"Accept the conditions at {model.page}, set" if model.gated else "Set"
            return (
                f"The weights of {model.repository} ({model.download}) are not on this machine. {accept} HF_TOKEN and "
                f"run: python manage.py models fetch {engine}. Or copy the folder {model.name} of another "
                "installation's models folder into this one's."
            )
    return None


def too_large(engine: str) -> str | None:
    """What keeps an engine's networks from running on the GPU, where the operator lets them run nowhere else."""
    return gpu_lacking(GPU_MEGABYTES[engine] + OF_CUDA)


def not_here(model: Model, engine: str) -> str:
    """Of a model that anybody may fetch, for the engine of that name."""
    return (
        f"The weights of {model.repository} ({model.download}) are not on this machine. "
        f"Fetch them with: python manage.py models fetch {engine}. Or copy the folder {model.name} of "
        "another installation's models folder into this one's."
    )


def unusable(model: Model, error: Exception) -> EngineError:
    """ENGINE_UNAVAILABLE for a model whose files are here and could not be loaded."""
    log.error("%s cannot be loaded", model.name, exc_info=error)
    return EngineError(
        "ENGINE_UNAVAILABLE",
        f"The files of {model.name} on this machine cannot be loaded ({type(error).__name__}). Look at them with: "
        f"python manage.py models check {model.name}. Fetch them anew with: python manage.py models fetch {model.name}",
        details={"model": model.repository},
    )


def unusable_gpu(reason: Exception | str, *, short: bool = False) -> EngineError:
    """Of a GPU that the operator wants used, and no CPU, and that does not work. ENGINE_UNAVAILABLE, or OUT_OF_MEMORY
    where it is only `short` of memory, since another time more may be free.
    """
    memory = gpu_memory()
    has = f" It has {memory.total:,} MB of memory, {memory.free:,} MB of them free." if memory else ""
    message = f"{DEVICE_VARIABLE}=gpu, and the GPU cannot be used: {reason}.{has}"
    return EngineError("OUT_OF_MEMORY" if short else "ENGINE_UNAVAILABLE", message, permanent=not short)
