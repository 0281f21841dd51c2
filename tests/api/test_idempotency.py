"""A POST that is sent again does nothing twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts import idempotency, ledger
from accounts.models import CreditEntry, IdempotentRequest
from jobs import lifecycle
from jobs.models import Job, Media
from tests.api.programs import Program
from tests.racing import race

URL = "https://example.org/talk.wav"
KEY = {"Idempotency-Key": "monday"}


def extract(program: Program, *, headers: dict[str, str] = KEY, **fields):
    return program.send("post", "speaker/extract", {"url": URL} | fields, headers=headers)


def test_a_repetition_gets_the_first_answer_and_makes_no_job(api):
    first, again = extract(api), extract(api)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1


def test_a_file_that_is_sent_again_is_stored_and_paid_once(alice, upload):
    first, again = upload(headers=KEY), upload(headers=KEY)
    assert first.status_code == 200, first.json()
    assert first.json() == again.json()
    assert (Job.objects.count(), Media.objects.count()) == (1, 1)
    assert ledger.available(alice) == 1_000_000 - 17


def test_the_same_parameters_in_another_place_are_the_same_request(api):
    first = extract(api, num_speakers=2)
    again = api.post("/api/v1/speaker/extract?num_speakers=2", {"url": URL}, headers=KEY)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.parametrize("changed", [{"url": URL + "?2"}, {"num_speakers": 3}, {"overlap": "mute"}])
def test_a_key_with_other_parameters_is_refused(api, changed):
    extract(api)
    answer = extract(api, **changed)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert Job.objects.count() == 1


def test_a_key_with_another_file_is_refused(api, upload, recording, tmp_path):
    assert upload(headers=KEY).status_code == 200
    other = tmp_path / recording.name
    other.write_bytes(recording.read_bytes()[:-2])
    with other.open("rb") as file:
        answer = api.post("/api/v1/speaker/extract", {"file": file}, headers=KEY)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert Media.objects.count() == 1


def test_keys_belong_to_a_user_and_an_endpoint(api, bobs):
    answers = [extract(api), extract(bobs), api.send("post", "speaker/diarize", {"url": URL}, headers=KEY)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert Job.objects.count() == 3


def test_without_a_key_two_equal_requests_are_two_jobs(api):
    assert extract(api, headers={}).json()["id"] != extract(api, headers={}).json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve"])
def test_what_is_no_key_is_refused(api, key):
    answer = extract(api, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "IDEMPOTENCY_KEY_INVALID")
    assert not Job.objects.exists()


def test_a_refused_request_is_not_remembered(api):
    assert extract(api, num_speakers=0).status_code == 422
    assert extract(api, num_speakers=2).status_code == 200


def test_after_too_few_credits_the_same_request_may_be_sent_again(api, alice, charlie):
    ledger.adjust(alice, -1_000_000, reason="Spent", actor=charlie)
    assert extract(api).status_code == 402
    assert not IdempotentRequest.objects.exists()
    ledger.grant(alice, 1_000, reason="More")
    assert extract(api).status_code == 200


def test_a_failure_of_the_server_undoes_everything_and_may_be_sent_again(api, alice, upload, monkeypatch):
    def fail(*_):
        raise RuntimeError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr("jobs.api.render.summary", fail)  # after the job, its hold and its events were written
        assert upload(headers=KEY).status_code == 500
        assert upload().status_code == 500
    assert not Job.objects.exists()
    assert ledger.available(alice) == 1_000_000
    assert upload(headers=KEY).status_code == 200


def test_a_retry_that_is_sent_again_gets_the_first_answer(api, queued):
    lifecycle.cancel(queued)
    first, again = (api.send("post", f"speaker/jobs/{queued.number}/retry", headers=KEY) for _ in range(2))
    assert (first.status_code, again.json()) == (200, first.json())
    assert again["Idempotent-Replayed"] == "true"


# --- a first request that has not ended


@pytest.fixture
def unanswered(api) -> IdempotentRequest:
    """As a request leaves it that still runs, or died."""
    extract(api)
    Job.objects.all().delete()
    CreditEntry.objects.filter(job__isnull=False).delete()
    IdempotentRequest.objects.update(status=None, body=None, created_at=timezone.now())
    return IdempotentRequest.objects.get()


def test_a_repetition_of_a_running_request_is_told_to_wait(api, unanswered):
    answer = extract(api)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "IDEMPOTENCY_KEY_IN_USE")
    assert 50 < int(answer["Retry-After"]) <= 60
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", **KEY}
    api.post("/api/v1/uploads", headers=begin)
    IdempotentRequest.objects.exclude(pk=unanswered.pk).update(status=None)
    at_our_own = api.post("/api/v1/uploads", headers=begin)
    assert (at_our_own.status_code, int(at_our_own["Retry-After"]) > 50) == (409, True)
    assert extract(api, num_speakers=7).json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"
    assert not Job.objects.exists()


def test_the_place_of_a_request_that_died_is_taken(api, unanswered):
    IdempotentRequest.objects.update(created_at=timezone.now() - idempotency.ABANDONED)
    assert extract(api).status_code == 200
    assert Job.objects.count() == 1
    assert extract(api)["Idempotent-Replayed"] == "true"


def test_a_request_that_was_taken_for_dead_undoes_its_work(api, alice, upload, monkeypatch):
    render = __import__("jobs.api.render", fromlist=["summary"]).summary

    def overtaken(job, tracks):
        IdempotentRequest.objects.update(created_at=timezone.now() + timedelta(seconds=1))
        return render(job, tracks)

    monkeypatch.setattr("jobs.api.render.summary", overtaken)
    answer = upload(headers=KEY)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "IDEMPOTENCY_KEY_IN_USE")
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert ledger.available(alice) == 1_000_000


def test_answers_are_kept_for_three_days(api):
    extract(api)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=71))
    assert extract(api)["Idempotent-Replayed"] == "true"
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=73))
    assert "Idempotent-Replayed" not in extract(api)
    assert Job.objects.count() == 2


@pytest.mark.race
@pytest.mark.money
@pytest.mark.django_db(transaction=True)
def test_fifty_repetitions_at_once_make_one_job_and_one_hold(alice, key_of):
    secret = key_of(alice)
    answers = race([partial(extract, Program(secret))] * 50)
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 409}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 200} == {Job.objects.get().number}
    assert extract(Program(secret)).json()["id"] == Job.objects.get().number


@pytest.mark.race
@pytest.mark.money
@pytest.mark.django_db(transaction=True)
def test_parallel_repetitions_of_a_retry_hold_the_price_once(alice, key_of, media):
    from jobs.options import SpeakerOptions

    job = lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))
    path, secret = f"speaker/jobs/{job.number}/retry", key_of(alice)
    with_key = [partial(Program(secret).send, "post", path, headers=KEY)] * 10
    without = [partial(Program(secret).send, "post", path)] * 10
    statuses = {answer.status_code for answer in race([*with_key, *without])}
    assert statuses <= {200, 409}
    assert Job.objects.filter(origin=job).count() == 1
    assert ledger.available(alice) == ledger.recount(alice)[0] == 1_000_000 - 17
