"""The examples of AudioPod's document on speaker extraction as they stand there, but for the host and what they say to
fill in, and the answers that it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import ledger
from jobs import lifecycle
from jobs.errors import JobError
from tests.documents import document, examples
from tests.serving import Console, Soloist

DOCUMENT = "audiopod-speaker-extraction.md"
HOST = "https://api.audiopod.ai"
FILE, URL = "Extract from File Upload", "Extract from URL"
STATUS, LIST, RETRY, DELETE = "Get Job Status", "List Extraction Jobs", "Retry Failed Job", "Delete Job"
ALONE = """
from django.db.models import Q
from jobs import lifecycle
from jobs.models import Job

job = Job.objects.filter(Q(pk={job}) | Q(origin_id={job})).latest("pk")
for other in Job.objects.filter(status__in=[Job.Status.PENDING, Job.Status.QUEUED]).exclude(pk=job.pk):
    lifecycle.cancel(other)
"""  # so that it is the next to be worked on, in its latest run
FINISH = f"""{ALONE}
from pathlib import Path
from tests.api.programs import succeed

told = succeed(job, Path({{recording!r}})).number
"""
FAIL = f"""{ALONE}
from jobs.errors import JobError

told = lifecycle.fail(lifecycle.claim("io", "tests"), JobError("URL_UNREACHABLE")).number
"""


@pytest.fixture(scope="module")
def key(web: Soloist) -> str:
    return web.account("audiopod-document@example.org")


@pytest.fixture(scope="module")
def folder(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audiopod")
    (folder / "podcast_episode.mp3").write_bytes(recording.read_bytes())
    return folder


@pytest.fixture
def python(web, key, folder, monkeypatch):
    """Runs the Python example below a heading; returns its names."""
    monkeypatch.chdir(folder)

    def run(heading: str, **names: Any) -> dict[str, Any]:
        [code] = examples(DOCUMENT, "python", heading)
        names |= {"requests": requests, "api_key": key}
        exec(code.replace(HOST, web.url), names)
        return names

    return run


@pytest.fixture
def shell(web, key, folder):
    """Runs the curl example below a heading; returns what it prints."""

    def run(heading: str, job: int = 123) -> str:
        [code] = examples(DOCUMENT, "bash", heading)
        code = code.replace(HOST, web.url).replace("your_api_key", key).replace("jobs/123", f"jobs/{job}")
        environment = {**os.environ, "AUDIOPOD_API_KEY": key, "no_proxy": "*"}
        return subprocess.run(
            ["bash", "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    return run


def shown(heading: str) -> Any:
    """The answer that the document shows below a heading."""
    [body] = examples(DOCUMENT, "json", heading)
    return json.loads(body)


def differences(shown: Any, told: Any, path: str = "") -> list[str]:
    """Which members of an answer that is shown are missing in the one that was told, or of another type."""
    if type(shown) is not type(told):
        return [f"{path or 'all'}: {shown!r} is shown, {told!r} is told"]
    if isinstance(shown, dict):
        missing = [f"{path}.{name} is missing" for name in shown.keys() - told.keys()]
        both = shown.keys() & told.keys()
        return missing + [wrong for name in both for wrong in differences(shown[name], told[name], f"{path}.{name}")]
    if isinstance(shown, list):
        return [
            wrong for one, other in zip(shown, told, strict=False) for wrong in differences(one, other, f"{path}[]")
        ]
    return []


def answer(web: Soloist, key: str, path: str) -> Any:
    return requests.get(f"{web.url}/api/v1/{path}", headers={"X-API-Key": key}).json()


def test_a_file_is_extracted_looked_up_listed_and_deleted(web, console: Console, key, recording, python, shell, capsys):
    names = python(FILE)
    job = names["job_id"]
    assert differences(shown(URL), names["response"].json()) == []
    assert names["response"].json()["options"]["num_speakers"] == 4
    assert capsys.readouterr().out == f"Speaker extraction job created: {job}\n"
    console.run(FINISH.format(job=job, recording=str(recording)))
    told = python(STATUS, job_id=job)["response"].json()
    assert differences(shown(STATUS), told) == []
    assert [(speaker["id"], speaker["label"]) for speaker in told["result"]["speakers"]] == [
        (0, "SPEAKER_0"),
        (1, "SPEAKER_1"),
    ]
    assert {"audio", "rttm"} <= {file["type"] for file in told["result"]["files"]}
    assert re.fullmatch(
        r"Status: COMPLETED\nExtraction complete!\nExtracted 2 speakers\n(- SPEAKER_\d: http\S+\n){2}",
        capsys.readouterr().out,
    )
    listed = python(LIST)["jobs_data"]
    assert differences(shown(LIST), listed) == []
    printed = f"Total jobs: 1\nHas more: False\nJob {job}: COMPLETED - podcast_episode.mp3\n  Output files: "
    assert capsys.readouterr().out.startswith(printed)
    python(DELETE, job_id=job)
    python(DELETE, job_id=job)
    assert capsys.readouterr().out == "Extraction job and files deleted successfully\nJob not found or access denied\n"
    in_shell = json.loads(shell(FILE))
    assert differences(shown(URL), in_shell) == []
    assert shell(DELETE, job=in_shell["id"]) == ""
    assert answer(web, key, f"speaker/jobs/{in_shell['id']}") == {"detail": "Job not found or access denied"}


def test_a_url_is_extracted_and_a_failed_job_retried(web, console, key, python, shell, capsys):
    names = python(URL)
    job = names["job_data"]["id"]
    assert differences(shown(URL), names["job_data"]) == []
    assert capsys.readouterr().out == f"URL extraction started: {job}\n"
    console.run(FAIL.format(job=job))
    retried = python(RETRY, job_id=job)["retried_job"]
    assert differences(shown(RETRY), retried) == []
    assert (retried["id"], retried["task_id"] != names["job_data"]["task_id"]) == (job, True)
    assert f"New task ID: {retried['task_id']}" in capsys.readouterr().out
    console.run(FAIL.format(job=job))
    assert json.loads(shell(RETRY, job=job))["id"] == job
    shell(DELETE, job=job)
    in_shell = json.loads(shell(URL))
    assert (in_shell["status"], in_shell["options"]["num_speakers"]) == ("PENDING", 3)
    shell(DELETE, job=in_shell["id"])


@pytest.fixture
def errors() -> dict[int, Any]:
    """The document's errors by status."""
    found = re.findall(r'<Accordion title="(\d+) .*?```json.*?\n(.*?)```', document(DOCUMENT), re.DOTALL)
    return {int(status): json.loads(body) for status, body in found}


def test_refusals_are_told_as_shown(errors, api, alice, upload, queued, media, settings):
    text = SimpleUploadedFile("notes.txt", b"Nobody speaks here.\n" * 50, "text/plain")
    told = {400: api.post("/api/v1/speaker/extract", {"file": text}), 404: api.send("get", "speaker/jobs/999999")}
    running = lifecycle.claim("engine", "tests")
    lifecycle.fail(running, JobError("PROCESSING_FAILED", details={"reason": "Nobody speaks."}))
    failed = api.send("get", f"speaker/jobs/{queued.number}").json()
    assert failed["error_code"] == errors[422]["error_code"]
    assert failed["error_message"] == errors[422]["message"]
    assert differences(errors[422]["details"], failed["error_details"]) == []
    ledger.adjust(alice, -999_999, reason="tests", actor=alice)
    told[402] = upload()
    settings.RATE_LIMIT = 1
    for _ in range(2):
        told[429] = api.send("get", "speaker/jobs")
    assert told.keys() | {422} == errors.keys()
    for status, answer in told.items():
        assert (answer.status_code, differences(errors[status], answer.json())) == (status, [])
        assert answer.json().keys() == errors[status].keys()
    assert [told[status].json() for status in (404, 429)] == [errors[404], errors[429]]
    assert {name: errors[400][name] for name in ("error_code", "message")}.items() <= told[400].json().items()
    words = re.sub(r"\d+", "{}", errors[402]["detail"])
    assert told[402].json()["detail"] == words.format(17, 1)
