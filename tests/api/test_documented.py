"""The curl examples of docs/api.md, run as they stand there against the running server, but for the numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.serving import Console, Soloist

SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
FINISHED = """
from pathlib import Path
from accounts.models import User
from jobs import files, lifecycle
from jobs.models import Media
from jobs.options import SpeakerOptions
from tests.api.programs import succeed

recording = Path({recording!r})
media = Media.objects.create(
    owner=User.objects.get(email="docs@example.org"), file=files.store_media(recording), name="meeting.mp3",
    bytes=1, seconds=3.0, container="wav", codec="pcm_s16le", sample_rate=16000, channels=1,
)
told = succeed(lifecycle.submit(media, "extraction", SpeakerOptions()), recording).number
"""


def examples(section: str) -> str:
    sections = dict(SECTION.findall((ROOT / "docs" / "api.md").read_text()))
    return "\n".join(BLOCK.findall(sections[section]))


@pytest.fixture(scope="module")
def run(web: Soloist, console: Console, recording: Path, tmp_path_factory: pytest.TempPathFactory):
    """Runs the shell examples of a section; returns what they print and the folder they ran in."""
    key = web.account("docs@example.org")
    job = console.run(FINISHED.format(recording=str(recording)))

    def of(section: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp("here")
        for name in ("meeting.mp3", "call.wav"):
            (folder / name).write_bytes(recording.read_bytes())
        script = re.sub(r"\b(?:JOB=)123\b", f"JOB={job}", examples(section))
        environment = {**os.environ, "SERVER": web.url, "API_KEY": key, "no_proxy": "*"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout, folder

    return of


def test_less_noise(run):
    told, _ = run("Less noise")
    assert '"quality_mode":"balanced"' in told


def test_files_for_other_programs(run):
    told, folder = run("Files for other programs")
    assert (folder / "meeting.srt").read_text().startswith("1\n00:00:00,100 --> ")
    assert told.splitlines()[0] == "start,end,duration,speaker,confidence"


def test_turns_that_are_known_already(run):
    told, _ = run("Turns that are known already")
    assert '"speaker_names":["Ana","Ben"]' in told


def test_corrections(run):
    told, _ = run("Corrections")
    assert '"what":"Replaced by 2 turns"' in told
    assert '"speaker_names":["","Ana"]' in told


def test_many_jobs(run):
    told, folder = run("Many jobs")
    assert '"accepted":2,"refused":0' in told
    assert told.rstrip().endswith('"next_cursor":null}')
    assert (folder / "recordings.zip").read_bytes().startswith(b"PK")


def test_large_recordings(run):
    told, folder = run("Large recordings")
    assert '"length":96044,"offset":0' in (folder / "upload.json").read_text()
    assert '"filename":"meeting.mp3"' in told


def test_the_python_example_sends_a_recording_by_a_signed_address(web, tmp_path, recording):
    (tmp_path / "meeting.mp3").write_bytes(recording.read_bytes())
    environment = {**os.environ, "SERVER": web.url, "API_KEY": web.account("address@example.org"), "no_proxy": "*"}
    program = next(code for code in PYTHON.findall((ROOT / "docs" / "api.md").read_text()) if "addresses" in code)
    told = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=environment, text=True)
    assert told.split()[1] == "3.0"


def test_credits(run):
    told, _ = run("Credits")
    assert '"seconds":754.2,"exact":true,"credits":4149' in told


def test_progress(run):
    told, _ = run("Progress")
    assert told.count("event: state") == 4 + 2
    assert told.count('"status":"COMPLETED"') == 1


def test_the_meaning_of_an_error(run):
    told, _ = run("Errors")
    assert '"code":"INVALID_OPTION"' in told


def test_webhooks(run):
    told, _ = run("Webhooks")
    assert told.count("whsec_") == 2
    assert '"url":"https://example.org/hooks/soloist"' in told


def test_for_programs_written_for_pyannoteai(run):
    told, _ = run("For programs written for pyannoteAI")
    assert '"message":"Test connection successful"' in told
    assert told.count('"jobId"') == 1
    assert '"status":"pending"' in told


def test_for_programs_written_for_neuralspace(run):
    told, _ = run("For programs written for NeuralSpace")
    assert '"jobStatus":"Queued"' in told


def test_for_programs_written_for_timbr(run):
    told, folder = run("For programs written for Timbr")
    file_id = json.loads((folder / "place.json").read_text())["file_id"]
    assert told.count(f'"file_id":"{file_id}","status":"queued"') == 2
    assert '"has_more":false' in told


def test_extraction(run):
    told, _ = run("Extraction: everybody on a track of their own")
    assert told.count('"job_type":"extraction"') == 2


def test_diarization(run):
    told, _ = run("Diarization: who spoke when")
    assert '"num_speakers":2' in told


def test_dialogue(run):
    told, _ = run("Dialogue: speech apart from everything else")
    assert '"bit_depth":24' in told


def test_sending_a_request_again(run):
    told, _ = run("Sending a request again")
    assert '"job_type":"extraction"' in told
