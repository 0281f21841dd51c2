"""Where music is heard that is or is not there: `python -m benchmarks.music_detection DATA`; see `simulated` for DATA.

The first minute of each conversation, without and with each background, and of each recording in `DATA`/real: of how
many pieces of a quarter of a minute it is said that music plays there. Then seconds of work for an hour.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import soxr

from audio_engine.exemplars import GRID, PIECE, RATE
from audio_engine.music_detection import pieces_with_music

from .simulated import Signal, read

SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    counts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    work = heard = 0.0
    for kind, pcm in recordings(parser.parse_args().data):
        began = time.process_time()
        found = pieces_with_music(pcm, lambda _: None)
        work, heard = work + time.process_time() - began, heard + len(pcm) / RATE
        counts[kind].append((len(found), max(1, round(len(pcm) / (PIECE * GRID.hop)))))
    for kind, figures in sorted(counts.items()):
        music, pieces = map(sum, zip(*figures, strict=True))
        print(f"{kind:16} {len(figures):3} recordings, music in {min(music, pieces):3} of {pieces:3} pieces")
    print(f"{3600 * work / heard:.0f} s of work for an hour")


def recordings(data: Path) -> Iterator[tuple[str, Signal]]:
    for path in sorted((data / "sim").glob("*/mix.flac")) + sorted((data / "sim").glob("*/bg_*.ogg")):
        yield path.stem.replace("mix", "none"), _start(path)
    for path in sorted((data / "real").glob("*.flac")):
        yield "real", _start(path)


def _start(path: Path) -> Signal:
    signal, rate = read(path)
    return soxr.resample(signal[: SECONDS * rate], rate, RATE)


if __name__ == "__main__":
    main()
