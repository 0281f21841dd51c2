"""Lowering a background with nothing to fetch; `background` has the method."""

from __future__ import annotations

from pathlib import Path

from ..cleaning import PauseCleaning
from ..decoding import Decoder
from ..memory import Samples
from ..types import MediaInfo, Progress
from .base import Cleaner


class PauseCleaner(Cleaner):
    name = PauseCleaning.engine

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    def cleaning(
        self,
        pcm: Samples,
        decoder: Decoder,  # noqa: ARG002
        media: MediaInfo,  # noqa: ARG002
        scratch: Path,  # noqa: ARG002
        progress: Progress,  # noqa: ARG002
    ) -> PauseCleaning:
        return PauseCleaning(pcm)
