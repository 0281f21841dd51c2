"""Picks the spectra that stand for speech in general: `python -m audio_engine.training.speech_exemplars RECORDINGS`.

RECORDINGS is a folder of clean recordings of one speaker each. From each a few loud frames are taken, whose magnitude
spectra, each divided by its sum, go to `speech_exemplars.safetensors` in the package.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ..background import SPEECH_EXEMPLARS
from ..decoding import Decoder
from ..downmix import write_mono
from ..exemplars import GRID, Matrix, magnitudes_of
from ..types import MediaLimits

FRAMES_EACH = 3
RANGE_DB = 30.0  # below a speaker's loudest frame
SEED = 0


def main(folder: Path) -> None:
    generator = np.random.default_rng(SEED)
    picked = np.concatenate([pick(path, generator) for path in sorted(folder.glob("*.flac"))], axis=1)
    # safetensors stores an array's memory as it lies, whatever its strides.
    save_file({"bins": np.ascontiguousarray(picked / picked.sum(axis=0), dtype=np.float16)}, SPEECH_EXEMPLARS)


def pick(recording: Path, generator: np.random.Generator) -> Matrix:
    """Magnitude spectra, shape (bins, FRAMES_EACH)."""
    with tempfile.TemporaryDirectory() as scratch:
        decoder = Decoder(recording, MediaLimits())
        pcm = write_mono(decoder, "mono", Path(scratch) / "mono.f32", lambda _: None)
        magnitudes = magnitudes_of(pcm, *GRID.within(0, len(pcm)))
    levels = magnitudes.sum(axis=0)
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-RANGE_DB / 20))
    return magnitudes[:, generator.choice(loud, FRAMES_EACH, replace=False)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
