"""Recordings that nobody vouches for: opening them safely and saying what they are."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from .errors import EngineError
from .playlists import playlist_format
from .timeline import Timeline
from .types import MediaInfo, MediaLimits

SHORTEST_SECONDS = 0.1

FORMATS = (
    "wav,w64,aiff,au,caf,flac,tta,wv,mp3,aac,ac3,eac3,dts,amr,amrnb,amrwb,ogg,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,flv,mpeg,mpegts"
)
COMPRESSED = (
    "aac,aac_latm,ac3,eac3,alac,amrnb,amrwb,dca,flac,g722,g723_1,g726,g726le,g729,gsm,gsm_ms,ilbc,mlp,truehd,"
    "mp1,mp1float,mp2,mp2float,mp3,mp3float,nellymoser,opus,libopus,qcelp,evrc,qdm2,speex,tta,vorbis,wavpack,"
    "wmalossless,wmapro,wmav1,wmav2,wmavoice"
)
CODECS = {*COMPRESSED.split(","), *(name for name in av.codecs_available if name.startswith(("pcm_", "adpcm_")))}

# A whitelist of protocols that names none: FFmpeg reads through our file object and can open nothing by itself. The
# codec whitelist keeps it from running video decoders while it looks for the streams' parameters.
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "none", "codec_whitelist": ",".join(sorted(CODECS))}

LOOK_BYTES = 4096  # of what is no recording, to say what it is
FIRST_FRAMES = 16  # decoding so many proves that a stream decodes


class Slice(io.RawIOBase):
    """A stretch of a file, read-only and nameless: FFmpeg gets bytes and nothing else to draw conclusions from."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._start, self._end = start, end
        self._file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        room = max(0, self._end - self._file.tell())
        return self._file.readinto(memoryview(buffer)[:room]) or 0

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}[whence]
        return self._file.seek(min(max(base + offset, self._start), self._end)) - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


def slices(path: Path) -> list[tuple[int, int]]:
    """The byte ranges of `path` that are recordings of their own: several in chained Ogg, else one.

    FFmpeg stops, or worse, at a chained Ogg's second stream where its rate or codec differs.
    """
    size = check_file(path)
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return [(0, size)]
        starts = list(_ogg_links(file, size))
    return list(zip(starts, [*starts[1:], size], strict=True))


def check_file(path: Path) -> int:
    """The size of `path`, a regular file with something in it. Raises EngineError INVALID_AUDIO_FORMAT."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise EngineError("INVALID_AUDIO_FORMAT", f"The recording cannot be read: {error}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise EngineError("INVALID_AUDIO_FORMAT", "The recording is not a regular file.")
    if found.st_size == 0:
        raise EngineError("INVALID_AUDIO_FORMAT", "The file is empty.")
    return found.st_size


def _ogg_links(file: io.BufferedReader, size: int) -> Iterator[int]:
    """Where each link of a chained Ogg starts: at the first of its pages that begin a stream (RFC 3533)."""
    position, in_heads = 0, False
    while position < size:
        file.seek(position)
        header = file.read(27)
        if len(header) < 27 or header[:4] != b"OggS":
            return
        begins = bool(header[5] & 2)
        if begins and not in_heads:
            yield position
        in_heads = begins
        lacing = file.read(header[26])
        position += 27 + len(lacing) + sum(lacing)


@contextmanager
def open_slice(path: Path, start: int, end: int) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open one recording of `path` with its audio stream: the default one, else the one FFmpeg thinks best.

    Raises EngineError INVALID_AUDIO_FORMAT or NO_AUDIO_STREAM.
    """
    with Slice(path, start, end) as file:
        try:
            container = av.open(file, "r", options=OPEN_OPTIONS, metadata_errors="ignore", buffer_size=1 << 17)
        except (av.FFmpegError, ValueError) as error:
            raise _not_a_recording(path) from error
        with container:
            if not container.streams.audio:
                raise EngineError("NO_AUDIO_STREAM", "The file holds no audio track.")
            best = container.streams.best("audio")
            stream = best if isinstance(best, AudioStream) else container.streams.audio[0]
            if stream.codec_context is None or stream.codec_context.codec.name not in CODECS:
                raise EngineError("INVALID_AUDIO_FORMAT", "The audio codec is not supported.")
            for other in container.streams:
                if other is not stream:
                    other.discard = Discard.all
            yield container, stream


def _not_a_recording(path: Path) -> EngineError:
    with path.open("rb") as file:
        playlist = playlist_format(file.read(LOOK_BYTES))
    if playlist:
        message = f"The file is a playlist ({playlist}), which only names recordings; send one of them."
        return EngineError("INVALID_AUDIO_FORMAT", message, details={"playlist": playlist})
    return EngineError(
        "INVALID_AUDIO_FORMAT", "The file is not audio or video in a supported format, or it is damaged."
    )


class PacketDecoder:
    """Decodes a stream's packets one at a time. Opus goes through libopus: FFmpeg's own decoder bursts to seven times
    full scale where a stream switches from SILK to CELT.
    """

    def __init__(self, stream: AudioStream) -> None:
        self._context = stream.codec_context
        if self._context.codec.canonical_name == "opus" and "libopus" in av.codecs_available:
            self._context = av.CodecContext.create("libopus", "r")
            self._context.extradata = stream.codec_context.extradata
            self._context.options = {"request_sample_fmt": "flt"}

    def frames(self, packet: Packet[AudioStream]) -> list[AudioFrame] | None:
        """The frames of `packet`, None where it is damaged."""
        try:
            return [frame for frame in self._context.decode(packet) if frame.samples]
        except (av.FFmpegError, ValueError):
            return None


def packets(container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The stream's packets up to where the container breaks off, then the empty one that flushes the decoder."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return


def probe(path: Path, limits: MediaLimits = MediaLimits()) -> MediaInfo:  # noqa: B008 - frozen
    """Say what a recording is and, by its packets, how long; its first frames are decoded to see that they can be.

    Raises EngineError: INVALID_AUDIO_FORMAT, NO_AUDIO_STREAM, AUDIO_TOO_SHORT, AUDIO_TOO_LONG, UNUSABLE_AUDIO.
    """
    parts: list[MediaInfo] = []
    for start, end in slices(path):
        try:
            parts.append(_probe_slice(path, start, end, limits))
        except EngineError:
            if not parts:  # what follows a sound beginning may be damaged
                raise
    info = replace(parts[0], seconds=sum(part.seconds for part in parts))
    check_length(info.seconds, limits)
    return info


def _probe_slice(path: Path, start: int, end: int, limits: MediaLimits) -> MediaInfo:
    with open_slice(path, start, end) as (container, stream):
        check_shape(stream.codec_context.sample_rate, stream.codec_context.channels, limits)
        decoder = PacketDecoder(stream)
        timeline = Timeline(container, stream, stream.codec_context.sample_rate)
        first: list[AudioFrame] = []
        anything = False
        frames_a_tick = float(stream.time_base or 0) * stream.codec_context.sample_rate
        for packet in packets(container, stream):
            anything = anything or packet.size > 0
            if len(first) < FIRST_FRAMES:
                first += decoder.frames(packet) or []
            if duration := packet.duration:
                end = timeline.expected(packet.pts) + round(duration * frames_a_tick)
                timeline.position = max(timeline.position, end)
        if not anything:
            raise EngineError("AUDIO_TOO_SHORT", "The audio track is empty.")
        if not first:
            raise EngineError("INVALID_AUDIO_FORMAT", "No part of the audio can be decoded.")
        check_shape(first[0].sample_rate, len(first[0].layout.channels), limits)
        bits = _lossless_bits(stream, first)
        return MediaInfo(
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            sample_rate=first[0].sample_rate,
            channels=len(first[0].layout.channels),
            bits=bits,
            floating=bits is not None and first[0].format.name.startswith(("flt", "dbl")),
            seconds=timeline.position / stream.codec_context.sample_rate,
            layout=first[0].layout.name,
        )


def check_shape(rate: int, channels: int, limits: MediaLimits) -> None:
    """Raises EngineError UNUSABLE_AUDIO for the rate, INVALID_AUDIO_FORMAT for the number of channels."""
    if not limits.minimum_rate <= rate <= limits.maximum_rate:
        raise EngineError(
            "UNUSABLE_AUDIO",
            f"The sample rate is {rate} Hz; it must be from {limits.minimum_rate} to {limits.maximum_rate} Hz.",
            details={"sample_rate": rate},
        )
    if not 1 <= channels <= limits.channels:
        raise EngineError(
            "INVALID_AUDIO_FORMAT",
            f"The recording has {channels} channels; it must have from 1 to {limits.channels}.",
            details={"channels": channels},
        )


def check_length(seconds: float, limits: MediaLimits) -> None:
    """Raises EngineError AUDIO_TOO_SHORT or AUDIO_TOO_LONG."""
    if seconds < SHORTEST_SECONDS:
        raise EngineError(
            "AUDIO_TOO_SHORT", f"The recording lasts {seconds:.3f} s; at least {SHORTEST_SECONDS} s are needed."
        )
    if seconds > limits.seconds:
        raise EngineError(
            "AUDIO_TOO_LONG",
            f"The recording is longer than {limits.seconds:.0f} s.",
            details={"maximum_seconds": limits.seconds},
        )


def _lossless_bits(stream: AudioStream, frames: list[AudioFrame]) -> int | None:
    """Bits per sample of a lossless stream. FFmpeg hides them behind sample formats of 8, 16 and 32 bits."""
    codec = stream.codec_context.codec
    if not codec.lossless or (codec.lossy and codec.name != "wavpack"):
        return None
    if named := re.search(r"^pcm_[sfu](\d+)", codec.name):
        return int(named[1])
    if codec.name == "flac" and (extradata := stream.codec_context.extradata):
        stream_info = extradata[8:] if extradata.startswith(b"fLaC") else extradata
        return (int.from_bytes(stream_info[10:18], "big") >> 36 & 31) + 1
    bits = frames[0].format.bits
    low_bytes_used = bits == 32 and any((frame.to_ndarray().view(np.uint32) & 0xFF).any() for frame in frames)
    return bits if bits != 32 or low_bytes_used or frames[0].format.name.startswith("flt") else 24
