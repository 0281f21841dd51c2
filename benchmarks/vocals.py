"""How far `basic` takes a voice and its accompaniment apart: `python -m benchmarks.vocals DATA`; `simulated` has DATA.

There are no songs in it whose parts are known, so the voice is speech, half a minute of each: conversations with the
music at 0 dB that they have, and speakers one after another, of `DATA`/single, with made-up music as loud. SI-SDR in dB
of each part in the whole, and how much more its stem has; then seconds of work for an hour.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr

from audio_engine.music import StemsRequest
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.training import noises
from audio_engine.training.acoustics import RATE

from .simulated import Signal, conversations, read

LENGTH = 30 * RATE
MADE = 4  # pieces of music

Song = tuple[str, Signal, Signal]
"""What it is called, its voice and its accompaniment."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print(f"{'song':22} {'vocals':>13} {'other':>13}")
    songs, work, heard = [*recorded(data), *made(data)], 0.0, 0
    for name, voice, accompaniment in songs:
        began = time.process_time()
        stems = split(voice + accompaniment)
        work, heard = work + time.process_time() - began, heard + len(voice)
        report(name, voice + accompaniment, zip(stems, (voice, accompaniment), strict=True))
    print(f"{3600 * RATE * work / heard:.0f} s of work for an hour")


def recorded(data: Path) -> Iterator[Song]:
    for conversation in conversations(data):
        for path in sorted(conversation.folder.glob("bg_music_0dB.*")):
            both, voice = read(path)[0][:LENGTH], conversation.mix[:LENGTH]
            length = min(len(both), len(voice))
            yield conversation.name, voice[:length], both[:length] - voice[:length]


def made(data: Path) -> Iterator[Song]:
    files = sorted((data / "single").glob("*.ogg"))
    for number in range(MADE):
        parts = [soxr.resample(*read(path), RATE) for path in files[number::MADE]]
        voice = np.concatenate(parts)[:LENGTH].astype(np.float32)
        music = noises.music(np.random.default_rng(number), len(voice))
        music *= np.sqrt(np.mean(voice**2) / np.mean(music**2))
        yield f"made up {number + 1}", voice, music.astype(np.float32)


def split(song: Signal) -> list[Signal]:
    with TemporaryDirectory() as folder:
        recording = Path(folder) / "song.wav"
        soundfile.write(recording, song, RATE, subtype="FLOAT")
        run(StemsRequest(recording, Path(folder) / "out", engine="basic"))
        return [read(Path(folder) / "out" / f"{stem}.wav")[0] for stem in ("vocals", "other")]


def report(name: str, song: Signal, stems: Iterator[tuple[Signal, Signal]]) -> None:
    figures = [(si_sdr(song, truth), si_sdr(stem, truth)) for stem, truth in stems]
    print(f"{name:22}", *(f"{before:6.1f} {after - before:+6.1f}" for before, after in figures), flush=True)


if __name__ == "__main__":
    main()
