"""What `clean_background` does for noisy recordings and to clean ones: `python -m benchmarks.background DATA`; see
`simulated` for DATA.

SI-SDR in dB over all the samples in which one speaker speaks alone, by the reference turns, mean over the speakers: of
the recording with a background as it is, and cleaned. For clean recordings: over all the samples that a speaker's track
holds, with overlaps separated, without and with cleaning.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from audio_engine.separation import si_sdr

from .simulated import Conversation, Signal, conversations, read, tracks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    rows = defaultdict(list)
    print(f"{'recording':22} {'background':12} {'plain':>6} {'clean':>6} {'gain':>6}")
    for conversation in conversations(options.data):
        rows["none"].append(clean_recording(conversation))
        report(conversation.name, "none", rows["none"][-1])
        for path in sorted(conversation.folder.glob("bg_*")):
            kind = path.stem.removeprefix("bg_")
            rows[kind].append(noisy_recording(conversation, path))
            report(conversation.name, kind, rows[kind][-1])
    for kind, figures in sorted(rows.items()):
        plain, clean = np.mean(figures, axis=0)
        report("mean", kind, (plain, clean))


def report(name: str, kind: str, figures: tuple[float, float]) -> None:
    plain, clean = figures
    print(f"{name:22} {kind:12} {plain:6.1f} {clean:6.1f} {clean - plain:6.2f}", flush=True)


def noisy_recording(conversation: Conversation, path: Path) -> tuple[float, float]:
    recording = np.zeros_like(conversation.mix)
    noisy = read(path)[0][: len(recording)]
    recording[: len(noisy)] = noisy
    speaking = conversation.speaking()
    heard = speaking & (speaking.sum(axis=0) == 1)
    cleaned = tracks(recording, conversation.rate, conversation.turns, separate=False, clean=True)
    plain = np.broadcast_to(recording, cleaned.shape)
    return ratio(conversation, plain, heard), ratio(conversation, cleaned, heard)


def clean_recording(conversation: Conversation) -> tuple[float, float]:
    plain, cleaned = (
        tracks(conversation.mix, conversation.rate, conversation.turns, separate=True, clean=clean)
        for clean in (False, True)
    )
    return ratio(conversation, plain, conversation.speaking()), ratio(conversation, cleaned, conversation.speaking())


def ratio(conversation: Conversation, tracks: Signal, heard: np.ndarray) -> float:
    parts = zip(tracks, conversation.references, heard, strict=True)
    return float(np.mean([si_sdr(track[where], reference[where]) for track, reference, where in parts]))


if __name__ == "__main__":
    main()
