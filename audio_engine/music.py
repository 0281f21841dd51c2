"""Music taken apart: what its parts are called, which sums of them there are, and what crosses the engine's border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .types import Request, Result

SOURCES = ("vocals", "drums", "bass", "other", "guitar", "piano")
# Stems that are the sum of all sources but one.
WITHOUT = {"instrumental": "vocals"} | {f"no_{source}": source for source in SOURCES}
STEMS = (*SOURCES, *WITHOUT)


def parts(stem: str, sources: Sequence[str]) -> tuple[str, ...]:
    """Those of an engine's `sources` whose sum `stem` is; none where the engine cannot tell it apart."""
    missing = WITHOUT.get(stem)
    if missing is None:
        return (stem,) if stem in sources else ()
    return tuple(source for source in sources if source != missing) if missing in sources else ()


@dataclass(frozen=True, slots=True)
class StemsRequest(Request):
    """Music taken apart, with a file for each stem."""

    task: Literal["stems"] = "stems"
    stems: tuple[str, ...] = ()  # of `STEMS`; all that the engine tells apart if empty


@dataclass(frozen=True, slots=True)
class StemStats:
    """A stem in figures."""

    stem: str
    rms_db: float | None  # dBFS over the whole recording; None where it is silent
    peak: float  # linear, 1.0 is full scale


@dataclass(frozen=True, slots=True)
class StemsResult(Result):
    """What music was taken apart into; its files are the stems, in the same order."""

    stems: tuple[StemStats, ...]
