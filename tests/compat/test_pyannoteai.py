"""pyannoteAI's surface: requests for work, jobs, lists and errors, in its words."""

from __future__ import annotations

import json
import uuid

import pytest
from django.utils.dateparse import parse_datetime

from accounts import ledger
from accounts.models import APIKey
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job
from jobs.options import SpeakerOptions
from tests.compat.programs import SCORES, VendorProgram, diarized

pytestmark = pytest.mark.django_db
URL = "https://example.org/talk.wav"
NULLS = dict.fromkeys(["numSpeakers", "minSpeakers", "maxSpeakers", "webhook", "turnLevelConfidence", "model"])
OPTIONS = {"exclusive": True, "confidence": True, "turnLevelConfidence": True}


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/pyannoteai")


@pytest.fixture
def bobs(bob, program) -> VendorProgram:
    return program(bob, "/pyannoteai")


@pytest.fixture
def keyed(media):
    """Alice's recording, under a key."""
    media.key = "tones.wav"
    media.save()
    return media


def ask(api: VendorProgram, **body) -> Job:
    answer = api.send("post", "v1/diarize", {"url": "media://tones.wav", **body})
    assert answer.status_code == 200, answer.content
    assert set(answer.json()) == {"jobId", "status"}
    assert answer.json()["status"] == "created"
    return Job.objects.get(uuid=answer.json()["jobId"])


def get(api: VendorProgram, job: Job) -> dict:
    return api.send("get", f"v1/jobs/{job.uuid}").json()


# --- work


def test_a_key_can_be_tried(api):
    answer = api.send("get", "v1/test")
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "message": "Test connection successful"})


def test_a_url_is_diarized_with_every_option(api):
    options = {"minSpeakers": 1, "maxSpeakers": 4, "model": "precision-2", "transcription": False, **OPTIONS}
    job = ask(api, url=URL, webhook="https://example.org/hook", webhookStatusOnly=True, **options)
    assert (job.task, job.source_url, job.name, job.surface) == ("diarization", URL, "talk.wav", "pyannoteai")
    assert (job.options["min_speakers"], job.options["max_speakers"], job.options["engine"]) == (1, 4, "auto")
    assert (job.webhook_url, job.webhook_form) == ("https://example.org/hook", "pyannoteai")
    assert job.asked == {**OPTIONS, "webhookStatusOnly": True}


def test_nulls_are_no_options(api, keyed):
    job = ask(api, **NULLS, newOption=None)
    assert (job.options["num_speakers"], job.webhook_url, job.asked) == (None, "", {})


@pytest.mark.parametrize("model", ["precision-1", "precision-2", None])
def test_pyannotes_own_models_are_replaced_without_a_word(api, keyed, model):
    assert ask(api, model=model).options["engine"] == "auto"


def test_an_open_model_that_is_not_installed_is_replaced_with_a_warning(api, keyed):
    answer = api.send("post", "v1/diarize", {"url": "media://tones.wav", "model": "community-1"})
    assert answer.json()["warning"] == "community-1 is not installed on this server; its own engine does the work."
    assert Job.objects.get().options["engine"] == "auto"


def test_a_retry_is_told_as_the_first_run_was_asked_for(api, keyed):
    job = ask(api, exclusive=True, webhook="https://example.org/hook")
    again = lifecycle.retry(lifecycle.cancel(job))
    assert (again.surface, again.asked, again.webhook_form) == ("pyannoteai", {"exclusive": True}, "pyannoteai")
    assert get(api, job)["status"] == "canceled"
    assert get(api, again)["status"] == "pending"


# --- what cannot be used


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"url": None}, "url", "This field is required."),
        ({"url": ""}, "url", "This field may not be blank."),
        ({"url": 5.0}, "url", "This is not an http or https address."),
        ({"url": "talk.wav"}, "url", "This is not an http or https address."),
        ({"url": "ftp://example.org/a.wav"}, "url", "This is not an http or https address."),
        ({"url": "http://127.0.0.1/a.wav"}, "url", "This address does not lead to a public server."),
        ({"url": "http://169.254.169.254/latest"}, "url", "This address does not lead to a public server."),
        ({"url": "https://youtu.be/example123"}, "url", "This server fetches nothing from this site"),
        ({"url": "media://nobody/knows.wav"}, "url", "There is no such recording"),
        ({"numSpeakers": 0}, "numSpeakers", "greater than or equal to 1"),
        ({"numSpeakers": 21}, "numSpeakers", "less than or equal to 20"),
        ({"numSpeakers": "two"}, "numSpeakers", "A valid integer is required."),
        ({"numSpeakers": 2.5}, "numSpeakers", "A valid integer is required."),
        ({"numSpeakers": True}, "numSpeakers", "A valid integer is required."),
        ({"minSpeakers": -1}, "minSpeakers", "greater than or equal to 1"),
        ({"maxSpeakers": [2]}, "maxSpeakers", "A valid integer is required."),
        ({"minSpeakers": 4, "maxSpeakers": 3}, "minSpeakers", "minSpeakers must not be above maxSpeakers."),
        ({"numSpeakers": 2, "minSpeakers": 2}, "numSpeakers", "together with minSpeakers or maxSpeakers."),
        ({"numSpeakers": 2, "maxSpeakers": 2}, "numSpeakers", "together with minSpeakers or maxSpeakers."),
        ({"model": "precision-9"}, "model", '"precision-9" is not a valid choice.'),
        ({"exclusive": "perhaps"}, "exclusive", "Must be a valid boolean."),
        ({"transcription": True}, "transcription", "No model for transcription is installed on this server."),
        ({"transcriptionConfig": {"model": "x"}}, "transcriptionConfig.model", '"x" is not a valid choice.'),
        ({"speakers": 2}, "speakers", "There is no such option here."),
        ({"webhook": "not a url"}, "webhook", "This is not an http or https address."),
        ({"webhook": "https://10.0.0.1/hook"}, "webhook", "This address does not lead to a public server."),
    ],
)
def test_what_cannot_be_used_is_named(api, body, field, message):
    answer = api.send("post", "v1/diarize", {"url": URL, **body})
    told = answer.json()
    assert (answer.status_code, set(told), told["message"]) == (400, {"message", "errors"}, "Invalid request")
    [wrong] = told["errors"]
    assert set(wrong) == {"field", "message"}
    assert wrong["field"] == field
    assert message in wrong["message"]
    assert not Job.objects.exists()


def test_all_wrong_members_are_named(api):
    answer = api.send("post", "v1/diarize", {"numSpeakers": 0, "foo": 1})
    assert [error["field"] for error in answer.json()["errors"]] == ["url", "numSpeakers", "foo"]


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "3", "[" * 100_000, "\xff"])
def test_json_that_is_no_request_is_refused(api, body):
    answer = api.send("post", "v1/diarize", body.encode("latin1"))
    assert (answer.status_code, set(answer.json())) == (400, {"message", "errors"})


def test_a_body_that_is_too_large_is_refused(api):
    answer = api.send("post", "v1/diarize", {"url": URL, "foo": "a" * 1_000_001})
    assert answer.status_code == 400
    assert answer.json() == {"message": "The request is too large for one without a file.", "errors": []}


# --- all other errors


def told(answer) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"requestId", "message"}
    uuid.UUID(body["requestId"])
    return answer.status_code, body["message"]


def test_nobody_gets_in_without_a_key(db):
    for authorization in ("", "Bearer ap_nobodys", "Bearer no.jwt.atall", "ap_nobodys"):
        nobody = VendorProgram("/pyannoteai", authorization)
        for method, path in (
            ("get", "v1/test"),
            ("post", "v1/diarize"),
            ("post", "v1/media/input"),
            ("get", "v2/jobs"),
        ):
            assert told(nobody.send(method, path))[0] == 401


def test_a_revoked_key_is_told_as_such(api):
    APIKey.objects.get().revoke()
    assert told(api.send("get", "v1/test")) == (403, "This API key has been revoked")


def test_missing_credits_are_told(api, alice, charlie, keyed):
    ledger.adjust(alice, -999_990, reason="Spent", actor=charlie)
    words = "Insufficient credits for processing. Required: 17, Available: 10"
    assert told(api.send("post", "v1/diarize", {"url": "media://tones.wav"})) == (402, words)
    ledger.adjust(alice, -10, reason="Spent", actor=charlie)
    assert told(api.send("post", "v1/diarize", {"url": URL}))[0] == 402
    assert not Job.objects.exists()


def test_other_peoples_and_unknown_jobs_are_not_found(api, bobs, keyed):
    job = ask(api)
    other = lifecycle.submit(keyed, "extraction", SpeakerOptions())
    assert told(bobs.send("get", f"v1/jobs/{job.uuid}")) == (404, "Job not found or access denied")
    for name in (other.uuid, uuid.uuid4(), job.number, "nonsense", "%00"):
        assert told(api.send("get", f"v1/jobs/{name}"))[0] == 404


@pytest.mark.parametrize("path", ["", "v1", "v3/jobs", "v1/diarize/now"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_addresses_are_told_alike(api, path, method):
    assert told(api.send(method, path))[0] == 404


def test_live_streams_are_not_offered(api):
    assert told(api.send("post", "v1/live", {})) == (501, "Live streams are not part of this server.")


def test_methods_that_an_address_does_not_know_are_told_alike(api):
    assert told(api.send("get", "v1/diarize"))[0] == 405


def test_the_rate_limit_is_told_in_headers(api, settings):
    settings.RATE_LIMIT = 2
    answers = [api.send("get", "v1/test") for _ in range(3)]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer["X-RateLimit-Limit"] for answer in answers} == {"2"}
    assert told(answers[2]) == (429, "Rate limit exceeded. Try again later.")
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert answers[2]["X-RateLimit-Reset"]


def test_a_defect_is_told_without_its_details_and_logged_with_its_id(api, monkeypatch, caplog):
    monkeypatch.setattr("jobs.compat.pyannoteai.views.Test.get", lambda *_: 1 / 0)
    answer = api.send("get", "v1/test")
    assert told(answer) == (500, "Something went wrong on the server. Nothing was charged; try again.")
    assert answer.json()["requestId"] in caplog.text
    assert "division by zero" in caplog.text


def test_a_wrong_host_is_told_alike(api):
    answer = api.send("get", "v1/test", headers={"Host": "evil.example.com"})
    assert (answer.status_code, set(answer.json())) == (400, {"message", "errors"})


# --- jobs


def test_a_job_is_told_in_each_state(api, keyed, tmp_path):
    job = ask(api, url=URL)
    assert get(api, job)["status"] == "created"
    lifecycle.claim("io", "tests")
    assert get(api, job)["status"] == "pending"
    queued = ask(api)
    assert get(api, queued)["status"] == "pending"
    lifecycle.claim("engine", "tests")
    body = get(api, queued)
    assert (set(body), body["status"]) == ({"jobId", "status", "createdAt", "updatedAt"}, "running")
    canceled = get(api, lifecycle.cancel(Job.objects.get(pk=queued.pk)))
    assert (set(canceled), canceled["status"]) == (set(body), "canceled")


def test_a_finished_job_has_who_spoke_when(api, keyed, tmp_path):
    done = diarized(ask(api), tmp_path)
    body = get(api, done)
    assert (body["jobId"], body["status"]) == (str(done.uuid), "succeeded")
    assert abs(parse_datetime(body["createdAt"]) - done.created_at).total_seconds() < 0.001
    assert abs(parse_datetime(body["updatedAt"]) - done.finished_at).total_seconds() < 0.001
    assert body["output"] == {
        "diarization": [
            {"speaker": "SPEAKER_00", "start": 0.1, "end": 1.0},
            {"speaker": "SPEAKER_01", "start": 1.2, "end": 2.5},
        ],
        "warning": "Only 2 speakers were found.",
    }


def test_a_finished_job_has_what_else_was_asked_for(api, keyed, tmp_path):
    output = get(api, diarized(ask(api, **OPTIONS), tmp_path))["output"]
    assert [turn["confidence"] for turn in output["diarization"]] == [{"SPEAKER_00": 90}, {"SPEAKER_01": 85}]
    assert output["exclusiveDiarization"] == [
        {"speaker": "SPEAKER_00", "start": 0.1, "end": 1.0},
        {"speaker": "SPEAKER_01", "start": 1.2, "end": 2.5},
    ]
    assert output["confidence"] == SCORES


def test_an_engine_that_tells_no_confidence_is_warned_of(api, keyed, tmp_path):
    output = get(api, diarized(ask(api, **OPTIONS), tmp_path, confidence=False))["output"]
    assert set(output) == {"diarization", "exclusiveDiarization", "warning"}
    assert output["warning"] == "Only 2 speakers were found. The engine of this job tells no confidence."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (JobError("URL_PLAYLIST", "It is a list."), "Could not load audio: It is a list."),
        (JobError("ENGINE_FAILED"), "The engine failed. This is a defect; the log has the details."),
        (
            JobError("PROCESSING_FAILED", details={"reason": "No speech was found in the recording."}),
            "Failed to extract speakers from audio: No speech was found in the recording.",
        ),
    ],
)
def test_a_failed_job_says_why(api, keyed, error, words):
    ask(api)
    failed = lifecycle.fail(lifecycle.claim("engine", "tests"), error)
    assert (get(api, failed)["status"], get(api, failed)["output"]) == ("failed", {"error": words})


# --- lists


@pytest.fixture
def seven(api, keyed) -> list[str]:
    """Newest first; the second has been canceled. Bob's and extractions are none of them."""
    jobs = [ask(api) for _ in range(7)]
    lifecycle.cancel(jobs[5])
    lifecycle.submit(keyed, "extraction", SpeakerOptions())
    return [str(job.uuid) for job in reversed(jobs)]


def ids(answer) -> list[str]:
    assert answer.status_code == 200
    return [item["id"] for item in answer.json()["items"]]


def test_jobs_are_listed_page_by_page(api, seven):
    first = api.send("get", "v2/jobs?limit=3")
    assert set(first.json()["items"][0]) == {"id", "status", "createdAt"}
    ask(api)
    second = api.send("get", f"v2/jobs?limit=3&cursor={first.json()['nextCursor']}")
    third = api.send("get", f"v2/jobs?limit=3&cursor={second.json()['nextCursor']}")
    assert ids(first) + ids(second) + ids(third) == seven
    assert third.json()["nextCursor"] is None


def test_the_older_list_counts(api, seven):
    assert ids(api.send("get", "v1/jobs?take=2&skip=1")) == seven[1:3]
    assert ids(api.send("get", "v1/jobs?limit=2&offset=5")) == seven[5:]
    whole = api.send("get", "v1/jobs").json()
    assert (len(whole["items"]), whole["total"]) == (7, 7)


@pytest.mark.parametrize("list", ["v1/jobs", "v2/jobs"])
def test_lists_are_filtered_by_state_and_are_ones_own(api, bobs, seven, list):
    assert ids(api.send("get", f"{list}?status=canceled")) == [seven[1]]
    assert len(ids(api.send("get", f"{list}?status=pending"))) == 6
    assert ids(api.send("get", f"{list}?status=succeeded")) == []
    assert ids(bobs.send("get", list)) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("status=done", "status"),
        ("page=2", "page"),
        ("cursor=x", "cursor"),
        ("cursor=0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11", "cursor"),
    ],
)
def test_queries_that_cannot_be_used_are_named(api, query, field):
    answer = api.send("get", f"v2/jobs?{query}")
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])


# --- the document


def test_answers_are_as_described(api, keyed, tmp_path, client):
    from tests.api.test_schema import conforms

    document = json.loads(client.get("/api/v1/schema").content)
    conforms(document, "/pyannoteai/v1/test", "get", api.send("get", "v1/test"))
    answer = api.send("post", "v1/diarize", {"url": "media://tones.wav", **OPTIONS})
    conforms(document, "/pyannoteai/v1/diarize", "post", answer)
    diarized(Job.objects.get(), tmp_path)
    conforms(document, "/pyannoteai/v1/jobs/{job_id}", "get", api.send("get", f"v1/jobs/{Job.objects.get().uuid}"))
    conforms(document, "/pyannoteai/v1/jobs", "get", api.send("get", "v1/jobs"))
    conforms(document, "/pyannoteai/v2/jobs", "get", api.send("get", "v2/jobs?limit=1"))
    conforms(document, "/pyannoteai/v1/diarize", "post", api.send("post", "v1/diarize", {}))
    conforms(document, "/pyannoteai/v1/jobs/{job_id}", "get", api.send("get", "v1/jobs/nonsense"))
    conforms(document, "/pyannoteai/v1/media/input", "post", api.send("post", "v1/media/input", {"url": "media://a"}))
    conforms(document, "/pyannoteai/v1/media/output", "post", api.send("post", "v1/media/output", {"url": "media://a"}))
