from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from audio_engine import registry

EVAL = Path(os.environ.get("SOLOIST_EVAL", Path(__file__).parents[3] / "shared" / "eval"))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an engine whose answer is known, the only one there is."""
    monkeypatch.setattr(registry, "ENGINES", {"scripted": "tests.audio_engine.scripted:ScriptedDiarizer"})
    return "scripted"


@pytest.fixture
def noise() -> Callable[..., npt.NDArray[np.float64]]:
    """White noise at -20 dB, always the same: shape (frames, channels)."""

    def make(seconds: float, rate: int = 16_000, channels: int = 1) -> npt.NDArray[np.float64]:
        return np.random.default_rng(7).uniform(-0.17, 0.17, (round(seconds * rate), channels))

    return make


@pytest.fixture
def recording(tmp_path: Path, noise: Callable[..., npt.NDArray[np.float64]]) -> Path:
    """Five seconds of noise as a 16 kHz WAV."""
    path = tmp_path / "recording.wav"
    soundfile.write(path, noise(5), 16_000)
    return path
