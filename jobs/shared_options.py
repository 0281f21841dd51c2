"""What the options of all tasks, and of those that tell speakers, have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

from audio_engine.registry import AUTO
from audio_engine.types import Request, SpeakerBounds

from . import given
from .errors import JobError
from .given import Row

MOST_SPEAKERS = 20
BESIDE_TURNS = "is for an engine that tells who speaks; with turns, leave it out"
TUNABLE = "embedded"  # the engine whose threshold of speech can be moved


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions(ABC):
    """What all tasks have in common. Each kind of options raises JobError INVALID_OPTION, naming the field, for values
    that cannot be used.
    """

    engine: str = AUTO

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def gives_turns(self) -> bool:
        """Whether who spoke when is given, so that no engine has to tell it."""
        return False

    def check_length(self, seconds: float) -> None:  # noqa: ARG002 - of those of some tasks
        """Raises JobError INVALID_OPTION where the options do not fit a recording of so many seconds."""
        return

    @abstractmethod
    def request(self, task: str, **common: Any) -> Request:
        """The work as the engine takes it; `common` holds what Request holds for every task."""

    def engines(self, task: str) -> dict[str, tuple[str, str]]:
        """By the option that names it: each engine that will work, and the task that it does."""
        return {"engine": (self.engine, task)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedOptions(JobOptions):
    """Of the tasks that tell speakers."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    voice_attributes: bool = False
    speech_threshold: float | None = None  # 0.5 as the engine is tuned; more counts as speech below it
    turns: tuple[Row, ...] = ()  # who spoke when; an engine tells it if empty
    speaker_names: tuple[str, ...] = ()  # of those who speak in `turns`; who has an empty one is numbered

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(map(tuple, self.turns)))  # lists where they come from a job's row
        object.__setattr__(self, "speaker_names", tuple(self.speaker_names))
        if self.turns:
            self._check_turns()
        if self.speech_threshold is not None:
            self._check_threshold(self.speech_threshold)
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= MOST_SPEAKERS:
                raise invalid(name, f"must be between 1 and {MOST_SPEAKERS}")
        if self.num_speakers is not None and (self.min_speakers or self.max_speakers) is not None:
            raise invalid("num_speakers", "cannot be given together with min_speakers or max_speakers")
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise invalid("min_speakers", "must not be above max_speakers")

    def _check_turns(self) -> None:
        given.check(self.turns)
        for name in ("num_speakers", "min_speakers", "max_speakers", "speech_threshold"):
            if getattr(self, name) is not None:
                raise invalid(name, BESIDE_TURNS)

    @property
    def gives_turns(self) -> bool:
        return bool(self.turns)

    def check_length(self, seconds: float) -> None:
        given.check_length(self.turns, seconds)

    def _check_threshold(self, threshold: float) -> None:
        if not 0 <= threshold <= 1:
            raise invalid("speech_threshold", "must be between 0 and 1")
        if self.listener != TUNABLE:
            raise invalid("speech_threshold", f"can be given to the engine {TUNABLE} only; name it")

    @property
    def listener(self) -> str:
        """The engine that tells the speakers."""
        return self.engine

    @property
    def bounds(self) -> SpeakerBounds:
        return SpeakerBounds(self.num_speakers, self.min_speakers, self.max_speakers)


def invalid(field: str, rule: str) -> JobError:
    return JobError("INVALID_OPTION", f"{field} {rule}.", details={"field": field, "rule": rule})
