"""Recordings on pyannoteAI's surface where files are kept in a bucket: they are sent straight there."""

from __future__ import annotations

import httpx
import pytest

from jobs.models import Job, Media, Upload
from tests.compat.programs import VendorProgram

pytestmark = pytest.mark.django_db
KEY = "media://meetings/call.wav"


@pytest.fixture
def api(alice, bucket, program) -> VendorProgram:
    return program(alice, "/pyannoteai/v1")


def send(api: VendorProgram, content: bytes) -> None:
    answer = api.send("post", "media/input", {"url": KEY})
    assert answer.status_code == 201, answer.content
    assert httpx.put(answer.json()["url"], content=content).status_code == 200


def diarize(api: VendorProgram):
    return api.send("post", "diarize", {"url": KEY})


def test_a_recording_is_sent_to_the_bucket_and_used_by_its_key(api, alice, endpoint, recording):
    assert api.send("post", "media/input", {"url": KEY}).json()["url"].startswith(f"{endpoint}/soloist/uploads/")
    send(api, recording.read_bytes())
    job = Job.objects.get(uuid=diarize(api).json()["jobId"])
    assert job.media is not None
    assert (job.media.owner, job.media.key, job.media.name) == (alice, "meetings/call.wav", "call.wav")
    link = api.send("post", "media/output", {"url": KEY}).json()["url"]
    assert httpx.get(link).content == recording.read_bytes()
    assert not Upload.objects.exclude(uuid=job.media.uuid).exists()


def test_the_newest_recording_of_a_key_counts(api, recording):
    send(api, recording.read_bytes())
    send(api, recording.read_bytes()[:64_044])
    first = Job.objects.get(uuid=diarize(api).json()["jobId"])
    assert first.media.bytes == 64_044
    send(api, recording.read_bytes())
    assert Job.objects.get(uuid=diarize(api).json()["jobId"]).media.bytes == 96_044
    assert Media.objects.count() == 2  # the older one is a job's


def test_a_key_with_nothing_sent_is_unknown(api, program, bob, recording):
    api.send("post", "media/input", {"url": KEY})
    answer = diarize(api)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "url")
    send(api, recording.read_bytes())
    assert diarize(program(bob, "/pyannoteai/v1")).status_code == 400
    assert diarize(api).status_code == 200


def test_what_is_no_recording_or_too_large_is_refused_when_it_is_used(api, bucket, recording, settings):
    send(api, b"<html></html>")
    answer = diarize(api)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "url")
    send(api, recording.read_bytes())
    settings.MAX_UPLOAD_BYTES = 96_043
    assert "The file is larger than" in api.send("post", "media/output", {"url": KEY}).json()["message"]
    assert not Media.objects.exists()
    assert list(bucket.objects.all()) == []


def test_an_account_cannot_fill_the_bucket(api, settings, monkeypatch):
    monkeypatch.setattr("jobs.ingest.MOST_UNUSED_UPLOADS", 1)
    settings.MAX_UPLOAD_BYTES = settings.MAX_RESUMABLE_BYTES = 100_000
    api.send("post", "media/input", {"url": KEY})
    answer = api.send("post", "media/input", {"url": KEY})
    assert (answer.status_code, answer.json()["message"][:25]) == (400, "Too many recordings wait ")
