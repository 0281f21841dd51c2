"""Which engine takes music apart, and every way in which one cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from safetensors import safe_open
from safetensors.torch import save_file

from audio_engine import registry
from audio_engine.__main__ import main
from audio_engine.errors import EngineError
from audio_engine.music import StemsRequest
from audio_engine.options import engine_for
from audio_engine.pipeline import run

WEIGHTS = "955717e8.safetensors"


@pytest.fixture(autouse=True)
def fresh() -> None:
    registry.unload()


def test_auto_takes_the_first_that_is_here_and_knows_the_stems(tiny_demucs, tmp_path, monkeypatch):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    assert engine_for(("vocals", "drums")) == "htdemucs"  # which will say what is missing
    assert engine_for(()) == "basic"
    for name in ("htdemucs_6s", "htdemucs_ft", "htdemucs"):
        shutil.copytree(tiny_demucs / name, tmp_path / name)
        assert engine_for(("vocals", "drums")) == name
        assert engine_for(()) == name
    assert engine_for(("vocals", "guitar")) == engine_for(("no_piano",)) == "htdemucs_6s"
    assert engine_for(("vocals",), "htdemucs_ft") == "htdemucs_ft"


@pytest.mark.parametrize(
    ("stems", "engine", "told"),
    [
        (("vocals", "kick"), "auto", "stems must be of vocals, drums, .*, not 'kick'"),
        (("guitar",), "htdemucs_ft", "stems must be those that the engine htdemucs_ft tells apart; htdemucs_6s does"),
    ],
)
def test_stems_that_nobody_knows_are_refused_before_any_work(stems, engine, told, song, tmp_path):
    with pytest.raises(EngineError, match=told) as refusal:
        run(StemsRequest(song, tmp_path / "out", engine=engine, stems=stems))
    assert (refusal.value.code, refusal.value.details["field"]) == ("INVALID_OPTION", "stems")


def test_weights_that_are_not_here_are_named_with_how_to_get_them(song, tmp_path, monkeypatch):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    with pytest.raises(EngineError) as refusal:
        run(StemsRequest(song, tmp_path / "out", engine="htdemucs_ft"))
    assert refusal.value.code == "ENGINE_UNAVAILABLE"
    for told in ("adefossez/HTDemucs-ft", "336 MB", "python manage.py models fetch htdemucs_ft"):
        assert told in refusal.value.message


def cut_off(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])


def of_another_class(folder: Path) -> None:
    with safe_open(str(folder / WEIGHTS), "pt") as file:
        weights, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(weights, folder / WEIGHTS, metadata | {"klass": "subprocess.Popen"})


def with_weights_missing(folder: Path) -> None:
    with safe_open(str(folder / WEIGHTS), "pt") as file:
        weights, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    weights.popitem()
    save_file(weights, folder / WEIGHTS, metadata)


def of_other_sources(folder: Path) -> None:
    shutil.copy(folder.parent / "6s", folder / WEIGHTS)


def described_otherwise(folder: Path) -> None:
    (folder / "htdemucs.yaml").write_text(yaml.safe_dump({"models": ["../../elsewhere"]}))


@pytest.mark.parametrize(
    "damage", [cut_off, of_another_class, with_weights_missing, of_other_sources, described_otherwise]
)
def test_files_that_are_no_such_model_are_refused(damage, own_models, tiny_demucs, song, tmp_path):
    shutil.copy(tiny_demucs / "htdemucs_6s" / "5c90dfd2.safetensors", own_models.parent / "6s")
    damage(own_models)
    with pytest.raises(EngineError, match="models fetch htdemucs") as refusal:
        run(StemsRequest(song, tmp_path / "out"))
    assert refusal.value.code == "ENGINE_UNAVAILABLE"


def test_the_command_line_takes_music_apart_and_checks_models(demucs_models, song, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["stems", str(song), "--output", str(out), "--stems", "vocals,instrumental"]) == 0
    assert {path.name for path in out.iterdir()} == {"vocals.wav", "instrumental.wav", "result.json"}
    assert capsys.readouterr().out.startswith("vocals: -")
    assert main(["stems", str(song), "--output", str(out), "--stems", "drums"]) == 0
    assert {path.name for path in out.iterdir()} == {"drums.wav", "result.json"}
    assert main(["models", "check", "htdemucs_6s"]) == 0
    assert "htdemucs_6s: loads" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "htdemucs_ft: here, " in capsys.readouterr().out
