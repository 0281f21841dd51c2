"""Speaker embeddings of short windows, centred on one grid, over the speech of the recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from ...memory import Samples, release_pages
from ...parallel import ordered
from .activity import Mask, Posteriors
from .blocks import block_ranges
from .level import GainCurve
from .packages import PackagedFile

GRID = 40  # mel frames of 10 ms between window centres
HEARD = 0.2  # part of a grid step in which someone speaks
TAKEN_AT_ONCE = 256  # vectors from all over a file: with each come 64 KiB around it

EncoderName = Literal["campplus", "ge2e"]
Centres = npt.NDArray[np.int64]
Listener = Callable[[Centres], npt.NDArray[np.float32]]
"""From window centres, rising numbers of 10 ms frames, to unit vectors of shape (windows, scales, dimension)."""


class Encoder(Protocol):
    """Tells the voices of windows. `scales` are the windows' lengths in 10 ms frames, the shortest first; `batch` grid
    points are best embedded at once."""

    @property
    def packaged(self) -> PackagedFile: ...
    @property
    def scales(self) -> tuple[int, ...]: ...
    @property
    def dimension(self) -> int: ...
    @property
    def batch(self) -> int: ...

    def listener(self, pcm: Samples, gain: GainCurve, speech: Mask) -> Listener:
        """What embeds windows of this recording; `speech` is on 20 ms frames."""


@dataclass(frozen=True)
class Windows:
    """Embedded windows. `centres` (windows,) are 10 ms frame numbers, `alone` (windows,) is the expected part of
    the short window in which one voice speaks, `vectors` (windows, scales, dimension) unit vectors, float16, in a
    file; `scales` as the encoder's."""

    centres: Centres
    alone: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float16]
    scales: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        taken = np.empty((len(rows), *self.vectors.shape[1:]), dtype=np.float32)
        for start, stop in block_ranges(len(rows), TAKEN_AT_ONCE):
            taken[start:stop] = self.vectors[rows[start:stop]]
            release_pages(self.vectors)
        return taken


def window_centres(speech: Mask, overlap: Posteriors, length: int) -> tuple[Centres, npt.NDArray[np.float32]]:
    """Grid points around which anyone speaks, and the expected part of the window of `length` there in which one voice
    does alone. `speech` and the probability of `overlap` are on 20 ms frames."""
    frames = 2 * len(speech)
    centres = np.arange(GRID // 2, max(frames, GRID // 2 + 1), GRID)
    chosen = _share(speech, centres, GRID // 2) > HEARD
    return centres[chosen], _share(speech * (1 - overlap), centres, length // 2)[chosen].astype(np.float32)


def _share(mask: Mask | Posteriors, centres: npt.NDArray[np.int64], half: int) -> npt.NDArray[np.float64]:
    total = np.zeros(len(mask) + 1)
    np.cumsum(mask, dtype=np.float64, out=total[1:])
    low, high = np.clip((centres - half) // 2, 0, len(mask)), np.clip((centres + half) // 2, 0, len(mask))
    return (total[high] - total[low]) / half


def embed(
    pcm: Samples,
    gain: GainCurve,
    speech: Mask,
    overlap: Posteriors,
    encoder: Encoder,
    scratch: Path,
    report: Callable[[float], None],
) -> Windows:
    """Embeds every window of `window_centres`. Scratch takes up to 1 KiB for each."""
    centres, alone = window_centres(speech, overlap, encoder.scales[0])
    shape = (len(centres), len(encoder.scales), encoder.dimension)
    if not len(centres):
        return Windows(centres, alone, np.zeros(shape, dtype=np.float16), encoder.scales)
    listen = encoder.listener(pcm, gain, speech)
    vectors = np.lib.format.open_memmap(scratch / "embeddings.npy", mode="w+", dtype=np.float16, shape=shape)

    def embed_block(block: tuple[int, int]) -> int:
        first, last = np.searchsorted(centres, block).tolist()
        if first < last:
            vectors[first:last] = listen(centres[first:last])
        return int(last)

    for done in ordered(embed_block, _even_blocks(2 * len(speech), encoder.batch * GRID)):
        release_pages(vectors)
        report(done / len(centres))
    return Windows(centres, alone, vectors, encoder.scales)


def _even_blocks(frames: int, most: int) -> list[tuple[int, int]]:
    """Of equal length, on the grid, so that the processors have the same to do."""
    blocks = -(-frames // most)
    return list(block_ranges(frames, -(-frames // (blocks * GRID)) * GRID)) if blocks else []
