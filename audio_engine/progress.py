"""One honest fraction for work whose steps have fractions of their own and take unlike, unknown times."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .types import Progress, Stage

DECODING = 1 / 800  # seconds for a second of recording
DIARIZING = 7.0  # times as long as decoding
TELLING_FRACTION = 0.02  # of a step, from which its pace says how long it will take


def ignore_progress(stage: Stage, fraction: float) -> None:
    """For callers who do not want to know."""


class OverallProgress:
    """The share of the whole time that has passed, judged by the pace of the present step. It never falls.

    `expected` gives each step's probable seconds in the order in which they run, corrected as soon as one shows its
    pace; `proportions` those of later steps that follow from an earlier one's, in the same order: {"later": ("earlier",
    factor)}.
    """

    def __init__(
        self,
        progress: Progress,
        expected: Mapping[str, float],
        proportions: Mapping[str, tuple[str, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress, self._clock = progress, clock
        self._expected, self._proportions = dict(expected), proportions
        self._fraction = 0.0

    def step(self, name: str) -> Progress:
        """Begin the step `name`, all before it being over; returns what takes the step's own fractions."""
        began = self._clock()
        steps = list(self._expected)
        last = name == steps[-1]

        def report(stage: Stage, fraction: float) -> None:
            passed = self._clock() - began
            if fraction >= TELLING_FRACTION:
                self._learn(name, passed / fraction)
            before = sum(self._expected[step] for step in steps[: steps.index(name)])
            whole = sum(self._expected.values())
            share = (before + min(fraction, 1.0) * self._expected[name]) / whole if whole else 0.0
            self._fraction = max(self._fraction, 1.0 if last and fraction >= 1 else min(share, 0.999))
            self._progress(stage, self._fraction)

        return report

    def _learn(self, name: str, seconds: float) -> None:
        self._expected[name] = seconds
        learned = {name}
        for later, (earlier, factor) in self._proportions.items():
            if earlier in learned:
                self._expected[later] = factor * self._expected[earlier]
                learned.add(later)


def two_passes(
    progress: Progress,
    seconds: float,
    rendering: float,
    separating: float = 0.0,
    cleaning: float = 0.0,
    diarizes: bool = True,
) -> OverallProgress:
    """Of the steps "decode", "clean", "diarize", "separate" and "render" over a recording of so many seconds.
    `rendering`, `separating` and `cleaning` are how many times as long as diarization these probably take; a step that
    takes nothing may be left out, as "diarize" is unless it `diarizes`."""

    def after(factor: float) -> tuple[str, float]:
        return ("diarize", factor) if diarizes else ("decode", DIARIZING * factor)

    decode = DECODING * seconds
    diarize = DIARIZING * decode
    expected = {
        "decode": decode,
        "clean": cleaning * diarize,
        "diarize": diarize if diarizes else 0.0,
        "separate": separating * diarize,
        "render": rendering * diarize,
    }
    proportions = {
        "clean": ("decode", DIARIZING * cleaning),
        "diarize": ("decode", DIARIZING if diarizes else 0.0),
        "separate": after(separating),
        "render": after(rendering),
    }
    return OverallProgress(progress, expected, proportions)
