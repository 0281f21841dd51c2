"""Sounds with noise, and what denoising makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from audio_engine.pipeline import run
from audio_engine.sound import DenoisingRequest, DenoisingResult

from .voices import RATE, Signal


def with_white_noise(sound: Signal) -> Signal:
    """10 dB below the sound."""
    noise = np.random.default_rng(3).standard_normal(len(sound)).astype(np.float32)
    return np.asarray(sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-10 / 20))


def denoised_by(
    folder: Path, sound: npt.NDArray[np.floating], rate: int = RATE, subtype: str = "PCM_24", **options: object
) -> tuple[DenoisingResult, npt.NDArray[np.float32]]:
    """The result and the sound that `options` of a request make of a sound in a file of a subtype."""
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "in.wav", sound, rate, subtype=subtype)
    result = run(DenoisingRequest(folder / "in.wav", folder / "out", **options))  # type: ignore[arg-type]
    assert isinstance(result, DenoisingResult)
    return result, soundfile.read(folder / "out" / "denoised.wav", dtype="float32")[0]
