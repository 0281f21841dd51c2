"""Bringing a recording to a loudness (EBU R 128) without letting its peaks go over what players can play."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .filters import Filter, Signal, filtered
from .loudness import LoudnessMeter
from .types import MediaInfo

LIMIT_DB = -1.5  # of samples, so that what a player makes between them stays under R 128's -1 dBTP
CLOSE_ENOUGH = 0.1  # LU
MOST_TRIALS = 10
MOST_LIMITED = 80.0  # dB that the limiter may have to take away
MOST_STEP = 20.0  # dB from one trial to the next
LEAST_SLOPE, MOST_SLOPE = 0.05, 1.0  # LU that a dB of gain is taken to bring under the limiter

Blocks = Callable[[], Iterator[Signal]]
"""Gives a recording anew, in blocks of a second."""


@dataclass(frozen=True, slots=True)
class Level:
    loudness: float | None  # LUFS; None where nothing is above R 128's gate
    peak: float  # 1.0 is full scale


def measure(blocks: Iterable[Signal], media: MediaInfo) -> Level:
    meter = LoudnessMeter(media.sample_rate, media.layout, media.channels)
    peak, samples = 0.0, 0
    for second, block in enumerate(blocks):
        meter.feed(block, second)
        peak = max(peak, float(np.abs(block).max(initial=0)))
        samples += len(block)
    return Level(meter.integrated(samples / media.sample_rate), peak)


def filters_for(blocks: Blocks, media: MediaInfo, target: float) -> tuple[Filter, ...]:
    """What brings a recording to `target` LUFS, or as near as its peaks allow; nothing for one that has no loudness.

    Where the gain drives peaks into the limiter, which takes loudness away, it is tried until the loudness fits.
    """
    level = measure(blocks(), media)
    if level.loudness is None:
        return ()
    gain, room = target - level.loudness, LIMIT_DB - 20 * float(np.log10(level.peak))
    if gain <= room:
        return (_volume(gain),)

    def reached(gain: float) -> float | None:
        return measure(filtered(blocks(), _limited(gain), media), media).loudness

    return _limited(_searched(reached, gain, target, room + MOST_LIMITED))


def _searched(reached: Callable[[float], float | None], gain: float, target: float, most: float) -> float:
    """The gain up to `most` with which what is `reached` comes nearest to the target, from `gain` on. Loudness rises
    with the gain, but ever less: by the secant method, or by halves where that leads beyond what was too much.
    """
    tried: list[tuple[float, float]] = []
    while len(tried) < MOST_TRIALS and (loudness := reached(gain)) is not None:
        tried.append((gain, loudness))
        if abs(target - loudness) <= CLOSE_ENOUGH or (gain >= most and loudness < target):
            break
        step = float(np.clip((target - loudness) / _slope(tried[-2:]), -MOST_STEP, MOST_STEP))
        too_little = max((each for each, found in tried if found < target), default=gain - MOST_STEP)
        too_much = min((each for each, found in tried if found > target), default=most)
        gain = gain + step if too_little < gain + step <= too_much else (too_little + too_much) / 2
    return min(tried, key=lambda each: abs(target - each[1]))[0] if tried else gain


def _slope(tried: Sequence[tuple[float, float]]) -> float:
    if len(tried) < 2:
        return MOST_SLOPE
    (first, before), (last, after) = tried
    return float(np.clip((after - before) / (last - first), LEAST_SLOPE, MOST_SLOPE))


def _limited(gain: float) -> tuple[Filter, ...]:
    return _volume(gain), ("alimiter", f"limit={_factor(LIMIT_DB):.6f}:attack=5:release=50:level=0:latency=1")


def _volume(gain: float) -> Filter:
    return "volume", f"volume={gain:.3f}dB:precision=float"


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
