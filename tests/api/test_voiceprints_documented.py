"""The examples about voiceprints in docs/api.md, run as they stand there against the running product."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.api.test_documented import SECTION, examples
from tests.processes import ROOT
from tests.serving import Soloist

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def cut(sample: Path, path: Path, start: float, end: float) -> None:
    with wave.open(str(sample)) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        whole.setpos(int(start * whole.getframerate()))
        part.writeframes(whole.readframes(int((end - start) * whole.getframerate())))


@pytest.fixture(scope="module")
def folder(sample, tmp_path_factory) -> Path:
    """Two conversations of the same two people, and one of them alone."""
    folder = tmp_path_factory.mktemp("voices")
    cut(sample, folder / "sam.wav", 10.6, 14.4)
    cut(sample, folder / "monday.wav", 14.4, 30.0)
    cut(sample, folder / "tuesday.wav", 6.0, 24.0)
    return folder


def run(soloist: Soloist, key: str, folder: Path, *command: str) -> str:
    environment = {**os.environ, "SERVER": soloist.url, "API_KEY": key, "no_proxy": "*"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_voices_are_kept_and_known_again(soloist, folder):
    key = soloist.account("voices@example.org")
    told = run(soloist, key, folder, "bash", "-euo", "pipefail", "-c", examples("Voiceprints"))
    assert json.loads((folder / "sam.json").read_text())["status"] == "learning"
    assert told.count('"status":"ready","model":"resemblyzer') == 3  # Ann, when she was kept, and both in the list
    (program,) = PYTHON.findall(dict(SECTION.findall((ROOT / "docs" / "api.md").read_text()))["Voiceprints"])
    matches = [line.split()[1] for line in run(soloist, key, folder, sys.executable, "-c", program).splitlines()]
    assert "Sam" in matches
    assert len(matches) == 2
