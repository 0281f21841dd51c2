"""The benchmarks of the pyannote engines run, here on small networks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from audio_engine.memory import Samples
from benchmarks import gpu, pyannote_gate, pyannote_modes
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


def test_the_modes_errors_are_compared_on_recordings_with_references(
    tiny_models: Path, heard: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    soundfile.write(tmp_path / "talk.wav", heard, 16_000)
    (tmp_path / "talk.rttm").write_text("SPEAKER talk 1 0.5 3.0 <NA> <NA> anna <NA> <NA>\n")
    rows = ["file,rttm,reference", "talk.wav,talk.rttm,human", "other.wav,other.rttm,pseudo"]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which it sets
    monkeypatch.setattr(pyannote_gate, "ENOUGH", 0.2)
    monkeypatch.setattr(sys, "argv", ["pyannote_gate", str(tmp_path), str(tiny_models), "--modes", "exact", "fast"])
    pyannote_gate.main()
    one, every, moved = capsys.readouterr().out.splitlines()[-3:]
    exact, fast = re.fullmatch(r"talk.wav +exact +([\d.]+) .*fast +([\d.]+) \(\d+ speakers\)", one).groups()
    assert exact == fast
    assert every == f"all: exact {exact}, fast {fast}"
    assert float(exact) > 0
    assert re.fullmatch(r"fast: \+0.00 to exact; cosines median (1.0|0.999)\d+, least (1.0|0.99)\d+", moved)


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit, match="finds no CUDA GPU on this machine: nothing was measured"):
        gpu.main()
