"""Recordings of which it is known who speaks when, and some of any length made by looping one of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr

from audio_engine import Turn
from audio_engine.formats import parse_rttm

from .simulated import read

CODECS = {".mp3": ("libmp3lame", 44_100, "fltp"), ".flac": ("flac", 16_000, "s16")}
BIT_RATE = 128_000
HEARD = 16_000

Signal = npt.NDArray[np.float32]


def source(data: Path) -> Path:
    """The conversation that is looped: ten minutes of four speakers."""
    return next((data / "sim" / "s14_10min").glob("mix.*"))


def annotated(data: Path, only: str) -> Iterator[tuple[str, Signal, tuple[Turn, ...]]]:
    """Those of `data`/manifest.csv whose reference a person made and whose name holds `only`: the name, the recording
    at 16 kHz, and who speaks when.
    """
    with (data / "manifest.csv").open() as manifest:
        for row in csv.DictReader(manifest):
            if row["reference"] == "human" and only in row["file"]:
                signal, rate = read(data / row["file"])
                heard = soxr.resample(signal, rate, HEARD).astype(np.float32)
                yield row["file"], heard, parse_rttm((data / row["rttm"]).read_text())


def mono(path: Path, seconds: float) -> Signal:
    """The first so many seconds at 16 kHz, looped where the recording is shorter."""
    signal, rate = read(path)
    heard = soxr.resample(signal, rate, HEARD)
    return np.resize(heard, round(seconds * HEARD)).astype(np.float32)


def write_loop(data: Path, path: Path, seconds: float) -> None:
    """`path` becomes a stereo recording of the kind its suffix says: MP3 at 44.1 kHz or FLAC at 16 kHz."""
    codec, rate, sample_format = CODECS[path.suffix]
    signal, original = read(source(data))
    signal = soxr.resample(signal, original, rate)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        stream.bit_rate = BIT_RATE
        for frame in _frames(signal, rate, sample_format, round(seconds * rate)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(signal: Signal, rate: int, sample_format: str, total: int) -> Iterator[av.AudioFrame]:
    written = 0
    for start in cycle(range(0, len(signal), rate)):
        block = signal[start : start + rate][: total - written]
        both = np.stack([block, block])
        if sample_format == "s16":
            both = (both.clip(-1, 1).T.reshape(1, -1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), format=sample_format, layout="stereo")
        frame.sample_rate, frame.pts = rate, written
        yield frame
        written += len(block)
        if written >= total:
            return
