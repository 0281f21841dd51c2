"""The embedded engine on one recording, warm and cold: `python -m benchmarks.speed DATA`; see `simulated` for DATA.

Warm, models loaded, ten minutes of MP3: diarization alone, of the decoded signal, and the whole extraction with
decoding and tracks. Cold: a new process on the first 30 s, from its start to its end. Also whether progress is honest:
by how much the time left that the fraction tells, passed * (1 - fraction) / fraction, is off once a tenth has passed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from audio_engine import SpeakerBounds, SpeakerRequest, registry
from audio_engine import run as run_engine
from audio_engine.progress import ignore_progress
from audio_engine.types import Stage

from .recordings import mono, write_loop
from .rounds import compare, print_machine, print_timings

SECONDS, SHORT = 600, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, short = folder / "long.mp3", folder / "short.mp3"
        write_loop(data, long, SECONDS)
        write_loop(data, short, SHORT)
        warm(folder, long)
        cold(folder, short)
        progress(folder, long)


def warm(folder: Path, recording: Path) -> None:
    engine, pcm = registry.load("embedded"), mono(recording, SECONDS)
    contenders = {
        "diarization": lambda: engine.diarize(pcm, SpeakerBounds(), folder, ignore_progress),
        "whole extraction": lambda: extract(SpeakerRequest(recording, folder / "warm", engine="embedded")),
    }
    print_timings(compare(contenders), [], SECONDS)


def cold(folder: Path, recording: Path) -> None:
    command = [sys.executable, "-m", "audio_engine", "extract", str(recording), "--output", str(folder / "cold")]
    start = {"cold start, 30 s": lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)}
    print_timings(compare(start), [])


def progress(folder: Path, recording: Path) -> None:
    reports: list[tuple[float, float]] = []
    began = time.perf_counter()

    def report(_: Stage, fraction: float) -> None:
        reports.append((time.perf_counter() - began, fraction))

    run_engine(SpeakerRequest(recording, folder / "progress", engine="embedded"), report)
    took = time.perf_counter() - began
    passed, fractions = np.array([report for report in reports if took / 10 <= report[0] < took]).T
    off = (passed / np.maximum(fractions, 1e-9) - took) / took
    print(f"progress, after the first tenth: the whole time is told from {off.min():+.0%} to {off.max():+.0%} off")


def extract(request: SpeakerRequest) -> None:
    run_engine(request)
    shutil.rmtree(request.output)


if __name__ == "__main__":
    main()
