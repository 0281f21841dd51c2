"""A GPU that is none: tensors that say they are on one and are computed on the CPU, so that what goes to and fro is
counted, and what a GPU would refuse, operations on tensors of two devices, is refused.

It has no streams, kernels or memory of its own, so of speed, memory and digits it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from audio_engine.backends import devices

GPU = torch.device("cuda:0")
aten = torch.ops.aten
WAITING = {  # that PyTorch cannot answer before the GPU has
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
}


class OnGpu(torch.Tensor):
    """Says that it is there; `content` is on the CPU."""

    content: torch.Tensor

    @staticmethod
    def __new__(cls, content: torch.Tensor) -> OnGpu:
        with torch.inference_mode(False):  # or none can be made of a view of a network's weights
            made = torch.Tensor._make_wrapper_subclass(
                cls, content.shape, strides=content.stride(), dtype=content.dtype, device="meta"
            )
        made.content = content
        return made

    @property
    def device(self) -> torch.device:
        """In C++ it is on none, since one of CUDA's would have the driver asked."""
        return GPU

    @classmethod
    def __torch_dispatch__(cls, operation: Any, kinds: Any, given: Any = (), options: Any = None) -> Any:
        return NOTHING_COUNTED.__torch_dispatch__(operation, kinds, given, options)


class PretendedGpu(TorchDispatchMode):
    """Bytes that went there and came back, how often the CPU waited for the GPU to finish, and how many operations it
    called for there, each of which is one kernel or some, but for those that only look at a tensor otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        self.up = self.down = self.waits = self.operations = 0

    def __torch_dispatch__(self, operation: Any, _: Any, given: Any = (), options: Any = None) -> Any:
        options = dict(options or {})
        options.pop("pin_memory", None)
        if operation._overloadpacket is aten.to:
            with self:
                return operation.decompose(*given, **options)
        if operation is aten._to_copy.default:
            return self._copied(given[0], options)
        if operation is aten.copy_.default:
            return self._filled(*given[:2])
        tensors = [leaf for leaf in tree_leaves((given, options)) if isinstance(leaf, torch.Tensor)]
        wanted = options.get("device")
        there = wanted.type != "cpu" if wanted else any(isinstance(tensor, OnGpu) for tensor in tensors)
        if wanted:
            options["device"] = torch.device("cpu")
        if there:
            self._check(operation, tensors)
            self.operations += not _looks_only(operation)
        found = operation(*tree_map(_content, given), **tree_map(_content, options))
        if not there:
            return found
        if operation._schema.is_mutable and given[0].shape == given[0].content.shape:
            return given[0]
        return tree_map(lambda each: OnGpu(each) if isinstance(each, torch.Tensor) else each, found)

    def _copied(self, tensor: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        here = isinstance(tensor, OnGpu)
        device = options.pop("device", None)
        there = here if device is None else device.type != "cpu"
        self.operations += here or there
        if here != there:
            self._moved(tensor, up=there, waits=not options.get("non_blocking"))
        made = aten._to_copy.default(_content(tensor), **(options | {"non_blocking": False}))
        return OnGpu(made) if there else made

    def _filled(self, target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        if isinstance(target, OnGpu) != isinstance(source, OnGpu):
            self._moved(source, up=isinstance(target, OnGpu), waits=True)
        _content(target).copy_(_content(source))
        return target

    def _moved(self, tensor: torch.Tensor, *, up: bool, waits: bool) -> None:
        if up:
            self.up += tensor.nbytes
        else:
            self.down += tensor.nbytes
        self.waits += waits

    def _check(self, operation: Any, tensors: list[torch.Tensor]) -> None:
        if any(not isinstance(tensor, OnGpu) and tensor.dim() for tensor in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device, in {operation}")
        selects = operation is aten.index.Tensor and any(tensor.dtype == torch.bool for tensor in tensors[1:])
        self.waits += operation in WAITING or selects


NOTHING_COUNTED = PretendedGpu()  # for what is done to such tensors while none is pretended


def _looks_only(operation: Any) -> bool:
    """Whether what it returns are the values that it was given, elsewhere in no memory."""
    returned = [returned.alias_info for returned in operation._schema.returns]
    return any(alias and not alias.is_write for alias in returned)


def _content(each: Any) -> Any:
    return each.content if isinstance(each, OnGpu) else each


def _tensor(make: Any) -> Any:
    """`torch.tensor` that is seen to make on the CPU what then goes to its device."""

    def made(content: Any, *, device: Any = None, **options: Any) -> torch.Tensor:
        tensor: torch.Tensor = make(content, **options)
        return tensor if device is None else tensor.to(device)

    return made


@contextmanager
def pretended() -> Iterator[PretendedGpu]:
    """Networks that are loaded meanwhile go to the GPU, which has memory in plenty."""
    figures = {"memory_allocated": 0, "max_memory_allocated": 0, "reset_peak_memory_stats": None}
    with ExitStack() as stack:
        for name, figure in figures.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, return_value=figure))
        stack.enter_context(mock.patch.object(devices, "best_device", return_value=GPU))
        if not torch.cuda.is_available():  # what first goes to a GPU asks for a driver
            stack.enter_context(mock.patch.object(torch.cuda, "_lazy_init"))
        stack.enter_context(mock.patch.object(torch.__future__, "_overwrite_module_params_on_conversion", True))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(torch.no_grad())  # or a graph of operations would ask for CUDA's streams
        stack.enter_context(mock.patch.object(torch, "tensor", _tensor(torch.tensor)))
        yield stack.enter_context(PretendedGpu())
