"""Writing WAV files whose length is known beforehand, with silence left as holes in the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from .decoding import Block, to_float
from .types import MediaInfo

PCM, IEEE_FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of the GUIDs KSDATAFORMAT_SUBTYPE_PCM and _IEEE_FLOAT
SPEAKER_POSITIONS = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")  # dwChannelMask from bit 0
LARGEST_RIFF = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How samples lie in a file: little-endian, `bits` of 8 (unsigned), 16, 24 or 32, or 32-bit floating point."""

    bits: int
    floating: bool

    @property
    def width(self) -> int:
        """Bytes per sample."""
        return self.bits // 8

    @classmethod
    def of_source(cls, media: MediaInfo) -> SampleFormat:
        """The source's own depth. 16 bits for lossy sources: their coding noise lies far above its quantization, and
        they have no depth of their own.
        """
        if media.floating:
            return cls(32, floating=True)
        return cls(next(bits for bits in (8, 16, 24, 32) if bits >= min(media.bits or 16, 32)), floating=False)

    def encode(self, block: Block) -> bytes:
        """`block` in its source's format. Floating point from lossy codecs is clipped at full scale, not wrapped."""
        if self.floating:
            return to_float(block).astype("<f4", copy=False).tobytes()
        if block.dtype == np.float32:
            block = np.clip(np.rint(block * np.float32(1 << 15)), -(1 << 15), (1 << 15) - 1).astype(np.int16)
        stored = 8 * block.itemsize
        if self.bits == 8:
            return (block if stored == 8 else (block >> (stored - 8)) + 128).astype(np.uint8).tobytes()
        if self.bits == 24:
            octets = np.ascontiguousarray(block.astype("<i4", copy=False)).view(np.uint8)
            return octets.reshape(-1, 4)[:, 1:].tobytes()
        return (block >> (stored - self.bits)).astype(f"<i{self.width}", copy=False).tobytes()


class WavWriter:
    """Writes `frames` frames into a new file `path`; RF64 (EBU Tech 3306) where 4 GiB do not hold them.

    Frames that are skipped read as silence and take no disk space where the file system knows holes.
    """

    def __init__(self, path: Path, media: MediaInfo, frames: int) -> None:
        self.format = SampleFormat.of_source(media)
        self._frame_bytes = self.format.width * media.channels
        self._data_bytes = frames * self._frame_bytes
        self._file = path.open("wb", buffering=1 << 18)
        self._file.write(_header(media, self.format, frames))
        self._end = self._file.tell() + self._data_bytes

    def write(self, block: Block) -> None:
        """Append frames, shape (frames, channels)."""
        self._file.write(self.format.encode(block))

    def skip(self, frames: int) -> None:
        """Append silence."""
        if self.format.bits == 8:
            self._file.write(b"\x80" * (frames * self._frame_bytes))
        else:
            self._file.seek(frames * self._frame_bytes, 1)

    def close(self) -> None:
        """Finish the file. Raises ValueError where more or fewer frames came than were announced."""
        with self._file:
            if self._file.tell() != self._end:
                raise ValueError(f"{self._file.tell() - self._end} bytes more than the header says")
            self._file.truncate(self._end + self._data_bytes % 2)

    def abandon(self) -> None:
        """Close the file as it is. Does nothing once it is closed."""
        self._file.close()


def _header(media: MediaInfo, sample: SampleFormat, frames: int) -> bytes:
    data_bytes = frames * sample.width * media.channels
    chunks = _chunk(b"fmt ", _format_chunk(media, sample))
    if sample.floating:
        chunks += _chunk(b"fact", struct.pack("<I", min(frames, LARGEST_RIFF)))
    riff_bytes = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= LARGEST_RIFF:
        return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVE" + chunks + b"data" + struct.pack("<I", data_bytes)
    large = struct.pack("<I", LARGEST_RIFF)
    sizes = _chunk(b"ds64", struct.pack("<QQQI", riff_bytes + 36, data_bytes, frames, 0))
    return b"RF64" + large + b"WAVE" + sizes + chunks + b"data" + large


def _format_chunk(media: MediaInfo, sample: SampleFormat) -> bytes:
    kind = IEEE_FLOAT if sample.floating else PCM
    frame_bytes = sample.width * media.channels
    rates = struct.pack("<IIHH", media.sample_rate, media.sample_rate * frame_bytes, frame_bytes, sample.bits)
    if media.channels <= 2:
        return struct.pack("<HH", kind, media.channels) + rates + (b"\0\0" if sample.floating else b"")
    extension = struct.pack("<HHIH", 22, sample.bits, _channel_mask(media), kind) + SUBFORMAT_TAIL
    return struct.pack("<HH", EXTENSIBLE, media.channels) + rates + extension


def _channel_mask(media: MediaInfo) -> int:
    """0, which means unnamed, unless every channel has a name that WAV knows."""
    names = [channel.name for channel in av.AudioLayout(media.layout).channels]
    if not all(name in SPEAKER_POSITIONS for name in names):
        return 0
    return sum(1 << SPEAKER_POSITIONS.index(name) for name in names)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body
