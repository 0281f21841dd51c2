"""How much better overlaps get by separation: `python -m benchmarks.separation DATA`; see `simulated` for DATA.

SI-SDR in dB over all the samples in which a speaker speaks together with others, by the reference turns: of the plain
copy of the mixture and of the separated track, mean over the speakers of a recording. `worst` is the speaker who gains
least. `leak` is the power of the track, before silence is cut, where its speaker is silent within a turn and another
speaks, against where the speaker speaks.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from audio_engine.separation import si_sdr

from .simulated import Conversation, conversations, tracks

FRAMES_A_SECOND = 50
SILENT, AUDIBLE = 1e-7, 1e-5  # power of a reference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    columns = ("plain", "split", "gain", "worst", "leak", "took s")
    print(f"{'recording':22} {'overlap s':>9}" + "".join(f" {column:>6}" for column in columns))
    rows = [measure(conversation) for conversation in conversations(options.data) if overlapped(conversation)]
    seconds, plain, split, gain, worst, leak, took = np.array(rows).T
    print(
        f"{'all':22} {seconds.sum():9.1f} {plain.mean():6.1f} {split.mean():6.1f} {gain.mean():6.1f} {worst.min():6.1f}"
        f" {np.nanmean(leak):6.1f} {took.sum():6.1f}"
    )


def overlapped(conversation: Conversation) -> bool:
    return bool((conversation.speaking().sum(axis=0) > 1).any())


def measure(conversation: Conversation) -> tuple[float, ...]:
    started = time.perf_counter()
    mix, speaking = conversation.mix, conversation.speaking()
    separated = tracks(mix, conversation.rate, conversation.turns, separate=True, clean=False)
    took = time.perf_counter() - started
    together = speaking.sum(axis=0) > 1
    plain, split = [], []
    for reference, track, turns in zip(conversation.references, separated, speaking, strict=True):
        heard = turns & together
        if heard.any():
            plain.append(si_sdr(mix[heard], reference[heard]))
            split.append(si_sdr(track[heard], reference[heard]))
    gains = np.subtract(split, plain)
    row = (
        together.sum() / conversation.rate,
        float(np.mean(plain)),
        float(np.mean(split)),
        float(gains.mean()),
        float(gains.min()),
        leakage(conversation, separated * speaking),
        took,
    )
    print(f"{conversation.name:22} {row[0]:9.1f}" + "".join(f" {figure:6.1f}" for figure in row[1:]), flush=True)
    return row


def leakage(conversation: Conversation, tracks: np.ndarray) -> float:
    """dB, mean over the speakers for whom there is something to hear."""
    frame = conversation.rate // FRAMES_A_SECOND

    def power(signals: np.ndarray) -> np.ndarray:
        return (signals[:, : signals.shape[1] // frame * frame].reshape(len(signals), -1, frame) ** 2).mean(axis=2)

    references, rendered = power(conversation.references), power(tracks)
    levels = []
    for own, track in zip(references, rendered, strict=True):
        foreign = (own <= SILENT) & (references.sum(axis=0) - own > AUDIBLE)
        if foreign.any():
            levels.append(10 * np.log10((track[foreign].mean() + 1e-12) / (track[own > SILENT].mean() + 1e-12)))
    return float(np.mean(levels)) if levels else float("nan")


if __name__ == "__main__":
    main()
