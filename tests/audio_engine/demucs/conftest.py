from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

RATE = 8_000  # which the small models hear
SECONDS = 3.7  # so that the last segment is a short one


@pytest.fixture(scope="session")
def tiny_demucs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small Demucs models of random weights. Not to be written to."""
    from tests.audio_engine.demucs import tiny

    folder = tmp_path_factory.mktemp("models")
    for name in tiny.SOURCES:
        tiny.write(folder / name, name)
    return folder


@pytest.fixture
def demucs_models(tiny_demucs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as this process's models folder."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tiny_demucs))
    return tiny_demucs


@pytest.fixture
def own_models(tiny_demucs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of htdemucs to damage, as this process's models folder."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_demucs / "htdemucs", folder / "htdemucs")
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(folder))
    return folder / "htdemucs"


@pytest.fixture(scope="session")
def music() -> npt.NDArray[np.float32]:
    """Stereo, of two tones that come and go and a hiss, off centre: shape (frames, 2)."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    tones = [np.sin(2 * np.pi * pitch * time) * np.sin(np.pi * time) ** 2 for pitch in (220, 1_318)]
    hiss = np.random.default_rng(4).normal(size=(len(time), 2))
    return (0.2 * np.stack(tones, axis=1) + 0.02 * hiss + 0.01).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path, music: npt.NDArray[np.float32]) -> Path:
    """The same as a floating-point WAV."""
    soundfile.write(tmp_path / "song.wav", music, RATE, subtype="FLOAT")
    return tmp_path / "song.wav"
