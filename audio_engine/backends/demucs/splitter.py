"""A Demucs model as a backend: what it needs, and how it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import EngineError
from ...memory import Samples
from ...models import MODELS, locate
from ...models.needs import not_here, too_large
from ...models.offline import go_offline
from ..base import Splitter

if TYPE_CHECKING:
    from ...mixing import Mix
    from .networks import Networks


class DemucsSplitter(Splitter):
    """The Demucs model `name` of the catalogue, which tells `sources` apart."""

    def __init__(self, name: str, sources: tuple[str, ...]) -> None:
        self.name = name
        self.sources = sources
        self._model = MODELS[name]
        self._networks: Networks | None = None

    def missing(self) -> str | None:
        if find_spec("demucs") is None:
            return "The package demucs is not installed: pip install demucs"
        if locate(self._model) is None:
            return not_here(self._model, self.name)
        return too_large(self.name)

    def load(self) -> None:
        if self._networks is not None:
            return
        go_offline()
        if reason := self.missing():
            raise EngineError("ENGINE_UNAVAILABLE", reason, details={"engine": self.name})
        from .loading import load_networks

        self._networks = load_networks(self._model, self.sources)

    @property
    def rate(self) -> int:
        self.load()
        assert self._networks is not None
        return self._networks.rate

    def models(self) -> tuple[str, ...]:
        stored = locate(self._model)
        revision = stored.revision[:8] if stored else ""
        return (f"{self._model.name} {revision}".strip(), f"demucs {version('demucs')}")

    def split(self, mix: Mix, wanted: frozenset[str]) -> Iterator[Mapping[str, Samples]]:
        self.load()
        assert self._networks is not None
        from .overlap_add import separate

        return separate(self._networks, mix, wanted)
