"""From the models' folders to the separating network on the best device, without the internet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ...errors import EngineError
from ...models import Model, locate
from ...models.needs import unusable
from ..devices import Appetite, Outputs, WithinMemory, place_best, received
from ..precision import convolutions_in_tf32

ARCHITECTURE = "pyannote.audio.models.separation.ToTaToNet"
# Windows at once. On a CPU more are no faster, and each takes 150 MB.
GPU_BATCH, CPU_BATCH = 8, 1


class StreamNetwork:
    """A loaded ToTaToNet: windows of a fixed length to streams of one voice each."""

    def __init__(self, network: Any) -> None:
        self._network = network.eval()
        self._within_memory = WithinMemory(self._forward)
        specification = network.specifications[0]
        self.samples: int = network.audio.get_num_samples(specification.duration)
        self.streams: int = network.n_sources
        self._most = CPU_BATCH
        self._appetite: Appetite | None = None

    @property
    def batch(self) -> int:
        """How many windows to give it at once, by what memory is free now."""
        return self._appetite.within(self._most) if self._appetite else self._most

    def place(self, device: torch.device) -> None:
        """Raises what the device raises that cannot run it."""
        self._network.to(device)
        self._most = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._appetite = Appetite(device, lambda: self._forward(torch.zeros((1, self.samples))))

    def __call__(self, windows: torch.Tensor) -> Outputs:
        """`windows` (windows, samples) float32 at 16 kHz to streams (windows, streams, samples), at a scale of their
        own. Raises EngineError OUT_OF_MEMORY.
        """
        return self._within_memory(windows)

    @convolutions_in_tf32(allowed=False)  # as by pyannote.audio's own pipeline
    def _forward(self, windows: torch.Tensor) -> Outputs:
        with torch.inference_mode():
            _, streams = self._network(windows[:, None].to(self._network.device))
            return received(streams.float().transpose(1, 2))


def load_network(separation: Model, wavlm: Model) -> StreamNetwork:
    """`separation` with the shape that `wavlm` tells of the network inside it, on a GPU if one works.

    Raises EngineError ENGINE_UNAVAILABLE where packages cannot be imported or files are damaged or not what they should
    be.
    """
    stored, shape = locate(separation), locate(wavlm)
    assert stored is not None
    assert shape is not None
    try:
        with wavlm_shaped_as(shape.folder):
            network = StreamNetwork(_read(stored.folder / separation.files[0]))
    except ImportError as error:
        raise EngineError("ENGINE_UNAVAILABLE", f"Packages for it cannot be used here: {error}") from error
    except Exception as error:  # each library that reads a part of it raises what it likes
        raise unusable(separation, error) from error
    place_best(network.place)
    return network


def _read(path: Path) -> Any:
    """As pyannote.audio reads a checkpoint whose architecture it does not know, but the weights become the network's as
    they are, into which they would be copied otherwise: each copy takes 1.3 GB.
    """

    class Adopting(import_module(ARCHITECTURE).ToTaToNet):  # type: ignore[misc]
        def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = True) -> Any:
            return super().load_state_dict(state_dict, strict, assign)

    return Adopting.load_from_checkpoint(path, map_location="cpu", weights_only=False)


@contextmanager
def wavlm_shaped_as(folder: Path) -> Iterator[None]:
    """While a ToTaToNet is built, which would fetch WavLM's own weights only to have them overwritten by its own, give
    it a WavLM of the shape that `folder` tells, without memory for weights.
    """
    module = import_module(ARCHITECTURE)

    class Empty:
        @staticmethod
        def from_pretrained(_: str) -> Any:
            from transformers import AutoConfig, AutoModel

            with torch.device("meta"):
                return AutoModel.from_config(AutoConfig.from_pretrained(folder))

    usual = getattr(module, "AutoModel", None)
    module.AutoModel = Empty  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.AutoModel = usual  # type: ignore[attr-defined]
