"""A pyannote.audio pipeline as a backend: what it needs, when it is worth it, and how it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import EngineError
from ...hardware import accelerator
from ...memory import Samples
from ...models import MODELS, locate
from ...models.catalogue import needed_by
from ...models.checking import digest
from ...models.needs import lacking, too_large
from ...models.offline import go_offline
from ...models.store import absent
from ...types import Diarization, Progress, SpeakerBounds, Stage
from ..base import Diarizer

if TYPE_CHECKING:
    from .pipelines import ExactSpeakerDiarization

SAMPLE_RATE = 16_000
Mode = Literal["exact", "fast", "shared"]
DIGITS = 8  # of a file's hash, as its version
# pyannote's steps as ours, each with the shares of the whole work between which it runs.
STEPS: dict[str, tuple[Stage, float, float]] = {
    "segmentation": ("activity", 0.0, 0.15),
    "speaker_counting": ("activity", 0.15, 0.15),
    "embeddings": ("embedding", 0.15, 0.95),
    "discrete_diarization": ("resegmentation", 0.95, 1.0),
}


class PyannoteDiarizer(Diarizer):
    """One of pyannote.audio's pipelines, of the model `model` in the catalogue. Two runs give the same result.

    In mode `exact` pyannote.audio does all of the work itself, for comparison; `fast` finds the same with less work,
    and `shared` nearly the same with still less. `recommended` lets `auto` take it where there is a GPU.
    """

    def __init__(self, name: str, model: str, mode: Mode = "fast", *, recommended: bool = False) -> None:
        self.name = name
        self._model = MODELS[model]
        self._mode: Mode = mode
        self._recommended = recommended
        self._pipeline: ExactSpeakerDiarization | None = None
        self._embedding = ""

    def missing(self) -> str | None:
        for module, package in (("torch", "torch"), ("pyannote.audio", "pyannote.audio")):
            if not _installed(module):
                return f"The package {package} is not installed: pip install {package}"
        return lacking(self.name) or too_large(self.name)

    def suits(self) -> bool:
        return self._recommended and accelerator() is not None

    def prepare(self) -> None:
        from ...models.fetching import fetch

        for model in absent(needed_by(self.name)):
            fetch(model)

    def load(self) -> None:
        if self._pipeline is not None:
            return
        go_offline()
        if reason := self.missing():
            raise EngineError("ENGINE_UNAVAILABLE", reason, details={"engine": self.name})
        with warnings.catch_warnings():  # of its optional parts, which are not used here
            warnings.simplefilter("ignore")
            from .loading import load_pipeline

            self._pipeline = load_pipeline(self._model, self._mode)
        self._embedding = self._embedding_version()

    def diarize(
        self,
        pcm: Samples,
        bounds: SpeakerBounds,
        scratch: Path,  # noqa: ARG002
        progress: Progress,
    ) -> Diarization:
        self.load()
        assert self._pipeline is not None
        from .turns import diarization

        with warnings.catch_warnings():  # what they say of bounds we say ourselves
            warnings.simplefilter("ignore")
            output = self._pipeline.run(pcm, SAMPLE_RATE, bounds, _hook(progress))
        return diarization(output, bounds, self._versions(), self._embedding)

    def _versions(self) -> tuple[str, ...]:
        found = [(model, locate(model)) for model in needed_by(self.name)]
        named = (f"{model.name} {stored.revision[:8]}".strip() for model, stored in found if stored)
        return (*named, f"pyannote.audio {version('pyannote.audio')}")

    def _embedding_version(self) -> str:
        """By the content of the weights: a repository's revision changes with every word on its page."""
        found = ((model, locate(model)) for model in needed_by(self.name) if model.embedding)
        model, stored = next(found)
        assert stored is not None
        _, _, content = digest(stored.folder / model.embedding, "sha256").partition(":")
        return f"{model.name} {content[:DIGITS]}"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _hook(progress: Progress) -> Callable[..., None]:
    """What pyannote's pipelines call with a step's name, what it made, and how far it is. May raise `Canceled`."""

    def report(step: str, _artefact: Any, *, completed: int = 1, total: int = 1, **_: Any) -> None:
        if step in STEPS:
            stage, start, stop = STEPS[step]
            progress(stage, start + (stop - start) * min(1.0, completed / max(1, total)))

    return report
