"""FFmpeg's audio filters between blocks of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from .types import Equalizer, MediaInfo

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
    layout = av.AudioLayout(media.layout) if media.layout else av.AudioLayout(f"{media.channels}c")
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=media.sample_rate, layout=layout.name)
    nodes = [
        source,
        *(graph.add(*each) for each in (*filters, ("aformat", "sample_fmts=flt"))),
        graph.add("abuffersink"),
    ]
    for node, following in pairwise(nodes):
        node.link_to(following)
    graph.configure()
    position = 0
    for block in blocks:
        packed = np.ascontiguousarray(block, np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(packed, format="flt", layout=layout.name)
        frame.sample_rate, frame.pts = media.sample_rate, position
        position += len(block)
        source.push(frame)
        yield from _waiting(nodes[-1], media.channels)
    source.push(None)
    yield from _waiting(nodes[-1], media.channels)


def _waiting(sink: av.filter.context.FilterContext, channels: int) -> Iterator[Signal]:
    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, AudioFrame)
        yield np.asarray(frame.to_ndarray(), np.float32).reshape(-1, channels)
