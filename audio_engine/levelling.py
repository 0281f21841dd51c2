"""Bringing a recording to a loudness (EBU R 128) without letting its peaks go over what players can play."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .filters import Filter, Signal, filtered
from .loudness import LoudnessMeter
from .types import MediaInfo

LIMIT_DB = -1.5  # of samples, so that what a player makes between them stays under R 128's -1 dBTP
CLOSE_ENOUGH = 0.1  # LU
MOST_TRIALS = 6

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
    """What brings a recording to `target` LUFS; nothing for one too silent to have a loudness.

    Where the gain drives peaks into the limiter, which takes loudness away, it is tried until the loudness fits.
    """
    level = measure(blocks(), media)
    if level.loudness is None:
        return ()
    gain = target - level.loudness
    if level.peak * _factor(gain) <= _factor(LIMIT_DB):
        return (_volume(gain),)
    for _ in range(MOST_TRIALS):
        filters = (_volume(gain), ("alimiter", f"limit={_factor(LIMIT_DB):.6f}:attack=5:release=50:level=0:latency=1"))
        reached = measure(filtered(blocks(), filters, media), media).loudness
        if reached is None or abs(target - reached) <= CLOSE_ENOUGH:
            break
        gain += target - reached
    return filters


def _volume(gain: float) -> Filter:
    return "volume", f"volume={gain:.3f}dB:precision=float"


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
