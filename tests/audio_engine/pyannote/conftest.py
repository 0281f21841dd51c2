from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine.backends.base import Diarizer
from audio_engine.memory import Samples
from audio_engine.progress import ignore_progress
from audio_engine.types import Diarization, Progress, SpeakerBounds

SECONDS = 4
Run = Callable[..., Diarization]


@pytest.fixture(scope="session")
def heard(sample: Path) -> Samples:
    """Four seconds of people, 16 kHz mono."""
    samples, _ = soundfile.read(sample, dtype="float32", frames=SECONDS * 16_000)
    return np.asarray(samples)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory, heard: Samples) -> Path:
    """A models folder with small models of random weights. Not to be written to."""
    from tests.audio_engine.pyannote import random_models

    folder = tmp_path_factory.mktemp("models")
    random_models.community(folder / "speaker-diarization-community-1", heard)
    random_models.version_3_1(folder, heard)
    return folder


@pytest.fixture
def models(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as this process's models folder."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tiny_models))
    return tiny_models


@pytest.fixture
def own_models(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage, as this process's models folder."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_models, folder)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(folder))
    return folder


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "none"))
    return tmp_path / "none"


@pytest.fixture
def run(heard: Samples, tmp_path: Path) -> Run:
    """What a backend finds in `heard`."""

    def diarize(
        backend: Diarizer, bounds: SpeakerBounds | None = None, progress: Progress = ignore_progress
    ) -> Diarization:
        return backend.diarize(heard, bounds or SpeakerBounds(), tmp_path, progress)

    return diarize
