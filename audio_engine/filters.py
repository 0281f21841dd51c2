"""FFmpeg's audio filters between blocks of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from .sound import Equalizer
from .types import MediaInfo

Signal = npt.NDArray[np.float32]
"""Shape (samples, channels), full scale 1.0."""

Filter = tuple[str, str]
"""A filter's name and its arguments, as FFmpeg's documentation has them."""

HIGHEST = 0.45  # of the sample rate; a filter set at what lies above would be none

# What is heard as muddy lies around 250 Hz, what makes words clear around 3 kHz: frequency and gain of each band.
EQUALIZER_BANDS: dict[Equalizer, tuple[tuple[str, float, float], ...]] = {
    "balanced": (("highpass", 60, 0), ("equalizer", 250, -1.5), ("equalizer", 3000, 1.5), ("treble", 9000, 1)),
    "vocal": (("highpass", 80, 0), ("equalizer", 250, -3), ("equalizer", 3000, 4), ("treble", 9000, 2)),
    "bass_boost": (("highpass", 30, 0), ("bass", 110, 6)),
}
COMPRESSOR: Filter = ("acompressor", "threshold=-24dB:ratio=3:attack=5:release=120:knee=6:makeup=6dB")


def equalizer(preset: Equalizer, rate: int) -> list[Filter]:
    return [_band(*band) for band in EQUALIZER_BANDS[preset] if band[1] < HIGHEST * rate]


def _band(name: str, hertz: float, gain: float) -> Filter:
    shape = {"highpass": "", "equalizer": f":width_type=o:width=1.5:gain={gain}"}.get(name, f":gain={gain}")
    return name, f"frequency={hertz}{shape}"


def filtered(blocks: Iterable[Signal], filters: Sequence[Filter], media: MediaInfo) -> Iterator[Signal]:
    """`blocks` of the rate and channels of `media` through `filters`, as many samples in all, in blocks of a second."""
    return in_seconds(_pulled(blocks, filters, media) if filters else blocks, media.sample_rate)


def in_seconds(pieces: Iterable[Signal], rate: int) -> Iterator[Signal]:
    """The same samples in blocks of `rate` samples, the last one shorter."""
    waiting: list[Signal] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= rate:
            joined = np.concatenate(waiting)
            whole = len(joined) // rate * rate
            yield from np.split(joined[:whole], range(rate, whole, rate))
            waiting = [joined[whole:]]
    if sum(map(len, waiting)):
        yield np.concatenate(waiting)


def _pulled(blocks: Iterable[Signal], filters: Sequence[Filter], media: MediaInfo) -> Iterator[Signal]:
    chain = Chain(filters, media.sample_rate, media.channels, media.layout)
    for block in blocks:
        yield from chain.push(block)
    yield from chain.push(None)


class Chain:
    """Filters one after the other, which remember what has passed. `double` has them compute in float64."""

    def __init__(
        self, filters: Sequence[Filter], rate: int, channels: int, layout: str = "", *, double: bool = False
    ) -> None:
        self._rate, self._channels, self._format = rate, channels, "dbl" if double else "flt"
        self._layout = av.AudioLayout(layout or f"{channels}c").name
        self._graph = av.filter.Graph()
        self._source = self._graph.add_abuffer(format=self._format, sample_rate=rate, layout=self._layout)
        self._sink = self._graph.add("abuffersink")
        inner = (self._graph.add(*each) for each in (*filters, ("aformat", f"sample_fmts={self._format}")))
        for node, following in pairwise((self._source, *inner, self._sink)):
            node.link_to(following)
        self._graph.configure()
        self._position = 0

    def push(self, block: Signal | None) -> Iterator[npt.NDArray[Any]]:
        """What comes out when `block`, shape (samples, channels), has gone in, or with None when nothing more comes."""
        self._source.push(None if block is None else self._frame(block))
        while True:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            yield frame.to_ndarray().reshape(-1, self._channels)

    def _frame(self, block: Signal) -> AudioFrame:
        packed: npt.NDArray[Any] = np.asarray(block, np.float64 if self._format == "dbl" else np.float32, order="C")
        frame = AudioFrame.from_ndarray(packed.reshape(1, -1), format=self._format, layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._position
        self._position += len(block)
        return frame
