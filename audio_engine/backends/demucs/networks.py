"""The networks of a Demucs model and what of their estimates counts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from demucs.apply import BagOfModels

from ..devices import Appetite, Outputs, WithinMemory, received
from ..precision import convolutions_in_tf32

Estimator = Callable[[torch.Tensor], Outputs]


class Networks:
    """Demucs's bag of models, whose segments come in batches of at most `most`.

    Raises ValueError where the bag's models hear segments of different lengths.
    """

    def __init__(self, bag: BagOfModels, most: int) -> None:
        lengths = {int(bag.samplerate * model.segment) for model in bag.models}  # as demucs.apply has it
        if len(lengths) != 1:
            raise ValueError(f"its models hear segments of different lengths: {sorted(lengths)}")
        self._most = most
        self._appetite: Appetite | None = None
        self.rate = int(bag.samplerate)
        self.segment = lengths.pop()
        self.sources: tuple[str, ...] = tuple(bag.sources)
        self._bag = bag

    @property
    def device(self) -> torch.device:
        return next(self._bag.parameters()).device

    @property
    def batch(self) -> int:
        """How many segments to give it at once, by what memory is free now."""
        return self._appetite.within(self._most) if self._appetite else self._most

    def place(self, device: torch.device, most: int) -> None:
        """Raises what the device raises that cannot run them."""
        self._bag.to(device)
        self._most = most
        self._appetite = None
        if device.type != "cpu":
            silence = torch.zeros((1, 2, self.segment))
            self._appetite = Appetite(device, lambda: self.forward(silence, frozenset(self.sources)))

    def estimator(self, wanted: frozenset[str]) -> Estimator:
        """Takes segments, shape (batch, 2, segment), and gives shape (batch, wanted, 2, segment), the `wanted` ones of
        `sources` in their order. Raises EngineError OUT_OF_MEMORY where memory is too small for even one.
        """
        return WithinMemory(lambda segments: self.forward(segments, wanted))

    @torch.inference_mode()
    @convolutions_in_tf32(allowed=True)  # as by demucs's own api
    def forward(self, segments: torch.Tensor, wanted: frozenset[str]) -> Outputs:
        """Each wanted source as the bag's models weigh it. A model with no say in any of them is not asked."""
        heard = segments.to(self.device)
        numbers = [number for number, source in enumerate(self.sources) if source in wanted]
        mean = torch.zeros((len(heard), len(numbers), *heard.shape[1:]), device=self.device)
        for model, weights in zip(self._bag.models, self._bag.weights, strict=True):
            counting = [(row, number) for row, number in enumerate(numbers) if weights[number]]
            if counting:
                found = model(heard)
                for row, number in counting:
                    mean[:, row] += weights[number] * found[:, number]
        totals = [sum(weights[number] for weights in self._bag.weights) for number in numbers]
        return received(mean / torch.tensor(totals, device=self.device)[:, None, None])
