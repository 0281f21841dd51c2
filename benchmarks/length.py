"""Whole extractions of looped recordings, each in a process of its own, and whether the end is as right as the start:
`python -m benchmarks.length DATA FOLDER [MINUTES ...] [--twice] [--suffix .mp3]`.

FOLDER holds recordings and tracks for the time being: a day of MP3 takes 1.4 GB, the signal for diarization 5.5 GB,
and tracks as much as is spoken. `work` is the seconds of all processors together. `agree` compares who speaks in the
last whole loop with the first one, frame by frame; `copied` is the share of solo speech in the last loop that a track
holds as the decoder gives it, sample for sample.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from audio_engine.decoding import Decoder
from audio_engine.formats import parse_rttm
from audio_engine.media import probe
from audio_engine.types import MediaLimits, Turn

from .recordings import source, write_loop
from .rounds import print_machine

MINUTES = (10, 60, 240)
FRAMES = 50  # a second, to compare turns
FADE = 0.02  # seconds at a turn's borders that are no plain copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("minutes", type=float, nargs="*", default=MINUTES)
    parser.add_argument("--twice", action="store_true", help="run each again and compare all bytes")
    parser.add_argument("--suffix", default=".mp3", choices=(".mp3", ".flac"))
    options = parser.parse_args()
    print_machine()
    columns = ("minutes", "seconds", "x real time", "work s", "peak MiB", "speakers", "agree", "copied")
    print(" ".join(f"{column:>11}" for column in columns))
    for minutes in options.minutes:
        recording = options.folder / f"loop{options.suffix}"
        write_loop(options.data, recording, 60 * minutes)
        measure(options.data, recording, minutes, options.twice)
        recording.unlink()


def measure(data: Path, recording: Path, minutes: float, twice: bool) -> None:
    output = recording.with_name("result")
    seconds, work, peak = extract(recording, output)
    turns = parse_rttm((output / "extraction.rttm").read_text())
    loop = probe(source(data)).seconds
    speakers = len({turn.speaker for turn in turns})
    agree = agreement(turns, loop, 60 * minutes)
    copied = copied_share(recording, output, turns, max(0.0, 60 * minutes - loop))
    figures = (f"{minutes:.0f}", f"{seconds:.1f}", f"{60 * minutes / seconds:.1f}", f"{work:.1f}", f"{peak:.0f}")
    print(" ".join(f"{figure:>11}" for figure in (*figures, speakers, f"{agree:.2%}", f"{copied:.2%}")))
    if twice:
        before = digests(output)
        extract(recording, output)
        print(f"two runs: {'the same bytes' if digests(output) == before else 'DIFFERENT BYTES'}")
    shutil.rmtree(output)


def extract(recording: Path, output: Path) -> tuple[float, float, float]:
    """Seconds by the clock and of all processors, with the process's start, and its peak resident memory in MiB."""
    command = [sys.executable, "-m", "audio_engine", "extract", str(recording), "--output", str(output)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the extraction ended with status {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def agreement(turns: tuple[Turn, ...], loop: float, seconds: float) -> float:
    """The share of frames in which exactly the same people speak in the first and in the last whole loop."""
    whole = int(seconds / loop)
    if whole < 2:
        return 1.0
    first, last = (_activity(turns, start * loop, loop) for start in (0, whole - 1))
    return float((first == last).all(axis=0).mean())


def _activity(turns: tuple[Turn, ...], start: float, seconds: float) -> np.ndarray:
    active = np.zeros((1 + max(turn.speaker for turn in turns), round(seconds * FRAMES)), dtype=bool)
    for turn in turns:
        low, high = (max(0, round((edge - start) * FRAMES)) for edge in (turn.start, turn.end))
        active[turn.speaker, low:high] = True
    return active


def copied_share(recording: Path, output: Path, turns: tuple[Turn, ...], after: float) -> float:
    """Of the samples from `after` on in which one person speaks, those that their track has unchanged."""
    decoder = Decoder(recording, MediaLimits())
    alone = right = start = 0
    for block in decoder.blocks():
        if start / decoder.rate >= after:
            for speaker, low, high in _solo(turns, start / decoder.rate, (start + len(block)) / decoder.rate):
                first, last = (round(edge * decoder.rate) - start for edge in (low, high))
                track = _samples(output / f"speaker_{speaker}.wav", start + first, last - first, block.shape[1])
                wanted = block[first:last]
                if wanted.dtype == np.float32:
                    wanted = np.rint(wanted * np.float32(1 << 15)).clip(-(1 << 15), (1 << 15) - 1).astype(np.int16)
                alone += len(track)
                right += int((track == wanted).all(axis=1).sum())
        start += len(block)
    return right / alone if alone else 1.0


def _solo(turns: tuple[Turn, ...], start: float, stop: float) -> Iterator[tuple[int, float, float]]:
    """Who speaks alone and when between `start` and `stop`, clear of all borders."""
    near = [turn for turn in turns if turn.start < stop + 1 and turn.end > start - 1]
    edges = sorted({start, stop, *(edge for turn in near for edge in (turn.start, turn.end) if start < edge < stop)})
    for low, high in pairwise(edges):
        speaking = {turn.speaker for turn in near if turn.start < high + 0.1 and turn.end > low - 0.1}
        if len(speaking) == 1 and high - low > 3 * FADE and any(t.start <= low and t.end >= high for t in near):
            yield speaking.pop(), low + FADE, high - FADE


def _samples(path: Path, start: int, count: int, channels: int) -> np.ndarray:
    """Of a track of 16 bits."""
    with path.open("rb") as file:
        file.seek(file.read(100).index(b"data") + 8 + 2 * channels * start)
        return np.frombuffer(file.read(2 * channels * count), "<i2").reshape(-1, channels)


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


if __name__ == "__main__":
    main()
