"""Who spoke when as somebody says it, in place of what an engine would find. Imports nothing heavy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from .errors import EngineError
from .formats import labelled_rttm
from .types import Diarization, Turn

ENGINE = "given"  # what a result calls the engine where there was none
MOST_TURNS = 50_000
MOST_SPEAKERS = 50


def read_turns(path: Path) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Those of an RTTM file, and how it calls the speakers. Raises EngineError INVALID_OPTION where it has none or
    cannot be read.
    """
    try:
        turns, names = rttm_turns(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        _refuse(f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        _refuse("must be RTTM; the file is no text in UTF-8")
    except ValueError as error:
        _refuse(f"must be RTTM that can be used: {error}")
    if not turns:
        _refuse("must be RTTM; the file has no line that begins with SPEAKER")
    return turns, names


def rttm_turns(text: str) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """As `formats.labelled_rttm`, for what is to be worked with. Raises ValueError that names the line also where that
    does not start at 0 s or later and end after that.
    """
    turns, labels = labelled_rttm(text)
    lines = (number for number, line in enumerate(text.splitlines(), start=1) if line.split()[:1] == ["SPEAKER"])
    for number, turn in zip(lines, turns, strict=True):
        if not 0 <= turn.start < turn.end < math.inf:
            raise ValueError(f"line {number} is from {turn.start:g} to {turn.end:g} s, in which nobody can speak")
    return turns, labels


def check_turns(turns: Sequence[Turn]) -> None:
    """Raises EngineError INVALID_OPTION unless there are 1 to `MOST_TURNS`, each starts at 0 s or later and before its
    end, and their speakers are numbered from 0 to at most 49 without a gap.
    """
    if not 1 <= len(turns) <= MOST_TURNS:
        _refuse(f"must be from 1 to {MOST_TURNS:,}")
    for number, turn in enumerate(turns, start=1):
        if not (math.isfinite(turn.start) and math.isfinite(turn.end)):
            _refuse(f"must have times that are numbers; number {number} has not")
        if not 0 <= turn.start < turn.end:
            _refuse(f"must start at 0 or later and end after that; number {number} is {turn.start:g} to {turn.end:g} s")
    speakers = {turn.speaker for turn in turns}
    if len(speakers) > MOST_SPEAKERS:
        _refuse(f"may be of {MOST_SPEAKERS} speakers, not of {len(speakers)}")
    if speakers != set(range(len(speakers))):
        _refuse("must have speakers that are numbered from 0 without a gap")


def check_within(turns: Iterable[Turn], seconds: float) -> None:
    """Raises EngineError INVALID_OPTION where a turn only starts when the recording of `seconds` seconds is over."""
    for number, turn in enumerate(turns, start=1):
        if turn.start >= seconds:
            _refuse(f"must lie in the recording of {seconds:.3f} s; number {number} starts at {turn.start:.3f} s")


def diarization(turns: Sequence[Turn], seconds: float) -> Diarization:
    """`turns` as a diarization of a recording of `seconds` seconds, at whose end they are cut.

    Raises EngineError as `check_within` does.
    """
    check_within(turns, seconds)
    cut = joined(replace(turn, end=min(turn.end, seconds)) for turn in turns)
    return Diarization(cut, exclusive(cut), 1 + max(turn.speaker for turn in cut), ())


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """`turns` in order, those of one speaker that overlap as one, which is as sure as the least sure of them."""
    last: dict[int, Turn] = {}
    found: list[Turn] = []
    for turn in sorted(turns, key=in_order):
        before = last.get(turn.speaker)
        if before is not None and turn.start < before.end:
            sure = [its.confidence for its in (before, turn) if its.confidence is not None]
            last[turn.speaker] = replace(before, end=max(before.end, turn.end), confidence=min(sure, default=None))
            continue
        if before is not None:
            found.append(before)
        last[turn.speaker] = turn
    return tuple(sorted([*found, *last.values()], key=in_order))


def exclusive(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The same with one speaker at a time: where several speak, whoever began last, since who falls in is heard."""
    return tuple(_exclusive(turns))


def in_order(turn: Turn) -> tuple[float, float, int]:
    return turn.start, turn.end, turn.speaker


def _exclusive(turns: Sequence[Turn]) -> Iterator[Turn]:
    moments = sorted({moment for turn in turns for moment in (turn.start, turn.end)})
    waiting = sorted(turns, key=in_order, reverse=True)
    running: list[Turn] = []
    open_turn: Turn | None = None
    for start, end in itertools.pairwise(moments):
        running = [turn for turn in running if turn.end > start]
        while waiting and waiting[-1].start <= start:
            running.append(waiting.pop())
        heard = running[-1] if running else None
        if open_turn and heard and heard.speaker == open_turn.speaker and open_turn.end == start:
            open_turn = replace(open_turn, end=end)
            continue
        if open_turn:
            yield open_turn
        open_turn = replace(heard, start=start, end=end) if heard else None
    if open_turn:
        yield open_turn


def _refuse(rule: str) -> NoReturn:
    raise EngineError("INVALID_OPTION", f"turns {rule}.", details={"field": "turns", "rule": rule})
