"""A recording's samples as they are, streamed on one gapless timeline.

Every consumer that reads the same file gets the same frames at the same places: the signal for diarization and the
tracks are made in two passes over it, which costs less than keeping hours of decoded sound on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler

from .errors import EngineError
from .media import PacketDecoder, check_length, check_shape, open_slice, packets, slices
from .timeline import Timeline
from .types import MediaLimits

Block = npt.NDArray[Any]
"""Shape (frames, channels), dtype uint8, int16, int32 or float32. 24-bit samples are the upper bytes of an int32."""

# Streams of bare frames: what could not be decoded can only be timed by its size.
BARE_FORMATS = ("mp3", "aac", "ac3", "eac3", "dts")
ANY_TIME_BASE = Fraction(1, 1)
LARGEST_SAMPLE = 2.0**24  # 144 dB over full scale: no sound but damage, as are NaN and infinity
STORED_AS = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


def to_float(block: Block) -> npt.NDArray[np.float32]:
    """`block` as float32 with full scale 1.0, same shape."""
    if block.dtype == np.uint8:
        return (block.astype(np.float32) - np.float32(128)) / np.float32(128)
    if block.dtype == np.float32:
        return block
    return block.astype(np.float32) / np.float32(-int(np.iinfo(block.dtype).min))


def from_float(signal: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Block:
    """The reverse of `to_float`, limited to what `dtype` holds."""
    if dtype == np.float32:
        return signal.astype(np.float32)
    if dtype == np.uint8:
        return np.rint(signal * 128 + 128).clip(0, 255).astype(np.uint8)
    limits = np.iinfo(dtype)
    return np.rint(signal.astype(np.float64) * -limits.min).clip(limits.min, limits.max).astype(dtype)


def silence(like: Block, frames: int) -> Block:
    """`frames` frames of digital silence of the type and channels of `like`."""
    return np.full((frames, like.shape[1]), 128 if like.dtype == np.uint8 else 0, dtype=like.dtype)


class Decoder:
    """Decodes one file once. After `blocks` is exhausted its counters hold for the whole recording.

    The first frame decoded sets rate, channels and sample type; later frames of other kinds are converted to them.
    Samples that are no possible sound (NaN, infinity, absurd size) become 0. What is damaged or missing becomes
    silence of the same length.
    """

    def __init__(self, path: Path, limits: MediaLimits) -> None:
        self.rate = 0  # Hz, from the first block on
        self.frames = 0
        self.missing_frames = 0
        self.invalid_samples = 0
        self._path, self._limits = path, limits
        self._kind: Kind | None = None
        self._resampler: AudioResampler | None = None
        self._resampling: Kind | None = None

    def blocks(self) -> Iterator[Block]:
        """The recording in blocks of exactly one second, the last one shorter.

        Raises EngineError INVALID_AUDIO_FORMAT where nothing decodes, AUDIO_TOO_LONG and AUDIO_TOO_SHORT by what was
        decoded, UNUSABLE_AUDIO where no sample is valid.
        """
        waiting = AudioFifo()
        for frame in self._frames():
            frame.pts, frame.time_base = None, ANY_TIME_BASE  # which the queue would compare with its first frame's
            waiting.write(frame)
            while waiting.samples >= self.rate:
                yield self._checked(_array(waiting.read(self.rate)))
        if waiting.samples:
            yield self._checked(_array(waiting.read(waiting.samples)))
        self._check_whole()

    def _checked(self, block: Block) -> Block:
        self.frames += len(block)
        if self.frames > self._limits.seconds * self.rate:
            check_length(self.frames / self.rate, self._limits)
        if block.dtype == np.float32 and not max(block.max(), -block.min()) <= LARGEST_SAMPLE:  # NaN compares false
            valid = np.abs(block) <= LARGEST_SAMPLE
            self.invalid_samples += int(valid.size - valid.sum())
            return np.where(valid, block, np.float32(0))
        return block

    def _check_whole(self) -> None:
        if self._kind is None:
            raise EngineError("INVALID_AUDIO_FORMAT", "No part of the audio can be decoded.")
        check_length(self.frames / self.rate, self._limits)
        if self.invalid_samples == (self.frames - self.missing_frames) * self._kind.layout.nb_channels:
            raise EngineError("UNUSABLE_AUDIO", "Not one sample of the recording is a valid number.")

    def _frames(self) -> Iterator[AudioFrame]:
        for start, end in slices(self._path):
            try:
                yield from self._slice(start, end)
            except EngineError:
                if self._kind is None:  # what follows a sound beginning may be damaged
                    raise

    def _slice(self, start: int, end: int) -> Iterator[AudioFrame]:
        with open_slice(self._path, start, end) as (container, stream):
            decoder = PacketDecoder(stream)
            bare = container.format.name in BARE_FORMATS
            timeline: Timeline | None = None
            good_bytes = good_frames = 0
            for packet in packets(container, stream):
                frames = decoder.frames(packet)
                if frames is None and bare and good_bytes:
                    yield from self._gap(packet.size * good_frames // good_bytes)
                for frame in frames or ():
                    kind = Kind.of(frame)
                    self._begin(kind)
                    timeline = timeline or Timeline(container, stream, self.rate)
                    missing = timeline.gap(frame.pts)
                    yield from self._gap(missing)
                    timeline.position += missing + round(frame.samples * self.rate / kind.rate)
                    yield from self._converted(frame, kind)
                    good_frames += frame.samples
                good_bytes += packet.size if frames else 0
            yield from self._drain()

    def _begin(self, kind: Kind) -> None:
        if self._kind is None:
            check_shape(kind.rate, kind.layout.nb_channels, self._limits)
            self._kind, self.rate = kind, kind.rate

    def _gap(self, frames: int) -> Iterator[AudioFrame]:
        if frames:
            assert self._kind is not None
            yield from self._drain()
            self.missing_frames += frames
            for start in range(0, frames, self.rate):
                yield self._kind.silence(min(self.rate, frames - start))

    def _converted(self, frame: AudioFrame, kind: Kind) -> Iterator[AudioFrame]:
        if kind != self._resampling:
            yield from self._drain()
        if kind == self._kind:
            yield frame
            return
        if self._resampler is None:
            assert self._kind is not None
            self._resampler = AudioResampler(self._kind.format, self._kind.layout, self._kind.rate)
            self._resampling = kind
        frame.pts = None
        yield from self._resampler.resample(frame)

    def _drain(self) -> Iterator[AudioFrame]:
        if self._resampler is not None:
            yield from self._resampler.resample(None)
        self._resampler = self._resampling = None


class Kind(NamedTuple):
    """What two frames must have in common to follow each other without conversion."""

    rate: int
    layout: AudioLayout
    format: str

    @classmethod
    def of(cls, frame: AudioFrame) -> Kind:
        return cls(frame.sample_rate, frame.layout, frame.format.name)

    def silence(self, frames: int) -> AudioFrame:
        frame = AudioFrame(self.format, self.layout, frames)
        frame.sample_rate = self.rate
        for plane in frame.planes[: self.layout.nb_channels]:
            plane.update(bytes([128 if self.format.startswith("u8") else 0]) * plane.buffer_size)
        return frame


def _array(frame: AudioFrame | None) -> Block:
    assert frame is not None  # the queue has as many samples as it says
    # Frame.to_ndarray reads past the planes of a frame with eight of them, as PyAV 18.1 counts nine.
    channels = frame.layout.nb_channels
    dtype = np.dtype(STORED_AS[frame.format.packed.name])
    if frame.format.is_planar:
        samples: Block = np.empty((frame.samples, channels), dtype)
        for channel, plane in enumerate(frame.planes[:channels]):
            samples[:, channel] = np.frombuffer(memoryview(plane), dtype, frame.samples)
    else:
        samples = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels).reshape(-1, channels)
    if dtype == np.int64:
        return (samples >> 32).astype(np.int32)
    return samples.astype(np.float32) if dtype == np.float64 else samples
