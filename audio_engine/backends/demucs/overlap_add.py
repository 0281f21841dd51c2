"""What demucs.apply does with a recording in memory, segment by segment from disk: the same segments with the same
surroundings, faded into each other by the same triangle. Only segments that are not finished are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch

from ...memory import Samples
from ...mixing import Mix
from ..devices import Outputs, release_cache
from .networks import Networks

OVERLAP = 0.25  # of a segment with the next
LEAST_DEVIATION = 1e-8  # so that silence stays silence

Piece = tuple[int, int]  # where a segment starts, and of which pair it is


def separate(networks: Networks, mix: Mix, wanted: frozenset[str]) -> Iterator[Mapping[str, Samples]]:
    """The `wanted` sources of `mix` in stretches that follow each other, each of shape (frames, 2 * pairs)."""
    size = networks.segment
    stride = int((1 - OVERLAP) * size)
    sources = [source for source in networks.sources if source in wanted]
    fading = [FadingSum(len(sources), size, stride) for _ in mix.levels]
    try:
        for batch, estimates in _estimated(networks, mix, wanted, stride):
            for (start, pair), estimate in zip(batch, estimates, strict=True):
                fading[pair].add(_trimmed(estimate, min(size, mix.frames - start)))
                if pair == len(mix.levels) - 1:
                    yield _finished(sources, mix, [each.take(mix.frames - start) for each in fading])
    finally:
        release_cache()


def _estimated(
    networks: Networks, mix: Mix, wanted: frozenset[str], stride: int
) -> Iterator[tuple[list[Piece], Outputs]]:
    """The pieces in batches with what the networks make of them, who go on to the next while this one is written."""
    pieces = ((start, pair) for start in range(0, mix.frames, stride) for pair in range(len(mix.levels)))
    estimate, size = networks.estimator(wanted), networks.batch

    def work(batch: list[Piece]) -> Outputs:
        return estimate(torch.from_numpy(np.stack([_segment(mix, *piece, networks.segment) for piece in batch])))

    with ThreadPoolExecutor(1) as ahead:
        batch = list(islice(pieces, size))
        waiting = ahead.submit(work, batch)
        while following := list(islice(pieces, size)):
            estimates, waiting = waiting.result(), ahead.submit(work, following)
            yield batch, estimates
            batch = following
        yield batch, waiting.result()


def _segment(mix: Mix, start: int, pair: int, size: int) -> Outputs:
    """The piece from `start` on of a pair at unit level, shape (2, size), in the middle of what is around it where the
    recording ends before it does; silence beyond the recording's ends.
    """
    lacking = size - min(size, mix.frames - start)
    first = start - lacking // 2
    low, high = max(0, first), min(mix.frames, first + size)
    level = mix.levels[pair]
    heard = mix.read(low, high)[:, 2 * pair : 2 * pair + 2]
    segment = np.zeros((2, size), dtype=np.float32)
    segment[:, low - first : high - first] = ((heard - level.mean) / (level.deviation + LEAST_DEVIATION)).T
    return segment


def _trimmed(estimate: Outputs, length: int) -> Outputs:
    """The middle of shape (sources, 2, length)."""
    before = (estimate.shape[-1] - length) // 2
    return estimate[..., before : before + length]


def _finished(sources: list[str], mix: Mix, parts: list[Outputs]) -> dict[str, Samples]:
    """Each pair's estimates, shape (sources, 2, frames), at the recording's level."""
    found = np.concatenate(
        [
            part * np.float32(level.deviation + LEAST_DEVIATION) + np.float32(level.mean)
            for part, level in zip(parts, mix.levels, strict=True)
        ],
        axis=1,
    )
    return {source: found[number].T for number, source in enumerate(sources)}


class FadingSum:
    """Adds segments up, each of which begins `stride` after the one before, by weights that are 1 in their middle."""

    def __init__(self, sources: int, size: int, stride: int) -> None:
        rising = np.arange(1, size // 2 + 1)
        falling = np.arange(size - size // 2, 0, -1)
        weights = np.concatenate([rising, falling]).astype(np.float32)
        self._fade = weights / weights.max()
        self._stride = stride
        self._sum = np.zeros((sources, 2, size), dtype=np.float32)
        self._weight = np.zeros(size, dtype=np.float32)

    def add(self, segment: Outputs) -> None:
        """Shape (sources, 2, frames), the last one shorter."""
        length = segment.shape[-1]
        self._sum[..., :length] += self._fade[:length] * segment
        self._weight[:length] += self._fade[:length]

    def take(self, left: int) -> Outputs:
        """What no later segment reaches, of the recording's `left` frames from where the last segment began."""
        done = min(self._stride, left)
        finished: Outputs = self._sum[..., :done] / self._weight[:done]
        for each in (self._sum, self._weight):
            each[..., : -self._stride] = each[..., self._stride :].copy()
            each[..., -self._stride :] = 0
        return finished
