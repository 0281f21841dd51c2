"""The benchmarks of the Demucs engines run, here on a small network."""

from __future__ import annotations

import re
import sys

import pytest

from benchmarks import gpu, music
from tests.audio_engine.demucs import tiny

GPU_ROW = r"^([\w.-]+) +([\d.]+) s an hour, +([\d.]+) GiB at most, +([\d.]+) times as fast$"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "FULL", tiny.TINY)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", "")  # which they set


def test_ours_is_timed_beside_demucss_api_and_finds_the_same(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sys, "argv", ["music", "--seconds", "3"])
    music.main()
    printed = capsys.readouterr().out
    assert re.findall(r"^(\w+) +\d+ s an hour$", printed, re.MULTILINE) == ["demucs", "ours"]
    assert float(re.findall(r"^largest difference (\S+)$", printed, re.MULTILINE)[0]) < 1e-6


def test_the_comparison_on_a_gpu_runs_elsewhere_too(capsys):
    gpu.stems(None, 2.0, 1, "cpu")
    rows = re.findall(GPU_ROW, capsys.readouterr().out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["demucs", "htdemucs"]
    assert float(rows[0][-1]) == 1.0
