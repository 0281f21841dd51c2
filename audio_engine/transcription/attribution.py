"""Whose words are they: each goes to whoever speaks while it is said, by a diarization with one speaker at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..types import Turn
from .transcript import Sentence, Word


class Speakers:
    """Who speaks in a stretch of time. `exclusive` are turns that do not overlap each other, in any order."""

    def __init__(self, exclusive: Iterable[Turn]) -> None:
        self._turns = sorted(exclusive, key=lambda turn: turn.start)
        self._ends = [turn.end for turn in self._turns]

    def during(self, start: float, end: float, before: int | None = None) -> int | None:
        """Whoever speaks for the largest part of it; the one `before`, where two speak equally long. In a pause: whose
        turn is nearest. None where nobody ever speaks.
        """
        seconds = self._seconds(start, end)
        if not seconds:
            return self._nearest(start, end)
        most = max(seconds.values())
        if before is not None and seconds.get(before) == most:
            return before
        return next(speaker for speaker, its in seconds.items() if its == most)

    def _seconds(self, start: float, end: float) -> dict[int, float]:
        """How long each speaks, those who do not left out. A word without length lies within the turn around it."""
        seconds: dict[int, float] = {}
        for index in range(bisect_right(self._ends, start), len(self._turns)):
            turn = self._turns[index]
            if turn.start > end or (turn.start == end and end > start):
                break
            shared = min(end, turn.end) - max(start, turn.start)
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + shared
        return seconds

    def _nearest(self, start: float, end: float) -> int | None:
        after = bisect_right(self._ends, start)
        around = self._turns[max(0, after - 1) : after + 1]
        if not around:
            return None
        return min(around, key=lambda turn: max(turn.start - end, start - turn.end)).speaker


def attribute(words: Sequence[Word], exclusive: Iterable[Turn]) -> tuple[Word, ...]:
    """`words`, in order, each with its speaker."""
    speakers, attributed = Speakers(exclusive), []
    before: int | None = None
    for word in words:
        before = speakers.during(word.start, word.end, before)
        attributed.append(replace(word, speaker=before))
    return tuple(attributed)


def attribute_lines(lines: Sequence[Sentence], exclusive: Iterable[Turn]) -> tuple[Sentence, ...]:
    """The lines of a subtitle file, each with its speaker and otherwise as they are."""
    speakers = Speakers(exclusive)
    return tuple(replace(line, speaker=speakers.during(line.start, line.end)) for line in lines)
