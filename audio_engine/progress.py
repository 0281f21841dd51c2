"""One honest fraction for work whose steps have fractions of their own and take unlike, unknown times."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .types import Progress, Stage

DECODING = 1 / 800  # seconds for a second of recording
DIARIZING = 4.5  # times as long as decoding
TELLING_FRACTION = 0.15  # of a step, from which its pace alone says how long it will take


def ignore_progress(stage: Stage, fraction: float) -> None:
    """For callers who do not want to know."""


class OverallProgress:
    """The share of the whole time that has passed, judged by what has passed and what is probably left. It never falls.

    `expected` gives each step's probable seconds in the order in which they run, corrected as a step shows its pace;
    `proportions` those of later steps that follow from an earlier one's, in the same order: {"later": ("earlier",
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
        self._began = clock()
        self._fraction = 0.0

    def step(self, name: str) -> Progress:
        """Begin the step `name`, all before it being over; returns what takes the step's own fractions."""
        began, probable = self._clock(), self._expected[name]
        steps = list(self._expected)
        following = steps[steps.index(name) + 1 :]

        def report(stage: Stage, fraction: float) -> None:
            now = self._clock()
            left = _left(min(fraction, 1.0), now - began, probable)
            self._learn(name, now - began + left)
            whole = now - self._began + left + sum(self._expected[step] for step in following)
            share = (now - self._began) / whole if whole else 0.0
            self._fraction = max(self._fraction, 1.0 if fraction >= 1 and not following else min(share, 0.999))
            self._progress(stage, self._fraction)

        return report

    def _learn(self, name: str, seconds: float) -> None:
        self._expected[name] = seconds
        learned = {name}
        for later, (earlier, factor) in self._proportions.items():
            if earlier in learned:
                self._expected[later] = factor * self._expected[earlier]
                learned.add(later)


def _left(fraction: float, passed: float, probable: float) -> float:
    """Seconds of a step that are left: first by what was probable, then more and more by the step's own pace."""
    if not fraction:
        return probable
    trust = min(1.0, fraction / TELLING_FRACTION)
    return (1 - fraction) * (trust * passed / fraction + (1 - trust) * probable)


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
