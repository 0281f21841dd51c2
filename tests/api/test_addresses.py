"""Signed addresses that take one recording as the body of a PUT, where files are kept on the server's own disk."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from jobs.models import Job, Media
from tests.api.test_schema import conforms

pytestmark = pytest.mark.django_db


def offered(program, size: int = 96_044, **fields) -> tuple[str, str]:
    answer = program.send("post", "media/addresses", {"bytes": size, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()["id"], answer.json()["url"].removeprefix("http://testserver")


def put(url: str, content: bytes):
    """As a program does that knows nothing but the address."""
    return Client(raise_request_exception=False).put(url, content, content_type="")


def refusal(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_recording_is_sent_completed_and_used(api, bobs, alice, recording, nobody):
    document = nobody.get("/api/v1/schema").json()
    media, url = offered(api, name="talk.wav")
    assert refusal(api.post(f"/api/v1/media/{media}/complete")) == (404, "MEDIA_NOT_FOUND")
    answer = put(url, recording.read_bytes())
    assert (answer.status_code, answer.content) == (200, b"")
    told = api.post(f"/api/v1/media/{media}/complete")
    conforms(document, "/api/v1/media/{media}/complete", "post", told)
    assert (told.json()["id"], told.json()["name"], told.json()["duration"]) == (media, "talk.wav", 3.0)
    assert refusal(bobs.post(f"/api/v1/media/{media}/complete")) == (404, "MEDIA_NOT_FOUND")
    job = Job.objects.get(uuid=api.send("post", "speaker/extract", {"media": media}).json()["task_id"])
    assert (job.owner, str(job.media.uuid)) == (alice, media)


def test_an_address_takes_one_recording(api, recording):
    _, url = offered(api)
    assert put(url, recording.read_bytes()).status_code == 200
    assert refusal(put(url, recording.read_bytes())) == (412, "UPLOAD_USED")
    assert Media.objects.get().name == "recording"


def test_what_is_refused_can_be_sent_anew(api, recording):
    _, url = offered(api, 6)
    assert refusal(put(url, b"<html>")) == (400, "INVALID_AUDIO_FORMAT")
    assert refusal(put(url, recording.read_bytes())) == (400, "INVALID_INPUT")
    assert not Media.objects.exists()


def test_an_address_expires_and_cannot_be_altered(api, alice, recording, settings, monkeypatch):
    _, url = offered(api)
    assert refusal(put(f"{url}x", recording.read_bytes())) == (403, "LINK_INVALID")
    alice.is_active = False
    alice.save()
    assert refusal(put(url, recording.read_bytes())) == (403, "LINK_INVALID")
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + settings.LINK_SECONDS + 60)
    assert refusal(put(url, recording.read_bytes())) == (403, "LINK_EXPIRED")
    assert not Media.objects.exists()


@pytest.mark.parametrize(
    "fields", [{}, {"bytes": 0}, {"bytes": "many"}, {"bytes": 10**16}, {"bytes": 1, "name": 5 * [1]}]
)
def test_what_an_address_is_for_has_to_be_said(api, fields):
    assert refusal(api.send("post", "media/addresses", fields)) == (422, "INVALID_OPTION")


def test_an_account_has_only_so_much_room(api, recording, settings, monkeypatch):
    monkeypatch.setattr("jobs.ingest.MOST_UNUSED_UPLOADS", 1)
    settings.MAX_UPLOAD_BYTES = settings.MAX_RESUMABLE_BYTES = 100_000
    assert refusal(api.send("post", "media/addresses", {"bytes": 100_001})) == (413, "FILE_TOO_LARGE")
    (_, one), (_, two) = offered(api), offered(api)
    assert put(one, recording.read_bytes()).status_code == 200
    assert refusal(put(two, recording.read_bytes())) == (413, "UPLOADS_FULL")
    assert refusal(api.send("post", "media/addresses", {"bytes": 50_000})) == (413, "UPLOADS_FULL")
