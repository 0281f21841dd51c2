"""The benchmarks of the pyannote engines run, here on small networks."""

from __future__ import annotations

import re
import sys

import pytest
import torch

from benchmarks import gpu, pyannote_modes
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit, match="finds no CUDA GPU on this machine: nothing was measured"):
        gpu.main()
