"""Simulated conversations with clean references: `sim/<name>/` holds `mix.flac`, `<name>.rttm`, `ref_<speaker>.flac`,
whose sum is the mix, and `bg_<what>.ogg`, the mix with a background added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from audio_engine.background import BackgroundMask
from audio_engine.decoding import Decoder, to_float
from audio_engine.exemplar_separation import ExemplarSeparator
from audio_engine.exemplars import RATE
from audio_engine.masking import Masking, with_surroundings
from audio_engine.overlaps import Overlaps
from audio_engine.types import MediaInfo, MediaLimits, Turn

Signal = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Conversation:
    """`references` (speakers, samples) sum to the clean recording; speakers are numbered in order of appearance."""

    name: str
    folder: Path
    rate: int
    turns: tuple[Turn, ...]
    references: Signal

    @property
    def mix(self) -> Signal:
        return read(self.folder / "mix.flac")[0]

    def speaking(self) -> npt.NDArray[np.bool_]:
        """Who speaks at each sample by the turns, shape (speakers, samples)."""
        result = np.zeros(self.references.shape, dtype=bool)
        for turn in self.turns:
            result[turn.speaker, round(turn.start * self.rate) : round(turn.end * self.rate)] = True
        return result


def conversations(data: Path) -> Iterator[Conversation]:
    """Those under `data`/sim that have references."""
    for folder in sorted((data / "sim").iterdir()):
        if any(folder.glob("ref_*.flac")):
            yield _conversation(folder)


def _conversation(folder: Path) -> Conversation:
    fields = [line.split() for line in (folder / f"{folder.name}.rttm").read_text().splitlines()]
    names = list(dict.fromkeys(field[7] for field in fields))
    turns = tuple(Turn(float(f[3]), float(f[3]) + float(f[4]), names.index(f[7])) for f in fields)
    references = [read(folder / f"ref_{name}.flac") for name in names]
    return Conversation(folder.name, folder, references[0][1], turns, np.stack([signal for signal, _ in references]))


def read(path: Path) -> tuple[Signal, int]:
    """The first channel and its rate in Hz."""
    decoder = Decoder(path, MediaLimits())
    return np.concatenate([to_float(block)[:, 0] for block in decoder.blocks()]), decoder.rate


def tracks(recording: Signal, rate: int, turns: Sequence[Turn], *, separate: bool, clean: bool) -> Signal:
    """The recording as each speaker's track has it, shape (speakers, samples), before silence is cut."""
    pcm = soxr.resample(recording, rate, RATE) if rate != RATE else recording
    speakers = max(turn.speaker for turn in turns) + 1
    separator = ExemplarSeparator(pcm, Overlaps(turns, len(pcm))) if separate else None
    background = BackgroundMask(pcm, turns) if clean else None
    media = MediaInfo("wav", "pcm_f32le", rate, 1, 32, True, len(recording) / rate)
    masking = Masking(media, separator, background)
    blocks = (recording[start : start + rate, None] for start in range(0, len(recording), rate))
    parts = [
        masking.parts(surroundings, second * rate, speakers)
        for second, surroundings in enumerate(with_surroundings(blocks, rate))
    ]
    return np.stack([np.concatenate([part[speaker][:, 0] for part in parts]) for speaker in range(speakers)])
