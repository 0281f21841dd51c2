"""Recordings of which it is known who speaks when, and some of any length made by looping one of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr

from audio_engine import Turn
from audio_engine.formats import parse_rttm
from audio_engine.training.conversations import FRAME, Mixture, Voice, conversation

from .simulated import read

CODECS = {".mp3": ("libmp3lame", 44_100, "fltp"), ".flac": ("flac", 16_000, "s16")}
BIT_RATE = 128_000
HEARD = 16_000
MADE_SECONDS = 60.0
MADE_SPEAKERS = (2, 5)
PAUSE = 0.3  # seconds within a turn

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


def made(voices: Sequence[Voice], count: int) -> Iterator[tuple[str, Signal, tuple[Turn, ...]]]:
    """So many conversations of `voices` in rooms and noise, always the same, told as `annotated` tells recordings."""
    for number in range(count):
        generator = np.random.default_rng(number)
        order = [voices[index] for index in generator.permutation(len(voices))]
        speakers = int(generator.integers(MADE_SPEAKERS[0], MADE_SPEAKERS[1] + 1))
        mixture = conversation(generator, order[:speakers], MADE_SECONDS, order[speakers:])
        yield f"made_{number}", mixture.wave, _turns(mixture)


def _turns(mixture: Mixture) -> tuple[Turn, ...]:
    """Who speaks when, with pauses of up to `PAUSE` seconds."""
    second = HEARD // FRAME
    found = []
    for speaker, active in enumerate(mixture.active.T):
        starts, ends = np.flatnonzero(np.diff(active.astype(int), prepend=0, append=0)).reshape(-1, 2).T
        apart = starts[1:] - ends[:-1] > PAUSE * second
        edges = zip(starts[np.append(True, apart)], ends[np.append(apart, True)], strict=True) if len(starts) else ()
        found += [Turn(start / second, end / second, speaker) for start, end in edges]
    return tuple(sorted(found, key=lambda turn: turn.start))


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
