"""Where networks run, and what of a batch fits into the memory there."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from ..errors import EngineError

log = logging.getLogger(__name__)

TAKEN = 0.8  # of the memory that is free: others may want some, and not all of it lies together

Outputs = npt.NDArray[np.float32]


def best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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


class WithinMemory:
    """Applies a network to a batch; in parts of half the size each time that memory runs out, down to one window.

    What fitted is remembered, so that memory runs out once and not with each batch.
    """

    def __init__(self, forward: Callable[..., Outputs]) -> None:
        self._forward = forward
        self._most: int | None = None

    def __call__(self, *batch: torch.Tensor) -> Outputs:
        """`forward` of the tensors `batch`, which have the same length. Raises EngineError OUT_OF_MEMORY."""
        size = len(batch[0])
        outputs: list[Outputs] = []
        done = 0
        while done < size:
            most = min(self._most or size, size)
            try:
                outputs.append(self._forward(*(tensor[done : done + most] for tensor in batch)))
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                self._most = _smaller(most, error)
            else:
                done += most
                continue
            _free_memory()  # out of the handler, whose traceback holds what the network had
        return np.concatenate(outputs)


def _out_of_memory(error: Exception) -> bool:
    from lightning.pytorch.utilities.memory import is_oom_error  # which takes seconds to import

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or is_oom_error(error)


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
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
