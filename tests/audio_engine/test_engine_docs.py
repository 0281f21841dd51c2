"""The pages on engines: the table is the registry's, and the engine that one of them adds works as it is written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import files as distributed
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine import registry
from audio_engine.__main__ import main
from audio_engine.backends.demucs import cleaner as demucs
from audio_engine.backends.embedded import packages
from audio_engine.backends.pixit import backend as pixit
from audio_engine.backends.pyannote import diarizer as pyannote
from audio_engine.backends.rnnoise import library
from audio_engine.errors import EngineError
from audio_engine.models.catalogue import needed_by
from audio_engine.models.needs import GPU_MEGABYTES, OF_CUDA
from audio_engine.pipeline import run
from audio_engine.types import SpeakerBounds, SpeakerRequest

DOCS = Path(__file__).parents[2] / "docs"
LICENCES = {"MIT": "MIT License", "Apache-2.0": ("Apache Software License", "Apache License")}


def rows() -> dict[str, list[str]]:
    lines = re.findall(r"^\| `([\w.-]+)` \| (.+) \|$", (DOCS / "engines.md").read_text(), re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in lines}


def test_the_table_has_every_engine_in_the_order_of_auto():
    assert list(rows()) == list(registry.ENGINES)


@pytest.mark.parametrize("name", registry.ENGINES)
def test_the_sizes_told_are_the_catalogues(name: str):
    told = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) MB", rows()[name][1])]
    assert told == [model.megabytes for model in needed_by(name) if model.megabytes]


def test_what_engines_take_of_a_gpu_is_told_as_it_is_asked_for():
    page = " ".join((DOCS / "engines.md").read_text().split())
    told, found = re.search("for one window, in MB: (.+?) models the size", page), {}
    for names, megabytes in re.findall(r"((?:`[\w.-]+`(?:, | and )?)+) (\d+)", told[1]):
        found |= dict.fromkeys(re.findall(r"`([\w.-]+)`", names), int(megabytes))
    cleaner = {"htdemucs-vocals": GPU_MEGABYTES["htdemucs"]}
    asked = {name: each + OF_CUDA for name, each in (GPU_MEGABYTES | cleaner).items() if not name.startswith("whisper")}
    assert found == asked


def licence_of(distribution: str) -> str | None:
    """By its expression, its classifiers or the first words of its licence."""
    told = metadata(distribution)
    classifiers = told.get_all("Classifier") or []
    files = [each.locate() for each in distributed(distribution) or [] if each.name == "LICENSE"]
    said = [*classifiers, *(" ".join(Path(file).read_text().split()[:2]) for file in files)]
    return told.get("License-Expression") or next(
        (licence for licence, names in LICENCES.items() if any(each.endswith(names) for each in said)), None
    )


@pytest.mark.parametrize("name", registry.ENGINES)
def test_an_engines_models_and_licences_are_those_of_the_catalogue_or_its_packages(name: str):
    told = dict(re.findall(r"([\w.-]+) \(([\w.-]+)\)", rows()[name][2]))
    needed = {model.name: model.licence for model in needed_by(name)}
    if name == "embedded":
        needed = {
            packaged[2]: licence_of(packaged[2]) for packaged in (packages.SILERO, packages.CAMPPLUS, packages.GE2E)
        }
    if name == "rnnoise":  # whose package does not tell the licence of the library in it
        needed = {library.PACKAGE: licence_of(library.PACKAGE), "RNNoise": "BSD-3-Clause"}
    assert told == needed


@pytest.mark.parametrize("name", registry.ENGINES)
def test_who_auto_takes_is_as_the_table_says(name: str, monkeypatch: pytest.MonkeyPatch):
    backend = registry._instance(registry.ENGINES[name])
    found = []
    for gpu in ("cuda", None):
        for module in (pyannote, pixit, demucs):
            monkeypatch.setattr(module, "accelerator", lambda gpu=gpu: gpu)
        found.append(backend.suits())
    told = {(True, False): "where there is a GPU", (False, False): "never", (True, True): "always"}
    assert rows()[name][3] == told[found[0], found[1]]


# --- the engine of adding-an-engine.md


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its name, after the steps of the page: the file is written and its path is in the registry."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (DOCS / "adding-an-engine.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "toy_engine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "ENGINES", {"loudness": "toy_engine:LoudnessDiarizer", **registry.ENGINES})
    monkeypatch.setattr(registry, "_loaded", [])
    yield "loudness"
    sys.modules.pop("toy_engine", None)
    registry.unload()


@pytest.fixture
def dialogue(tmp_path: Path) -> Path:
    """Two seconds loud, one silent, two soft."""
    noise = np.random.default_rng(1).standard_normal(16_000)
    seconds = [level * noise for level in (0.3, 0.31, 0.0, 0.02, 0.021)]
    soundfile.write(tmp_path / "dialogue.wav", np.clip(np.concatenate(seconds), -1, 1), 16_000)
    return tmp_path / "dialogue.wav"


def test_the_pages_engine_is_an_engine(toy: str):
    backend = registry.resolve(toy)
    assert backend.name == toy
    assert registry.available()[toy] is None
    assert registry.resolve("auto").name == toy  # the first that can run


def test_the_pages_engine_finds_who_speaks_and_cuts_tracks(toy: str, dialogue: Path, tmp_path: Path):
    result = run(SpeakerRequest(dialogue, tmp_path / "out", engine=toy, voiceprints=True))
    assert [(turn.start, turn.end, turn.speaker) for turn in result.turns] == [
        (0, 1, 0),
        (1, 2, 0),
        (3, 4, 1),
        (4, 5, 1),
    ]
    assert [file.name for file in result.files if file.kind == "audio"] == ["speaker_0.wav", "speaker_1.wav"]
    assert (result.engine, result.models, result.warnings) == ("loudness", ("loudness 1",), ())
    assert [voiceprint.model for voiceprint in result.voiceprints if voiceprint] == ["loudness 1"] * 2


def test_the_pages_engine_honours_bounds_or_warns_and_hears_nobody_in_silence(toy: str, dialogue: Path, tmp_path: Path):
    one = run(SpeakerRequest(dialogue, tmp_path / "one", engine=toy, speakers=SpeakerBounds(exact=1)))
    assert (len(one.speakers), one.warnings) == (1, ())
    three = run(SpeakerRequest(dialogue, tmp_path / "three", engine=toy, speakers=SpeakerBounds(exact=3)))
    assert (len(three.speakers), three.warnings) == (2, ("This engine tells two speakers apart at most.",))
    soundfile.write(dialogue, np.zeros(32_000), 16_000)
    assert run(SpeakerRequest(dialogue, tmp_path / "silence", engine=toy)).turns == ()


def test_the_pages_engine_runs_from_the_command_line(toy: str, dialogue: Path, tmp_path: Path, capsys):
    command = ["extract", str(dialogue), "--output", str(tmp_path / "out"), "--engine", toy, "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["engine"] == toy


def test_the_pages_engine_says_what_it_lacks(toy: str, monkeypatch: pytest.MonkeyPatch):
    registry.resolve(toy)
    monkeypatch.setattr(sys.modules["toy_engine"], "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="pip install scipy"):
        registry.resolve(toy)
