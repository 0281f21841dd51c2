from __future__ import annotations

import pytest

from audio_engine.progress import OverallProgress
from audio_engine.types import Stage


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(
    expected: dict[str, float], actual: dict[str, float], proportions: dict[str, tuple[str, float]] | None = None
) -> list[tuple[float, float]]:
    """The share of time really passed and the fraction reported, at every hundredth of each step."""
    clock, reports, whole = Clock(), [], sum(actual.values())

    def take(stage: Stage, fraction: float) -> None:
        reports.append((clock.now / whole, fraction))

    overall = OverallProgress(take, expected, proportions or {"render": ("decode", 2.0)}, clock)
    for name, seconds in actual.items():
        report, began = overall.step(name), clock.now
        for percent in range(1, 101):
            clock.now = began + seconds * percent / 100
            report("decode", percent / 100)
    return reports


@pytest.mark.parametrize("diarize", [20.0, 60.0, 600.0])
def test_the_fraction_is_the_share_of_time_passed_however_wrong_the_expectation(diarize: float) -> None:
    reports = run({"decode": 5, "diarize": 60, "render": 10}, {"decode": 5, "diarize": diarize, "render": 11})
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    for passed, fraction in reports:
        if passed > (6 + 0.15 * diarize) / (16 + diarize):  # once the longest step has shown its pace
            assert fraction == pytest.approx(passed, rel=0.1)


def test_only_the_end_is_the_end() -> None:
    reports = run({"decode": 1, "diarize": 1, "render": 0}, {"decode": 1, "diarize": 1, "render": 3})
    assert all(fraction < 1 for _, fraction in reports[:-1])
    assert reports[-1] == (1, 1)


def test_a_slow_first_step_tells_how_slow_the_machine_is() -> None:
    proportions = {"diarize": ("decode", 7.0), "render": ("diarize", 0.5)}
    expected, actual = {"decode": 1, "diarize": 7, "render": 3.5}, {"decode": 8, "diarize": 50, "render": 30}
    for passed, fraction in run(expected, actual, proportions):
        if passed > 0.1:
            assert fraction == pytest.approx(passed, rel=0.25)


def test_time_that_no_step_foresaw_counts_as_passed() -> None:
    clock, reports = Clock(), []
    overall = OverallProgress(
        lambda _, fraction: reports.append(fraction), {"decode": 1, "diarize": 7}, {"diarize": ("decode", 7.0)}, clock
    )
    decode = overall.step("decode")
    clock.now = 1
    decode("decode", 1.0)
    clock.now = 4  # three seconds in which a network was loaded
    overall.step("diarize")("activity", 0.0)
    assert reports == [pytest.approx(1 / 8), pytest.approx(4 / 11)]
