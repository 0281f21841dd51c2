"""Recordings on pyannoteAI's surface: a key, a signed address to send one to, a signed address to get it from."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from jobs.models import Job, Media
from tests.compat.programs import VendorProgram

pytestmark = pytest.mark.django_db
KEY = "media://meetings/2024-01-15/call.wav"


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/pyannoteai/v1")


@pytest.fixture
def bobs(bob, program) -> VendorProgram:
    return program(bob, "/pyannoteai/v1")


def signed(api: VendorProgram, direction: str, key: str = KEY) -> str:
    answer = api.send("post", f"media/{direction}", {"url": key})
    assert (answer.status_code, set(answer.json())) == (201, {"url"})
    return answer.json()["url"].removeprefix("http://testserver")


def put(url: str, body: bytes, **options):
    """As an HTTP client does that is told nothing but the address: no key, no Content-Type."""
    return Client(raise_request_exception=False).put(url, body, content_type="", **options)


def send(api: VendorProgram, content: bytes, key: str = KEY) -> None:
    answer = put(signed(api, "input", key), content)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_recording_is_sent_used_and_fetched_by_its_key(api, alice, recording, settings):
    send(api, recording.read_bytes())
    media = Media.objects.get()
    assert (media.owner, media.key, media.name) == (alice, KEY.removeprefix("media://"), "call.wav")
    assert media.seconds == pytest.approx(3.0)
    job = Job.objects.get(uuid=api.send("post", "diarize", {"url": KEY}).json()["jobId"])
    assert (job.media, job.name) == (media, "call.wav")
    assert Client().get(signed(api, "output")).getvalue() == recording.read_bytes()
    assert list(settings.SCRATCH_DIR.iterdir()) == []


def test_the_newest_recording_of_a_key_counts_and_used_ones_stay(api, recording):
    send(api, recording.read_bytes())
    send(api, recording.read_bytes())
    second = Media.objects.get()
    job = Job.objects.get(uuid=api.send("post", "diarize", {"url": KEY}).json()["jobId"])
    assert job.media == second
    send(api, recording.read_bytes()[:64_044])
    assert Media.objects.count() == 2
    again = Job.objects.get(uuid=api.send("post", "diarize", {"url": KEY}).json()["jobId"])
    assert again.media.pk > job.media.pk
    assert len(Client().get(signed(api, "output")).getvalue()) == 64_044


def test_a_key_is_its_accounts_own(api, bobs, recording):
    send(api, recording.read_bytes())
    answer = bobs.send("post", "media/output", {"url": KEY})
    assert (answer.status_code, set(answer.json())) == (404, {"requestId", "message"})
    assert bobs.send("post", "diarize", {"url": KEY}).status_code == 400
    send(bobs, recording.read_bytes())
    assert Media.objects.count() == 2


@pytest.mark.parametrize(
    "url", ["call.wav", "media://", "media://a b", "media://ü", "media://a?b", "media://" + "a" * 300, 5, None]
)
@pytest.mark.parametrize("direction", ["input", "output"])
def test_a_key_that_is_none_is_refused(api, direction, url):
    answer = api.send("post", f"media/{direction}", {"url": url})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "url")


@pytest.mark.parametrize("content", [b"", b"Nobody speaks here.\n" * 50, b"<!doctype html><html></html>"])
def test_what_is_no_recording_is_refused_when_it_is_sent(api, content, settings):
    answer = put(signed(api, "input"), content)
    assert (answer.status_code, set(answer.json())) == (400, {"message", "errors"})
    assert not Media.objects.exists()
    assert list(settings.SCRATCH_DIR.iterdir()) == []


def test_a_recording_that_is_too_large_is_refused_unread(api, recording, settings):
    url = signed(api, "input")
    settings.MAX_UPLOAD_BYTES = 96_044
    assert put(url, recording.read_bytes()).status_code == 200
    settings.MAX_UPLOAD_BYTES = 96_043
    answer = put(url, recording.read_bytes())
    assert (answer.status_code, answer.json()["errors"]) == (400, [])
    assert "The file is larger than" in answer.json()["message"]


def test_an_account_cannot_fill_the_disk(api, recording, settings, monkeypatch):
    monkeypatch.setattr("jobs.ingest.MOST_UNUSED_UPLOADS", 1)
    settings.MAX_UPLOAD_BYTES = settings.MAX_RESUMABLE_BYTES = 100_000
    send(api, recording.read_bytes())
    answer = put(signed(api, "input", "media://another"), recording.read_bytes())
    assert (answer.status_code, answer.json()["message"][:25]) == (400, "Too many recordings wait ")


def refusal(answer) -> tuple[int, str]:
    assert set(answer.json()) == {"requestId", "message"}
    return answer.status_code, answer.json()["message"]


def test_an_address_expires(api, recording, settings, monkeypatch):
    url = signed(api, "input")
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + settings.LINK_SECONDS + 60)
    words = "This address has expired; ask for a fresh one."
    assert refusal(put(url, recording.read_bytes())) == (403, words)


def test_an_altered_address_is_refused(api, alice, recording):
    url = signed(api, "input")
    folder, token = url.rsplit("/", 1)
    for altered in (token[:-1], token.swapcase(), "x"):
        assert refusal(put(f"{folder}/{altered}", recording.read_bytes()))[0] == 403
    alice.is_active = False
    alice.save()
    assert refusal(put(url, recording.read_bytes()))[0] == 403
    assert not Media.objects.exists()


def test_an_address_only_takes(api):
    assert Client().get(signed(api, "input")).status_code == 405


def test_addresses_carry_the_host_that_users_type(api, settings):
    settings.PUBLIC_URL = "https://soloist.example.org"
    assert signed(api, "input").startswith("https://soloist.example.org/pyannoteai/v1/media/put/")
