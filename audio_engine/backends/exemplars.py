"""Separation of overlapped speech with nothing to fetch; `exemplar_separation` has the method."""

from __future__ import annotations

from pathlib import Path

from ..exemplar_separation import ExemplarSeparator
from ..memory import Samples
from ..overlaps import Overlaps
from ..types import Progress
from .base import SpeechSeparator


class ExemplarSeparation(SpeechSeparator):
    """Works while the masks are asked for."""

    name = "exemplars"

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    def separator(
        self,
        pcm: Samples,
        overlaps: Overlaps,
        scratch: Path,  # noqa: ARG002
        progress: Progress,  # noqa: ARG002
    ) -> ExemplarSeparator:
        return ExemplarSeparator(pcm, overlaps)
