"""The stretches of a recording that a recogniser hears one by one: speech only, none longer than it can take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..memory import Samples, release_pages
from ..types import Turn
from .transcript import Span

RATE = 16_000  # Hz
MARGIN = 0.2  # seconds that are heard before and after speech: consonants at its edges are soft
LOUDNESS_SECONDS = 0.05
SEARCHED = 10.0  # seconds before the last possible moment, in which the quietest is looked for


def windows(turns: Iterable[Turn], pcm: Samples, longest: float) -> list[Span]:
    """Spans that hold all `turns`, which may overlap, in order, each at most `longest` seconds.

    `pcm` has shape (samples,), float32, 16 kHz. Neighbours that fit into one window share it, pauses included, since a
    recogniser does better with context. Talk without a pause is cut where it is quietest.
    """
    pieces = [piece for span in speech(turns, len(pcm) / RATE) for piece in _cut(span, pcm, longest)]
    joined: list[Span] = []
    for start, end in pieces:
        if joined and end - joined[-1][0] <= longest:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def speech(turns: Iterable[Turn], seconds: float) -> list[Span]:
    """Where anybody speaks, with MARGIN on both sides: spans that do not touch, in order, within the recording."""
    spans: list[Span] = []
    for turn in sorted(turns, key=lambda turn: turn.start):
        start, end = max(0.0, turn.start - MARGIN), min(seconds, turn.end + MARGIN)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        elif end > start:
            spans.append((start, end))
    return spans


def _cut(span: Span, pcm: Samples, longest: float) -> Sequence[Span]:
    start, end = span
    pieces = []
    while end - start > longest:
        cut = _quietest(pcm, start + max(longest - SEARCHED, longest / 2), start + longest)
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _quietest(pcm: Samples, start: float, end: float) -> float:
    """The middle of the quietest LOUDNESS_SECONDS between `start` and `end`; of several, the last."""
    size = round(LOUDNESS_SECONDS * RATE)
    first = round(start * RATE)
    signal = np.array(pcm[first : round(end * RATE)], dtype=np.float64)
    release_pages(pcm)
    blocks = signal[: len(signal) // size * size].reshape(-1, size)
    power = (blocks**2).mean(axis=1)
    quietest = len(power) - 1 - int(np.argmin(power[::-1]))
    return (first + (quietest + 0.5) * size) / RATE
