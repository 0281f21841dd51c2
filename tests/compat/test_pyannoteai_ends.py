"""How jobs of pyannoteAI's surface end: what its webhooks tell, and what is kept for how long."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from audio_engine.formats import voiceprint_to_text
from audio_engine.voices import Voiceprint
from jobs import housekeeping, lifecycle, signatures, webhooks
from jobs.errors import JobError
from jobs.models import Job, Media, WebhookDelivery
from jobs.options import SpeakerOptions
from tests.compat.programs import SCORES, VendorProgram, diarized
from tests.jobs.outbox import pass_time, send_due
from tests.receiving import answer

pytestmark = pytest.mark.django_db
OPTIONS = {"exclusive": True, "confidence": True, "turnLevelConfidence": True}


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/pyannoteai/v1")


@pytest.fixture
def keyed(media):
    media.key = "tones.wav"
    media.save()
    return media


def ask(api: VendorProgram, **body) -> Job:
    return Job.objects.get(uuid=api.send("post", "diarize", {"url": "media://tones.wav", **body}).json()["jobId"])


def genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As pyannoteAI's documentation says to verify."""
    content = f"v0:{headers['x-request-timestamp']}:".encode() + body
    mac = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(mac, headers["x-signature"])


# --- webhooks


def test_a_webhook_brings_the_output_with_a_signature(api, alice, keyed, receiver, tmp_path):
    job = diarized(ask(api, webhook=receiver.url, **OPTIONS), tmp_path)
    assert send_due() == 1
    [received] = receiver.received
    body = json.loads(received.body)
    assert body == {
        "jobId": str(job.uuid),
        "status": "succeeded",
        "output": api.send("get", f"jobs/{job.uuid}").json()["output"],
    }
    assert body["output"]["confidence"] == SCORES
    [secret] = signatures.secrets(webhooks.job_secret(alice))
    assert genuine(secret, received.headers, received.body)
    assert not genuine("another", received.headers, received.body)


def test_a_webhook_brings_only_the_status_where_no_more_is_wanted(api, keyed, receiver, tmp_path):
    job = diarized(ask(api, webhook=receiver.url, webhookStatusOnly=True), tmp_path)
    send_due()
    assert json.loads(receiver.received[0].body) == {"jobId": str(job.uuid), "status": "succeeded"}


def test_a_webhook_of_a_job_without_a_result_has_no_output(api, keyed, receiver):
    canceled = lifecycle.cancel(ask(api, webhook=receiver.url))
    ask(api, webhook=receiver.url)
    failed = lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("ENGINE_FAILED"))
    send_due()
    assert [json.loads(received.body) for received in receiver.received] == [
        {"jobId": str(canceled.uuid), "status": "canceled"},
        {"jobId": str(failed.uuid), "status": "failed"},
    ]


def test_nothing_is_told_before_the_end(api, keyed, receiver):
    ask(api, webhook=receiver.url)
    lifecycle.claim("engine", "tests")
    assert not WebhookDelivery.objects.exists()


def test_a_webhook_is_tried_again_at_least_as_often_as_promised(api, keyed, receiver):
    """Three times within six minutes, each saying which it is and why."""
    lifecycle.cancel(ask(api, webhook=receiver.url))
    receiver.otherwise = answer(500)
    for _ in range(6):
        send_due()
        pass_time(timedelta(minutes=1))
    assert len(receiver.received) >= 4
    assert "x-retry-num" not in receiver.received[0].headers
    for number, received in enumerate(receiver.received[1:4], start=1):
        assert (received.headers["x-retry-num"], received.headers["x-retry-reason"]) == (str(number), "http_error")
    assert len({received.body for received in receiver.received}) == 1


# --- how long things are kept


def age(*jobs: Job, hours: float) -> None:
    for job in jobs:
        Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(hours=hours))


def test_after_a_day_the_output_and_the_recording_are_gone_and_the_job_stays(api, keyed, receiver, tmp_path):
    job = diarized(ask(api, webhook=receiver.url, **OPTIONS), tmp_path)
    send_due()
    age(job, hours=23.9)
    housekeeping.tidy()
    assert "output" in api.send("get", f"jobs/{job.uuid}").json()
    age(job, hours=24.1)
    housekeeping.tidy()
    body = api.send("get", f"jobs/{job.uuid}").json()
    assert (set(body), body["status"]) == ({"jobId", "status", "createdAt", "updatedAt"}, "succeeded")
    assert not job.tracks.exists()
    assert not default_storage.exists(f"jobs/{job.uuid}")
    assert not Media.objects.exists()
    assert not default_storage.exists(keyed.file)
    assert not WebhookDelivery.objects.exists()
    assert api.send("post", "diarize", {"url": "media://tones.wav"}).status_code == 400


def test_a_webhook_that_is_still_to_be_sent_keeps_its_output(api, keyed, receiver, tmp_path):
    job = diarized(ask(api, webhook=receiver.url), tmp_path)
    age(job, hours=25)
    housekeeping.tidy()
    send_due()
    assert "output" in json.loads(receiver.received[0].body)


def test_what_other_jobs_use_or_brought_is_kept(api, keyed, tmp_path):
    done = diarized(ask(api), tmp_path)
    later = ask(api)
    own = diarized(later, tmp_path)
    elsewhere = diarized(lifecycle.submit(keyed, "diarization", SpeakerOptions()), tmp_path)
    age(done, elsewhere, hours=25)
    housekeeping.tidy()
    assert Job.objects.get(pk=done.pk).result is None
    assert Job.objects.get(pk=own.pk).result is not None
    assert Job.objects.get(pk=elsewhere.pk).result is not None
    assert default_storage.exists(keyed.file)


def test_a_failed_jobs_recording_goes_too_and_it_cannot_be_retried(api, keyed):
    job = lifecycle.cancel(ask(api))
    age(job, hours=25)
    housekeeping.tidy()
    assert not Media.objects.exists()
    with pytest.raises(JobError, match=r"The job's recording has been deleted\."):
        lifecycle.retry(Job.objects.get(pk=job.pk))


def test_the_voices_that_were_known_go_too(api, keyed):
    voice = voiceprint_to_text(Voiceprint("scripted 1", (0.6, 0.8)))
    body = {"url": "media://tones.wav", "voiceprints": [{"label": "Sam", "voiceprint": voice}]}
    job = lifecycle.cancel(Job.objects.get(uuid=api.send("post", "identify", body).json()["jobId"]))
    age(job, hours=25)
    housekeeping.tidy()
    assert "known" not in Job.objects.get(pk=job.pk).options


def test_it_can_be_kept_for_ever(api, keyed, tmp_path, settings):
    settings.OUTPUT_HOURS = {"pyannoteai": 0}
    job = diarized(ask(api), tmp_path)
    age(job, hours=1000)
    housekeeping.tidy()
    assert "output" in api.send("get", f"jobs/{job.uuid}").json()


def test_the_portal_says_that_a_result_is_gone(api, alice, keyed, tmp_path, client):
    job = diarized(ask(api), tmp_path)
    age(job, hours=25)
    housekeeping.tidy()
    client.force_login(alice)
    page = client.get(f"/jobs/{job.uuid}")
    assert page.status_code == 200
    assert "What this job found is no longer kept." in page.content.decode()
    assert client.get("/jobs").status_code == 200
