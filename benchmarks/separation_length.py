"""Whether memory grows with the recording where networks take sounds apart or hear words, in a process for each run:
`python -m benchmarks.separation_length DATA FOLDER [MINUTES ...]`; see `recordings` for DATA.

The networks are of the true architectures, rates and windows, but small and with random weights, so that an hour does
not take hours: what is measured is everything but their weights and what a batch takes in them. FOLDER holds the
recording, a conversation over a chord, and the results for the time being: up to 6 GB for an hour.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_engine.models.store import MODELS_DIR_VARIABLE

from .recordings import source
from .rounds import print_machine
from .simulated import read

MINUTES = (10, 60)
RATE = 44_100
BLOCK = 10 * RATE
PITCHES = (220.0, 277.2, 329.6, 440.0)  # whole numbers of tenths of a hertz: blocks of ten seconds have no seam
CHORD = 0.02  # of full scale, each
WORK = {
    "stems, htdemucs": ("stems", "--engine", "htdemucs"),
    "stems, basic": ("stems", "--engine", "basic"),
    "extract, pixit": ("extract", "--separator", "pixit"),
    "extract, htdemucs-vocals": ("extract", "--clean-background", "--cleaner", "htdemucs-vocals"),
    "transcribe, whisper": ("transcribe", "--engine", "whisper-large-v3-turbo", "--language", "en"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("minutes", type=float, nargs="*", default=MINUTES)
    parser.add_argument("--only", choices=WORK, action="append")
    options = parser.parse_args()
    print_machine()
    os.environ[MODELS_DIR_VARIABLE] = str(options.folder / "models")
    subprocess.run([sys.executable, "-c", MAKE_MODELS, str(options.folder / "models")], check=True)
    print(f"{'':26}{'minutes':>9}{'work s':>9}{'peak MiB':>9}")
    for minutes in options.minutes:
        recording = options.folder / "recording.wav"
        write(options.data, recording, 60 * minutes)
        for name in options.only or WORK:
            work, peak = run(WORK[name], recording, options.folder / "result")
            print(f"{name:26}{minutes:9.0f}{work:9.1f}{peak:9.0f}", flush=True)
        recording.unlink()
    shutil.rmtree(options.folder / "models")


MAKE_MODELS = """
import sys
from fractions import Fraction
from pathlib import Path
from tests.audio_engine.demucs import tiny
from tests.audio_engine.pixit import random_pixit
from tests.audio_engine.whisper import tiny as words
SMALL = tiny.TINY | {"samplerate": 44_100, "segment": Fraction(39, 5)}
folder = Path(sys.argv[1])
tiny.write(folder / "htdemucs", "htdemucs", SMALL)
random_pixit.pixit(folder)
words.whisper(folder / "whisper-large-v3-turbo")
"""


def write(data: Path, path: Path, seconds: float) -> None:
    """So much of a conversation, in a loop, over a chord: stereo, 16 bits."""
    speech = soxr.resample(*read(source(data)), RATE)
    time_ = np.arange(BLOCK) / RATE
    chord = CHORD * sum(np.sin(2 * np.pi * pitch * time_) for pitch in PITCHES)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for start in range(0, round(seconds * RATE), BLOCK):
            both = 0.5 * np.take(speech, range(start, start + BLOCK), mode="wrap") + chord
            file.write(np.stack([both, 0.8 * both], axis=1))


def run(arguments: Sequence[str], recording: Path, output: Path) -> tuple[float, float]:
    """Seconds of work, and peak resident memory in MiB."""
    command, *others = arguments
    process = subprocess.Popen(
        [sys.executable, "-m", "audio_engine", command, str(recording), "--output", str(output), *others],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"it ended with status {process.returncode}")
    shutil.rmtree(output)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
