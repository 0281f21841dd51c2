"""What may be asked of a job, checked in one place for every surface."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from audio_engine import registry
from audio_engine.errors import EngineError
from audio_engine.registry import AUTO, ENGINES
from audio_engine.types import OVERLAP_POLICIES, OverlapPolicy, SpeakerBounds

from .errors import JobError

MOST_SPEAKERS = 20


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Raises JobError INVALID_OPTION, naming the field, for values that cannot be used."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    overlap: OverlapPolicy = "separate"
    clean_background: bool = False
    compact: bool = False
    engine: str = AUTO

    def __post_init__(self) -> None:
        for field in ("num_speakers", "min_speakers", "max_speakers"):
            count = getattr(self, field)
            if count is not None and not 1 <= count <= MOST_SPEAKERS:
                raise _invalid(field, f"must be between 1 and {MOST_SPEAKERS}")
        if self.num_speakers is not None and (self.min_speakers or self.max_speakers) is not None:
            raise _invalid("num_speakers", "cannot be given together with min_speakers or max_speakers")
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise _invalid("min_speakers", "must not be above max_speakers")
        if self.overlap not in OVERLAP_POLICIES:
            raise _invalid("overlap", f"must be one of {', '.join(OVERLAP_POLICIES)}")
        if self.engine not in (AUTO, *ENGINES):
            raise _invalid("engine", f"must be one of {', '.join((AUTO, *ENGINES))}")

    @property
    def bounds(self) -> SpeakerBounds:
        return SpeakerBounds(self.num_speakers, self.min_speakers, self.max_speakers)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def asked_for(**options: Any) -> JobOptions:
    """The options of a new request. Raises JobError as JobOptions does, and ENGINE_UNAVAILABLE, with what is missing
    and how to get it, for an engine that cannot run here. `auto` always can: it takes another.
    """
    checked = JobOptions(**options)
    if checked.engine != AUTO:
        try:
            registry.resolve(checked.engine)
        except EngineError as error:
            raise JobError(error.code, error.message, details=error.details) from error
    return checked


def _invalid(field: str, rule: str) -> JobError:
    return JobError("INVALID_OPTION", f"{field} {rule}.", details={"field": field, "rule": rule})
