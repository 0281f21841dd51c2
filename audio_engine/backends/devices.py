"""Where networks run, and what of a batch fits into the memory there."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from .. import registry
from ..errors import EngineError
from ..hardware import gpu_allowed, gpu_demanded
from ..memory import short_of_memory
from ..models.needs import unusable_gpu

log = logging.getLogger(__name__)

TAKEN = 0.8  # of the memory that is free: others may want some, and not all of it lies together

Outputs = npt.NDArray[np.float32]


def best_device() -> torch.device:
    """By what PyTorch finds and what the operator allows."""
    if not gpu_allowed():
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def place_best(place: Callable[[torch.device], object]) -> None:
    """`place` networks on the best device that runs them, which it raises of those that do not: in the end the CPU.

    Raises EngineError ENGINE_UNAVAILABLE or OUT_OF_MEMORY where the operator wants a GPU and no CPU.
    """
    device = best_device()
    if device.type == "cpu" and gpu_demanded():
        raise unusable_gpu("PyTorch finds none")
    try:
        registry.with_room(lambda: place(device), out_of_memory)
    except Exception as error:  # a driver that is too old, a GPU without kernels, an operation that MPS lacks
        if device.type == "cpu":
            raise
        if gpu_demanded():
            raise unusable_gpu(error, short=out_of_memory(error)) from error
        log.warning("%s cannot be used, so the CPU is: %s", device, error)
    else:
        return
    place(torch.device("cpu"))
    _free_memory()  # of the GPU, where other engines may still fit


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`. A GPU gets it in turn, where PyTorch would otherwise wait until all work there is done."""
    return tensor.to(device, non_blocking=device.type == "cuda")


def received(tensor: torch.Tensor) -> Outputs:
    """`tensor` in the CPU's memory: pinned memory, which PyTorch keeps for the next one, where it is on a GPU. That
    writes there by itself; into any other memory, what it has goes by way of the driver's own.
    """
    if tensor.device.type != "cuda":
        found: Outputs = tensor.cpu().numpy()
        return found
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor).numpy()


def release_cache() -> None:
    """Hand back what PyTorch keeps of a GPU's memory for later: neither CTranslate2 nor another process can have it."""
    torch.cuda.empty_cache()  # nothing where CUDA is not in use


class Appetite:
    """What a network takes of its device's memory for a window, and so how many windows it may be given at once.

    Only of NVIDIA's and AMD's GPUs is known what is free. `once` has the network compute one window, to see.
    """

    def __init__(self, device: torch.device, once: Callable[[], object]) -> None:
        self._device = device
        counted = device.type == "cuda"
        if counted:
            torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) if counted else 0
        once()
        self._each = torch.cuda.max_memory_allocated(device) - before if counted else 0

    def within(self, most: int) -> int:
        """`most`, or the largest half of a half of it that fits into what is free now; at least one."""
        if not self._each:
            return most
        free, _ = torch.cuda.mem_get_info(self._device)
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        fitting = TAKEN * (free + kept) / self._each
        while most > max(1, fitting):
            most //= 2
        return most


class Sliceable(Protocol):
    """A batch, or what becomes one on the device."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


class WithinMemory:
    """Applies a network to a batch; in parts of half the size each time that memory runs out, down to one window, for
    which networks that are only kept for later requests make room.

    What fitted is remembered, so that memory runs out once and not with each batch.
    """

    def __init__(self, forward: Callable[..., Outputs]) -> None:
        self._forward = forward
        self._most: int | None = None

    def __call__(self, *batch: Sliceable) -> Outputs:
        """`forward` of the parts of `batch`, which have the same length. Raises EngineError OUT_OF_MEMORY."""
        size = len(batch[0])
        outputs: list[Outputs] = []
        done = 0
        while done < size:
            most = min(self._most or size, size)
            try:
                outputs.append(self._computed(*(part[done : done + most] for part in batch)))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._most = _smaller(most, error)
            else:
                done += most
                continue
            _free_memory()  # out of the handler, whose traceback holds what the network had
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def _computed(self, *parts: Sliceable) -> Outputs:
        if len(parts[0]) > 1:
            return self._forward(*parts)
        return registry.with_room(lambda: self._forward(*parts), out_of_memory)


def out_of_memory(error: Exception) -> bool:
    if isinstance(error, EngineError):
        return error.code == "OUT_OF_MEMORY"
    return isinstance(error, torch.OutOfMemoryError) or short_of_memory(error)


def _smaller(most: int, error: Exception) -> int:
    if most == 1:
        raise EngineError(
            "OUT_OF_MEMORY",
            "The GPU's memory is too small for even one window at a time, or other programs hold too much of it.",
            permanent=False,
        ) from error
    log.warning("Memory ran out with %d windows at once; going on with %d.", most, most // 2)
    return most // 2


def _free_memory() -> None:
    gc.collect()
    release_cache()
