"""What dialogue separation makes of noisy recordings: `python -m benchmarks.dialogue DATA`; see `simulated` for DATA.

SI-SDR in dB against the clean conversation over the whole recording, of the recording as it is and of the speech stem,
with turns found by the engine.

`--split` measures how music and effects come apart: music of the recordings that have it at 0 dB, effects of a kind
made up by `audio_engine.training.noises`, a minute of each. First both alone and equally loud; then, with the effects
6 dB below it, under the speech too. SI-SDR of each part in the whole, and how much more its stem has.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from audio_engine.masking import Masking, with_surroundings
from audio_engine.music_mask import MusicMask
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.training import noises
from audio_engine.training.acoustics import RATE, Generator
from audio_engine.types import DialogueRequest, MediaInfo

from .background import report
from .simulated import Conversation, Signal, conversations, read

EFFECTS_DB = -6
EFFECTS = (noises.events, noises.keyboard, noises.rain, noises.coloured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", action="store_true")
    options = parser.parse_args()
    if options.split:
        report_split(options.data)
        return
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


def report_split(data: Path) -> None:
    columns = ("music alone", "effects alone", "speech", "music", "effects")
    print(f"{'recording':22} {'effects':10}", *(f"{column:>13}" for column in columns))
    rows = defaultdict(list)
    for conversation in conversations(data):
        for path in sorted(conversation.folder.glob("bg_music_0dB.*")):
            for kind in EFFECTS:
                rows[kind.__name__].append(split(conversation, path, kind))
                report_stems(conversation.name, kind.__name__, rows[kind.__name__][-1])
    for kind, figures in rows.items():
        report_stems("mean", kind, np.mean(figures, axis=0))


def report_stems(name: str, kind: str, figures: np.ndarray) -> None:
    print(f"{name:22} {kind:10}", *(f"{before:6.1f} {after - before:+6.1f}" for before, after in figures), flush=True)


def split(conversation: Conversation, path: Path, kind: Callable[[Generator, int], Signal]) -> np.ndarray:
    """SI-SDR of each part in the whole and in its stem, shape (columns, 2)."""
    speech, noisy = conversation.mix[: 60 * RATE], read(path)[0][: 60 * RATE]
    speech = speech[: len(noisy)]
    music, effects = noisy[: len(speech)] - speech, kind(np.random.default_rng(1), len(speech))
    effects = (effects * np.sqrt(np.mean(music**2) / np.mean(effects**2))).astype(np.float32)
    return np.concatenate([alone(music, effects), together(speech, music, 10 ** (EFFECTS_DB / 20) * effects)])


def alone(*truths: Signal) -> np.ndarray:
    whole = np.sum(truths, axis=0)
    media = MediaInfo("wav", "pcm_f32le", RATE, 1, 32, True, len(whole) / RATE)
    masking = Masking(media, background=MusicMask(whole, (), None))
    blocks = (whole[start : start + RATE, None] for start in range(0, len(whole), RATE))
    around = enumerate(with_surroundings(blocks, RATE))
    music = np.concatenate([masking.parts(each, second * RATE, 1)[0][:, 0] for second, each in around])
    return gains(whole, (music, whole - music), truths)


def together(*truths: Signal) -> np.ndarray:
    whole = np.sum(truths, axis=0)
    with TemporaryDirectory() as folder:
        recording = Path(folder) / "whole.wav"
        soundfile.write(recording, whole, RATE, subtype="FLOAT")
        run(DialogueRequest(recording, Path(folder) / "out", split_background=True))
        stems = [read(Path(folder) / "out" / f"{name}.wav")[0] for name in ("speech", "music", "effects")]
    return gains(whole, stems, truths)


def gains(whole: Signal, stems: Sequence[Signal], truths: Sequence[Signal]) -> np.ndarray:
    return np.array([(si_sdr(whole, truth), si_sdr(stem, truth)) for stem, truth in zip(stems, truths, strict=True)])


if __name__ == "__main__":
    main()
