"""A recording with less noise: what may be asked for, and what crosses the engine's border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .types import Request, Result

Quality = Literal["balanced", "studio", "ultra"]  # of denoising: what the noise is known by
Equalizer = Literal["balanced", "vocal", "bass_boost"]

QUALITIES: tuple[Quality, ...] = get_args(Quality)
EQUALIZERS: tuple[Equalizer, ...] = get_args(Equalizer)


@dataclass(frozen=True, slots=True)
class DenoisingRequest(Request):
    """The recording itself with less noise, and, where asked for, equalised, compressed and brought to a loudness."""

    task: Literal["denoising"] = "denoising"
    quality: Quality = "studio"
    strength: float = 1.0  # 0 to 1: 0 leaves the noise, in between its reduction in dB is in proportion
    equalizer: Equalizer | None = None
    compress: bool = False
    loudness: float | None = None  # LUFS to bring it to; None leaves it as it is


@dataclass(frozen=True, slots=True)
class SoundStats:
    """A recording in figures, None where it is too silent for one."""

    noise_db: float | None  # dBFS, where it is quietest
    loudness_lufs: float | None  # integrated, ITU-R BS.1770-4
    peak: float  # linear, 1.0 is full scale


@dataclass(frozen=True, slots=True)
class DenoisingResult(Result):
    quality: Quality
    strength: float
    noise_reduction_db: float | None  # by how much it became quieter where it was quietest, before any levelling
    before: SoundStats
    after: SoundStats
