"""Who spoke when as a file of each format, from the API; how problems of our own addresses are told."""

from __future__ import annotations

import csv
import json

import pytest

from audio_engine.exports import FORMATS
from jobs import lifecycle
from jobs.errors import ERRORS
from tests.api.test_schema import conforms


def export(api, job, name: str):
    return api.send("get", f"jobs/{job.number}/export?format={name}")


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_a_file_of_its_type_and_name(api, finished, name):
    answer = export(api, finished, name)
    assert answer.status_code == 200
    assert answer["Content-Type"] == FORMATS[name].content_type
    assert answer["Content-Disposition"] == f'attachment; filename="tones{FORMATS[name].suffix}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "SPEAKER_0" in answer.content.decode()


def test_speakers_are_called_as_the_job_calls_them(api, finished):
    rows = list(csv.DictReader(export(api, finished, "csv").content.decode().splitlines()))
    timeline = api.send("get", f"jobs/{finished.number}").json()["result"]["timeline"]
    assert [(float(row["start"]), float(row["end"]), row["speaker"]) for row in rows] == [
        (turn["start"], turn["end"], turn["speaker"]) for turn in timeline
    ]


def test_a_name_beyond_ascii_stays_a_files_name(api, finished):
    finished.name = "Gespräch 1.wav"
    finished.save()
    assert export(api, finished, "srt")["Content-Disposition"] == "attachment; filename*=utf-8''Gespr%C3%A4ch%201.srt"
    assert json.loads(export(api, finished, "json").content)["recording"] == "Gespräch 1.wav"


# --- problems


def problem(answer) -> dict:
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body


def test_a_job_without_a_result_says_so(api, queued):
    told = problem(export(api, queued, "srt"))
    assert told == {
        "type": "/api/v1/problems/JOB_HAS_NO_RESULT",
        "title": ERRORS["JOB_HAS_NO_RESULT"].message,
        "status": 409,
        "detail": ERRORS["JOB_HAS_NO_RESULT"].message,
        "instance": f"/api/v1/jobs/{queued.number}/export",
        "code": "JOB_HAS_NO_RESULT",
        "details": {},
    }
    lifecycle.cancel(queued)
    assert problem(export(api, queued, "srt"))["code"] == "JOB_HAS_NO_RESULT"


def test_the_type_of_a_problem_leads_to_its_meaning(api, nobody, queued):
    told = problem(export(api, queued, "srt"))
    meaning = nobody.get(told["type"]).json()
    assert meaning == {"code": told["code"], "status": told["status"], "title": told["title"]}
    assert nobody.get("/api/v1/problems/NOTHING").status_code == 404


@pytest.mark.parametrize("query", ["", "?format=", "?format=docx", "?format=SRT"])
def test_an_unknown_format_is_pointed_at(api, finished, query):
    told = problem(api.send("get", f"jobs/{finished.number}/export{query}"))
    assert (told["code"], told["status"]) == ("INVALID_OPTION", 422)
    assert told["errors"][0]["pointer"] == "#/format"


def test_errors_that_the_status_explains_have_no_type_of_their_own(api, nobody, finished, settings):
    address = f"/api/v1/jobs/{finished.number}/export?format=srt"
    unknown = problem(nobody.get(address))
    assert (unknown["type"], unknown["title"], unknown["status"]) == ("about:blank", "Unauthorized", 401)
    assert "WWW-Authenticate" in nobody.get(address)
    assert problem(api.post(address))["title"] == "Method Not Allowed"
    settings.RATE_LIMIT = 0
    limited = api.get(address)
    assert problem(limited)["code"] == "TOO_MANY_REQUESTS"
    assert "Retry-After" in limited


def test_a_defect_and_a_body_too_large_are_problems_too(api, finished, settings, monkeypatch):
    monkeypatch.setattr("jobs.exports.annotation", None)
    told = problem(export(api, finished, "srt"))
    assert (told["code"], told["status"]) == ("INTERNAL_ERROR", 500)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    address = f"/api/v1/jobs/{finished.number}/export"
    assert problem(api.post(address, b"a" * 20, content_type="application/json"))["code"] == "FILE_TOO_LARGE"


def test_addresses_of_other_contracts_keep_their_errors(api):
    answer = api.send("get", "jobs/999999")
    assert (answer["Content-Type"], answer.json()) == ("application/json", {"detail": "Job not found or access denied"})


def test_answers_are_as_described(api, nobody, finished, queued_too):
    document = nobody.get("/api/v1/schema").json()
    path = "/api/v1/jobs/{job_id}/export"
    for answer in (
        api.send("get", f"jobs/{finished.number}/export"),
        api.send("get", "jobs/999999/export?format=srt"),
        export(api, queued_too, "srt"),
        nobody.get(f"/api/v1/jobs/{finished.number}/export"),
    ):
        conforms(document, path, "get", answer)
    conforms(document, "/api/v1/problems/{code}", "get", nobody.get("/api/v1/problems/DISK_FULL"))
    content = document["paths"][path]["get"]["responses"]["200"]["content"]
    assert set(content) == {its.content_type.partition(";")[0] for its in FORMATS.values()}


@pytest.fixture
def queued_too(finished, media):
    from jobs.options import SpeakerOptions

    return lifecycle.submit(media, "diarization", SpeakerOptions())
