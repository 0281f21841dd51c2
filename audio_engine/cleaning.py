"""What lowers the background of a recording under and between its words, however it does that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from .background import BackgroundMask
from .masking import Mask
from .memory import Samples
from .types import Turn


class Background(Mask, Protocol):
    @property
    def knows_background(self) -> bool:
        """Whether it was heard what to lower. Else it is left as it is."""


class Cleaning(ABC):
    """Of one recording. `heard`, (samples,) float32 at 16 kHz mono, is what a diarizer is to hear of it."""

    engine: str
    models: tuple[str, ...] = ()  # "name version" of each that took part

    def __init__(self, heard: Samples) -> None:
        self.heard = heard

    @abstractmethod
    def background(self, turns: Sequence[Turn]) -> Background:
        """What is to be kept of each bin, by who spoke when."""


class PauseCleaning(Cleaning):
    """By what the pauses sound like, which are known once it is known who spoke when."""

    engine = "pauses"

    def background(self, turns: Sequence[Turn]) -> BackgroundMask:
        return BackgroundMask(self.heard, turns)
