"""Turns that are given with a job, in place of having an engine tell who speaks when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from audio_engine.errors import EngineError
from audio_engine.given_turns import check_turns, check_within
from audio_engine.types import Turn

from .errors import JobError

Row = tuple[float, float, int, int | None]
"""Start and end in seconds, the speaker's number from 0, and the confidence in % or None: a turn in a job's options."""


def rows(turns: Iterable[Turn]) -> tuple[Row, ...]:
    return tuple((turn.start, turn.end, turn.speaker, turn.confidence) for turn in turns)


def turns(given: Iterable[Sequence[Any]]) -> tuple[Turn, ...]:
    return tuple(Turn(start, end, speaker, confidence) for start, end, speaker, confidence in given)


def check(given: Sequence[Row]) -> None:
    """Raises JobError INVALID_OPTION for turns that the engine would refuse."""
    try:
        check_turns(turns(given))
    except EngineError as error:
        raise JobError(error.code, error.message, details=error.details) from error


def check_length(given: Sequence[Row], seconds: float) -> None:
    """Raises JobError INVALID_OPTION for a turn that a recording of so many seconds is too short for."""
    try:
        check_within(turns(given), seconds)
    except EngineError as error:
        raise JobError(error.code, error.message, details=error.details) from error
