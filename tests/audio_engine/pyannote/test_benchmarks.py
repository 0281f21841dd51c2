"""The benchmarks of the pyannote engines run, here on small networks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34

from audio_engine.backends.pyannote.loading import load_pipeline
from audio_engine.memory import Samples
from benchmarks import gpu, gpu_traffic, host_side, pyannote_gate, pyannote_modes, pyannote_pipeline, thin_wespeaker
from tests.audio_engine.pyannote import random_models


def test_the_modes_are_timed_beside_pyannotes_own_pipeline(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(random_models, "COMMUNITY_1", random_models.TINY)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(sys, "argv", ["pyannote_modes", "--seconds", "4", "--rounds", "1"])
    pyannote_modes.main()
    printed = capsys.readouterr().out
    assert re.findall(r"^([\w.]+) +\d+ s an hour, of them embedding +\d+$", printed, re.MULTILINE) == [
        "pyannote.audio",
        "exact",
        "fast",
        "shared",
    ]
    exact, fast, _ = re.findall(
        r"^(?:exact|fast|shared) .* times; turns (.+), least cosine of an embedding ([\d.]+)$", printed, re.MULTILINE
    )
    assert exact == ("the same", "1.000000")
    assert float(fast[1]) > 0.999


def write_talk(folder: Path, heard: Samples) -> None:
    """As DATA of the benchmarks."""
    soundfile.write(folder / "talk.wav", heard, 16_000)
    turns = ("0.5 1.5 <NA> <NA> anna", "1.8 1.7 <NA> <NA> ben")
    (folder / "talk.rttm").write_text("".join(f"SPEAKER talk 1 {turn} <NA> <NA>\n" for turn in turns))
    rows = ["file,rttm,reference", "talk.wav,talk.rttm,human", "other.wav,other.rttm,pseudo"]
    (folder / "manifest.csv").write_text("\n".join(rows))


def test_the_modes_errors_are_compared_on_recordings_with_references(
    tiny_models: Path, heard: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    write_talk(tmp_path, heard)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(pyannote_gate, "ENOUGH", 0.2)
    monkeypatch.setattr(sys, "argv", ["pyannote_gate", str(tmp_path), str(tiny_models), "--modes", "exact", "fast"])
    pyannote_gate.main()
    one, every, moved = capsys.readouterr().out.splitlines()[-3:]
    exact, fast = re.fullmatch(r"talk.wav +exact +([\d.]+) .*fast +([\d.]+) \(\d+ speakers\)", one).groups()
    assert exact == fast
    assert every == f"all: exact {exact}, fast {fast}"
    assert float(exact) > 0
    assert re.fullmatch(
        r"fast: \+0.00 to exact \([+-]0.00 to [+-]0.00\); cosines median (1.0|0.999)\d+, least (1.0|0.99)\d+", moved
    )


def test_with_who_speaks_from_the_reference_only_embeddings_make_errors(
    tiny_models: Path, heard: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    write_talk(tmp_path, heard)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(pyannote_gate, "ENOUGH", 0.2)
    for module in (pyannote_gate, pyannote_pipeline):
        monkeypatch.setattr(module, "WINDOW", 2.0)
    monkeypatch.setattr(sys, "argv", ["pyannote_gate", str(tmp_path), str(tiny_models), "--scripted"])
    pyannote_gate.main()
    one, _, moved = capsys.readouterr().out.splitlines()[-3:]
    errors = re.fullmatch(r"talk.wav +fast +([\d.]+) \(2 speakers\) +shared +([\d.]+) \(2 speakers\)", one).groups()
    assert max(map(float, errors)) < 50  # by chance it were that
    assert re.match(r"shared: [+-][\d.]+ to fast \(", moved)


def test_a_small_network_that_works_is_made_in_the_true_layout(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "speech").mkdir()
    talk, rate = soundfile.read(sample)
    for number, part in enumerate(np.array_split(talk, 4)):
        soundfile.write(tmp_path / "speech" / f"{number}.wav", part, rate)
    for name, small in {"HELD_OUT": 2, "SPEEDS": (100,), "DISTURBANCES": 2, "BATCH": 2, "CROPS": 2}.items():
        monkeypatch.setattr(thin_wespeaker, name, small)
    folder = tmp_path / "models"
    arguments = [str(tmp_path / "speech"), str(folder), "--batches", "2"]
    monkeypatch.setattr(sys, "argv", ["thin_wespeaker", *arguments])
    thin_wespeaker.main()
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(folder))
    network = load_pipeline(thin_wespeaker.MODEL, "shared")._embedding.model_
    assert (network.dimension, network.receptive_field_size()) == (192, WeSpeakerResNet34().receptive_field_size())


def test_the_comparison_on_a_gpu_runs_elsewhere_too(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(random_models, "COMMUNITY_1", random_models.TINY)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    gpu.speakers(None, 4.0, 1, "cpu")
    rows = re.findall(
        r"^([\w.-]+) +([\d.]+) s an hour, +[\d.]+ GiB at most, +([\d.]+) times as fast$",
        capsys.readouterr().out,
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == ["pyannote.audio", "pyannote", "pyannote-shared"]
    assert all(float(seconds) > 0 and float(ratio) > 0 for _, seconds, ratio in rows)


def test_what_goes_to_a_gpu_is_counted_without_one(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(gpu_traffic, "SMALL", random_models.TINY)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(sys, "argv", ["gpu_traffic", "--seconds", "3", "--only", "exact", "shared"])
    gpu_traffic.main()
    rows = re.findall(
        r"^(\w+) +(\d+) MB there, +\d+ MB back, +\d+ waits, +\d+ operations$", capsys.readouterr().out, re.MULTILINE
    )
    there = {mode: int(megabytes) for mode, megabytes in rows}
    assert there["exact"] > 3 * there["shared"] > 3 * 2 * 230


def test_what_the_cpu_does_beside_networks_is_timed_step_by_step(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(sys, "argv", ["host_side", "--seconds", "60", "--rounds", "1"])
    host_side.main()
    told = {mode: re.findall(r"(\w+) ([\d.]+)", steps) for mode, steps in rows_of(capsys.readouterr().out)}
    assert set(told) == {"fast", "shared"}
    assert all({step for step, _ in steps} == {*host_side.STEPS, "get_embeddings"} for steps in told.values())


def rows_of(printed: str) -> list[tuple[str, str]]:
    return re.findall(r"^(\w+) +[\d.]+ s: (.+)$", printed, re.MULTILINE)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit, match="finds no CUDA GPU on this machine: nothing was measured"):
        gpu.main()
