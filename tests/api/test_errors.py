"""Whatever is wrong with a request, the answer is JSON that says what."""

from __future__ import annotations

import io

import pytest
from django.http import UnreadablePostError

from accounts.models import APIKey
from jobs import webhooks
from jobs.models import Job, WebhookEndpoint

BOUNDARY = "boundary0123456789"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
EXTRACT = "/api/v1/speaker/extract"


def form(recording, *, ending: str = "--\r\n") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return head.encode() + recording.read_bytes() + f"\r\n--{BOUNDARY}{ending}".encode()


def told(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body.get("message") or body["detail"]
    return answer.status_code, body.get("error_code", "")


# --- addresses and methods


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v2/speaker/jobs", "/api/v1/speaker/jobs/abc", "/api/v1/nowhere/"]
)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
def test_an_unknown_address_is_not_found(nobody, path, method):
    assert told(getattr(nobody, method)(f"/api/{path}")) == (404, "")


@pytest.mark.parametrize("path", ["media/abc", "jobs/-1/export", "jobs/a/b/export", "voiceprints/null", "uploads/1/"])
def test_an_id_that_is_none_is_a_problem_where_errors_are_problems(nobody, path):
    answer = nobody.delete(f"/api/v1/{path}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "code"}


@pytest.mark.parametrize(
    "path", ["jobs/abc", "speaker/jobs/abc/cancel", "webhooks/endpoints/1", "denoiser/jobs/x/retry"]
)
def test_an_id_that_is_none_is_told_as_others_where_the_contract_says_how(nobody, path):
    assert told(nobody.post(f"/api/v1/{path}")) == (404, "")


def test_a_trailing_slash_does_no_harm(api, queued):
    assert api.get("/api/v1/speaker/jobs/").json()["total"] == 1
    assert api.get(f"/api/v1/speaker/jobs/{queued.number}/").json()["id"] == queued.number
    assert api.post("/api/v1/speaker/extract/", {"url": "https://example.org/a.wav"}).status_code == 200


def test_a_method_that_an_address_does_not_know_is_named(api):
    answer = api.put(EXTRACT)
    assert told(answer) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer["Allow"]
    assert told(api.get(EXTRACT)) == (405, "METHOD_NOT_ALLOWED")
    assert told(api.post("/api/v1/credits")) == (405, "METHOD_NOT_ALLOWED")


def test_a_wrong_host_is_told_in_json(nobody):
    assert told(nobody.get("/api/v1/credits", headers={"Host": "evil.example.com"})) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "audio/*", "nonsense"])
def test_who_accepts_something_else_gets_json(api, accept):
    answer = api.get("/api/v1/credits?format=xml", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


# --- bodies


@pytest.mark.parametrize(
    "body", ["{", "[1, 2", "{'a': 1}", "\xff", '{"num_speakers": NaN}', "[" * 100_000, "[]", '"text"', "3", "null"]
)
@pytest.mark.parametrize("path", ["speaker/extract", "auth/token"])
def test_json_that_cannot_be_used_is_refused(api, path, body):
    status, code = told(api.post(f"/api/v1/{path}", body.encode("latin1"), content_type="application/json"))
    assert (status, code) in ((400, "INVALID_INPUT"), (422, "INVALID_OPTION"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/speaker/extract", '{"url": "https://example.org/a.wav", "overlap": "\\ud800"}'),
        ("/api/v1/jobs/batch", '{"items": [{"url": "https://example.org/a.wav", "overlap": "\\ud800"}]}'),
        ("/pyannoteai/v1/diarize", '{"url": "https://example.org/a.wav", "model": "\\ud800"}'),
        ("/pyannoteai/v1/diarize", '{"url": "https://example.org/a.wav", "\\ud800": 1}'),
    ],
)
def test_half_a_character_is_refused_and_repeated_as_it_was_sent(api, path, body):
    answer = api.post(path, body, content_type="application/json")
    assert answer.status_code < 500
    assert b"\\ud800" in answer.content
    assert not Job.objects.exists()


def test_an_unknown_kind_of_body_is_refused(api):
    assert told(api.post(EXTRACT, b"<a/>", content_type="text/xml")) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_upload_that_was_cut_off_is_refused(api, recording, settings):
    whole = form(recording)
    for cut in (whole[: len(whole) // 2], whole[:-4], form(recording, ending="\r\n")):
        assert told(api.post(EXTRACT, cut, content_type=MULTIPART)) == (400, "UPLOAD_INCOMPLETE")
    assert not Job.objects.exists()
    assert list(settings.SCRATCH_DIR.iterdir()) == []
    assert api.post(EXTRACT, whole, content_type=MULTIPART).status_code == 200


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", MULTIPART])
def test_a_form_that_is_none_is_refused(api, content_type):
    status, code = told(api.post(EXTRACT, b"no form at all", content_type=content_type))
    assert (status, code) in ((400, "INVALID_INPUT"), (400, "UPLOAD_INCOMPLETE"))


def test_a_boundary_may_be_quoted(api, recording):
    answer = api.post(EXTRACT, form(recording), content_type=f'multipart/form-data; boundary="{BOUNDARY}"')
    assert answer.status_code == 200


@pytest.mark.parametrize("length", ["-1", "many", "1e3", "0x10"])
def test_a_length_that_is_no_number_is_refused(api, length):
    answer = api.post(EXTRACT, b"url=a", content_type="application/x-www-form-urlencoded", CONTENT_LENGTH=length)
    assert told(answer) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "audio/wav"])
@pytest.mark.parametrize("path", ["speaker/extract", "auth/token"])
def test_a_large_body_that_is_no_form_is_refused_unread(api, settings, path, content_type):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = api.post(f"/api/v1/{path}", b"a" * 2000, content_type=content_type)
    assert told(answer) == (413, "FILE_TOO_LARGE")


def test_thousands_of_fields_are_refused(api):
    fields = "&".join(f"field{number}=1" for number in range(1_001))
    answer = api.post(EXTRACT, fields, content_type="application/x-www-form-urlencoded")
    assert told(answer) == (400, "INVALID_INPUT")


def test_a_client_that_leaves_gets_nothing_started(api, monkeypatch):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise UnreadablePostError

    monkeypatch.setattr("jobs.api.requests._Ending.read", Broken().read)
    assert told(api.post(EXTRACT, {"url": "https://example.org/a.wav"})) == (400, "UPLOAD_INCOMPLETE")
    assert not Job.objects.exists()


def test_a_defect_is_told_without_its_details_and_logged(api, monkeypatch, caplog):
    monkeypatch.setattr("accounts.api.Balance.of", None)
    answer = api.send("get", "credits")
    assert told(answer) == (500, "INTERNAL_ERROR")
    assert "NoneType" not in answer.content.decode()
    assert "'NoneType' object is not callable" in caplog.text


# --- names that there are not


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("speaker/jobs?status=FAILED&job_typ=extraction", "job_type"),
        ("denoiser/jobs?limt=5", "limit"),
        ("stem-extraction/jobs?skp=5", "skip"),
        ("transcription/jobs?stats=FAILED", "status"),
        ("credits/usage?limits=5", "limit"),
        ("api-wallet/usage?pag=2", "page"),
        ("webhooks/deliveries?stauts=failed", "status"),
        ("jobs?nme=call", "name"),
        ("jobs/1?wiat=30", "wait"),
        ("jobs/1/export?format=srt&forma=vtt", "format"),
        ("transcription/jobs/1/transcript?formt=srt", "format"),
    ],
)
def test_a_misspelt_part_of_a_query_is_refused_since_what_it_left_out_would_be_told_too(api, path, meant):
    answer = api.get(f"/api/v1/{path}")
    assert (answer.status_code, f"There is no such option here. Is {meant} meant?" in str(answer.json())) == (422, True)


@pytest.mark.parametrize(
    ("path", "body", "meant"),
    [
        ("auth/api-keys", {"name": "build server", "expires_in_day": 90}, "expires_in_days"),
        ("webhooks/endpoints", {"url": "https://example.org/hook", "event": ["job.failed"]}, "events"),
        ("media/addresses", {"bytes": 10, "nam": "a.wav"}, "name"),
        ("api-wallet/estimate", {"service_type": "transcription", "duration_seconds": 1, "duration": 2}, ""),
    ],
)
def test_a_misspelt_member_is_refused_where_leaving_it_out_means_something_else(api, path, body, meant):
    answer = api.send("post", path, body)
    assert answer.status_code == 422
    assert f"There is no such option here.{meant and f' Is {meant} meant?'}" in str(answer.json())
    assert not APIKey.objects.filter(name="build server").exists()
    assert not WebhookEndpoint.objects.exists()


def test_a_change_of_an_endpoint_that_names_nothing_there_is_refused(api, alice):
    endpoint = webhooks.create(alice, "https://example.org/hook", ["job.failed"])
    answer = api.send("patch", f"webhooks/endpoints/{endpoint.uuid}", {"enabled": False})
    assert told(answer) == (422, "INVALID_OPTION")
