"""What dialogue separation makes of noisy recordings: `python -m benchmarks.dialogue DATA`; see `simulated` for DATA.

SI-SDR in dB against the clean conversation over the whole recording, of the recording as it is and of the speech stem,
with turns found by the engine.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.types import DialogueRequest

from .background import report
from .simulated import Conversation, conversations, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    rows = defaultdict(list)
    print(f"{'recording':22} {'background':12} {'plain':>6} {'speech':>6} {'gain':>6}")
    for conversation in conversations(options.data):
        for path in sorted(conversation.folder.glob("bg_*")):
            kind = path.stem.removeprefix("bg_")
            rows[kind].append(speech(conversation, path))
            report(conversation.name, kind, rows[kind][-1])
    for kind, figures in sorted(rows.items()):
        plain, stem = np.mean(figures, axis=0)
        report("mean", kind, (plain, stem))


def speech(conversation: Conversation, path: Path) -> tuple[float, float]:
    with TemporaryDirectory() as folder:
        run(DialogueRequest(path, Path(folder)))
        stem = read(Path(folder) / "speech.wav")[0]
    noisy = read(path)[0]
    length = min(len(noisy), len(conversation.mix))
    clean = conversation.mix[:length]
    return si_sdr(noisy[:length], clean), si_sdr(stem[:length], clean)


if __name__ == "__main__":
    main()
