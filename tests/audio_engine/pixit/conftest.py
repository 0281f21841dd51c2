from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from audio_engine.backends.pixit import PixitSeparator

LACKING = [module for module in ("transformers", "asteroid") if find_spec(module) is None]


@pytest.fixture(scope="session")
def tiny_pixit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a small ToTaToNet of random weights. Not to be written to."""
    if LACKING:
        pytest.skip(f"{', '.join(LACKING)} not installed; see PACKAGES in audio_engine/backends/pixit/backend.py")
    from tests.audio_engine.pixit import random_pixit

    folder = tmp_path_factory.mktemp("models")
    random_pixit.pixit(folder)
    return folder


@pytest.fixture
def models(tiny_pixit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as this process's models folder."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_pixit, folder)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def loaded(tiny_pixit: Path) -> PixitSeparator:
    """The engine with that network. Not to be changed but by monkeypatch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOLOIST_MODELS_DIR", str(tiny_pixit))
        engine = PixitSeparator()
        engine.load()
    return engine
