"""The examples of pyannoteAI's documents as they stand there, but for the host and what they say to fill in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job
from tests import processes
from tests.compat.programs import diarized
from tests.documents import document, examples
from tests.jobs.outbox import send_due
from tests.serving import Soloist

TUTORIAL = "pyannoteai-diarize-tutorial.md"
RECORDING = "https://files.pyannote.ai/marklex1min.wav"
HOOK = "https://your-server.com/webhook"


@pytest.fixture(scope="module")
def key(soloist: Soloist) -> str:
    return soloist.account("pyannote-documents@example.org")


def here(code: str, soloist: Soloist, key: str) -> str:
    return code.replace("https://api.pyannote.ai", f"{soloist.url}/pyannoteai").replace("YOUR_API_KEY", key)


def run(code: str) -> Any:
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_tutorials_python_examples_run(soloist, key, monkeypatch, capsys):
    ask, poll = (here(code, soloist, key) for code in examples(TUTORIAL, "python")[:2])
    names: dict[str, Any] = {}
    exec(ask, names)
    answer = names["response"].json()
    assert (names["response"].status_code, answer["status"]) == (200, "created")
    pause = time.sleep
    monkeypatch.setattr(time, "sleep", lambda _: pause(0.5))
    exec(poll, names | {"job_id": answer["jobId"]})
    assert capsys.readouterr().out.splitlines()[-1] == "Job failed"  # there is no recording at that address


def test_the_tutorials_shell_examples_run(soloist, key):
    ask, poll, with_webhook = (here(code, soloist, key) for code in examples(TUTORIAL, "bash"))
    job = run(ask)
    assert (set(job), job["status"]) == ({"jobId", "status"}, "created")
    assert run(poll.replace("YOUR_JOB_ID", job["jobId"]))["jobId"] == job["jobId"]
    before, data = ask.rsplit("-d ", 1)
    assert json.loads(data.strip(" \n'"))["url"] == RECORDING
    assert run(before + with_webhook)["status"] == "created"


def test_the_references_shell_example_runs(soloist, key):
    """It gives all numbers of speakers at once, which the text below it forbids."""
    [code] = re.findall(r"^curl --request POST.*?'$", document("pyannoteai-diarize-api.md"), re.MULTILINE | re.DOTALL)
    code = here(code, soloist, key).replace("<token>", key)
    told = run(code)
    assert (told["message"], [wrong["field"] for wrong in told["errors"]]) == ("Invalid request", ["numSpeakers"])
    assert run(code.replace('  "numSpeakers": 2,\n', ""))["status"] == "created"


# --- its receiver of webhooks


@pytest.fixture
def hook(loopback_allowed: None, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The tutorial's server on a free port: where webhooks go, and what it prints."""
    port, log = processes.free_port(), tmp_path / "printed"
    program = examples(TUTORIAL, "python")[3].replace("port=5000", f"port={port}")
    server = processes.start(sys.executable, "-u", "-c", program, log=log)
    deadline = time.monotonic() + 30
    while "Running on" not in log.read_text():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/webhook", log
    processes.stop(server)


@pytest.mark.django_db
def test_the_tutorials_receiver_takes_each_end_of_a_job(alice, program, media, hook, tmp_path):
    address, printed = hook
    media.key = "marklex1min.wav"
    media.save()
    names: dict[str, Any] = {}
    exec(examples(TUTORIAL, "python")[2].replace(HOOK, address), names)
    api = program(alice, "/pyannoteai/v1")

    def ask(**other: Any) -> Job:
        return Job.objects.get(uuid=api.send("post", "diarize", names["data"] | other).json()["jobId"])

    lifecycle.cancel(ask())
    done = diarized(ask(url="media://marklex1min.wav"), tmp_path)
    ask(url="media://marklex1min.wav")
    lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("ENGINE_TIMEOUT"))
    assert send_due() == 3
    lines = printed.read_text().splitlines()
    assert {"Job canceled.", "Job failed.", "Diarization completed!", f"Job ID: {done.uuid}"} <= set(lines)
    [output] = [line.removeprefix("Results: ") for line in lines if line.startswith("Results: ")]
    assert "'diarization': [{'speaker': 'SPEAKER_00', 'start': 0.1, 'end': 1.0}" in output
    assert httpx.get(address).status_code == 405
