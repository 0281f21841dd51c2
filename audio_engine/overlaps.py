"""Where several people speak at once, and who is heard where, on the 16 kHz signal that diarization heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .exemplars import GRID, RATE, Activity
from .tracks import Spans, subtract, union
from .types import Turn

REACH = 2 * GRID.hop  # samples on either side of a frame's centre


@dataclass(frozen=True)
class Overlap:
    """A stretch with two or more speakers: its samples at 16 kHz and all who take part somewhere in it."""

    start: int
    stop: int
    speakers: tuple[int, ...]


class Overlaps:
    """Those of a recording of so many `samples` at 16 kHz, by its turns."""

    def __init__(self, turns: Sequence[Turn], samples: int) -> None:
        self.samples = samples
        self.speakers = sorted({turn.speaker for turn in turns})
        self._spans = {speaker: _spans(turns, speaker, samples) for speaker in self.speakers}

    @cached_property
    def stretches(self) -> tuple[Overlap, ...]:
        """In ascending order and further apart than a frame is long."""
        edges = np.unique(np.concatenate([np.zeros(0, np.int64), *(spans.ravel() for spans in self._spans.values())]))
        between = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        shared = (span for span in between if len(self.speaking(*span)) > 1)
        joined = union(shared, bridge=GRID.size).tolist()
        return tuple(Overlap(start, stop, self.speaking(start, stop)) for start, stop in joined)

    def speaking(self, start: int, stop: int) -> tuple[int, ...]:
        """Who speaks somewhere in the samples `start` to `stop`."""
        return tuple(speaker for speaker, spans in self._spans.items() if _touches(spans, start, stop))

    def activity(self, speakers: Sequence[int], samples: npt.NDArray[np.int64]) -> Activity:
        """Who has a turn at each of `samples`, shape (speakers, samples)."""
        return np.stack([_covers(self._spans[speaker], samples) for speaker in speakers])

    @cached_property
    def solo(self) -> dict[int, Spans]:
        """The samples in which nobody but the speaker speaks."""
        result = {}
        for speaker, spans in self._spans.items():
            others = union(span for other in self.speakers if other != speaker for span in self._spans[other].tolist())
            result[speaker] = subtract(spans, others)
        return result

    def active(self, speakers: Sequence[int], first: int, last: int) -> Activity:
        """Who may be heard in each of the frames `first` to `last` of `GRID`, shape (speakers, frames); all where
        nobody has a turn.
        """
        centres = np.arange(first, last) * GRID.hop
        rows = [
            [_touches(self._spans[speaker], c - REACH + 1, c + REACH) for c in centres.tolist()] for speaker in speakers
        ]
        active = np.array(rows)
        active |= ~active.any(axis=0)
        return active


def _spans(turns: Sequence[Turn], speaker: int, samples: int) -> Spans:
    bounds = ((round(turn.start * RATE), round(turn.end * RATE)) for turn in turns if turn.speaker == speaker)
    return union((max(0, start), min(samples, stop)) for start, stop in bounds)


def _covers(spans: Spans, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    following = np.searchsorted(spans[:, 1], samples, side="right")
    starts = np.append(spans[:, 0], np.iinfo(np.int64).max)
    covered: npt.NDArray[np.bool_] = starts[following] <= samples
    return covered


def _touches(spans: Spans, start: int, stop: int) -> bool:
    following = int(np.searchsorted(spans[:, 1], start, side="right"))
    return following < len(spans) and bool(spans[following, 0] < stop)
