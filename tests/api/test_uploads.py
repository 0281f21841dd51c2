"""Recordings by parts, over plain HTTP, as tus 1.0.0 describes it."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as live_settings
from django.core.files.storage import default_storage
from django.utils import timezone

from jobs import housekeeping, ingest, uploads
from jobs.models import Job, Media, Upload, UploadPart
from tests.api.programs import Program
from tests.api.test_exports import problem
from tests.racing import race

TUS = {"Tus-Resumable": "1.0.0"}
PART = "application/offset+octet-stream"


def start(program: Program, length: int | str, **headers: str):
    return program.post("/api/v1/uploads", headers={**TUS, "Upload-Length": str(length), **headers})


def send(program: Program, address: str, offset: int, data: bytes, *, kind: str = PART, **headers: str):
    headers = {**TUS, "Upload-Offset": str(offset), **headers}
    return program.generic("PATCH", address, data, content_type=kind, headers=headers)


def where(program: Program, address: str) -> tuple[int, str | None]:
    answer = program.head(address, headers=TUS)
    return answer.status_code, answer.headers.get("Upload-Offset")


@pytest.fixture
def whole(recording) -> bytes:
    return recording.read_bytes()


@pytest.fixture
def address(api, whole) -> str:
    """Of an upload of `recording`."""
    return start(api, len(whole), **{"Upload-Metadata": f"filename {base64.b64encode(b'talk.wav').decode()}"}).headers[
        "Location"
    ]


def parts_of(address: str) -> Path:
    return live_settings.MEDIA_ROOT / "uploads" / address.rpartition("/")[2]


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"}


# --- as it should go


def test_a_recording_comes_in_by_parts_and_becomes_a_job(api, alice, whole, address):
    assert where(api, address) == (200, "0")
    for offset in range(0, len(whole), 40_000):
        part = whole[offset : offset + 40_000]
        answer = send(api, address, offset, part, **checksum(part))
        assert (answer.status_code, answer["Tus-Resumable"]) == (204, "1.0.0")
        assert int(answer["Upload-Offset"]) == min(offset + 40_000, len(whole))
    media = Media.objects.get()
    assert (str(media.uuid), media.owner, media.name) == (address.rpartition("/")[2], alice, "talk.wav")
    assert (media.seconds, media.bytes) == (3.0, len(whole))
    with default_storage.open(media.file) as stored:
        assert stored.read() == whole
    assert not parts_of(address).exists()
    job = api.send("post", "speaker/extract", {"media": str(media.uuid), "num_speakers": 2}).json()
    told = (job["status"], job["filename"], job["duration"], job["credits_required"])
    assert told == ("PENDING", "talk.wav", 3.0, 17)
    assert where(api, address) == (200, str(len(whole)))


def test_what_the_server_can_do_needs_no_key(nobody):
    answer = nobody.options("/api/v1/uploads")
    assert (answer.status_code, answer["Tus-Version"], answer["Tus-Max-Size"]) == (204, "1.0.0", "1074000000")
    assert answer["Tus-Extension"] == "creation,expiration,checksum,termination"
    assert "sha1" in answer["Tus-Checksum-Algorithm"]


def test_an_upload_says_when_it_expires_and_what_it_was_begun_with(api, address):
    answer = api.head(address, headers=TUS)
    assert (answer["Upload-Metadata"], answer["Cache-Control"]) == ("filename dGFsay53YXY=", "no-store")
    left = parsedate_to_datetime(answer["Upload-Expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)


def test_clients_that_know_only_post_say_what_they_mean(api, whole, address):
    headers = {**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert api.generic("POST", address, whole[:100], content_type=PART, headers=headers).status_code == 204
    assert where(api, address) == (200, "100")
    assert api.post(address, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert where(api, address) == (404, None)


def test_a_beginning_that_is_repeated_makes_one_upload(api):
    first, again = start(api, 1000, **{"Idempotency-Key": "k"}), start(api, 1000, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first["Location"] == again["Location"]
    assert Upload.objects.count() == 1


def test_an_upload_can_be_given_up(api, whole, address):
    send(api, address, 0, whole[:1000])
    assert parts_of(address).exists()
    assert api.delete(address, headers=TUS).status_code == 204
    assert not Upload.objects.exists()
    assert not UploadPart.objects.exists()
    assert not parts_of(address).exists()
    assert send(api, address, 1000, b"x").status_code == 404


def test_a_recording_that_no_job_uses_goes_with_its_upload(api, whole, address):
    send(api, address, 0, whole)
    api.send("post", "speaker/diarize", {"media": address.rpartition("/")[2]})
    assert problem(api.delete(address, headers=TUS))["code"] == "MEDIA_IN_USE"
    Job.objects.all().delete()
    assert api.delete(address, headers=TUS).status_code == 204
    assert not Media.objects.exists()


# --- broken off and gone on


def test_after_any_cut_it_goes_on_where_it_stopped(api, whole, address):
    send(api, address, 0, whole[:30_000])
    assert problem(send(api, address, 0, whole[:30_000]))["details"] == {"offset": 30_000}
    assert send(api, address, 40_000, whole[40_000:]).status_code == 409
    assert where(api, address) == (200, "30000")
    assert send(api, address, 30_000, whole[30_000:]).status_code == 204
    assert Media.objects.get().bytes == len(whole)


def test_a_part_that_arrived_damaged_does_not_count(api, whole, address):
    for algorithm in ("sha1", "sha256", "md5"):
        answer = send(api, address, 0, whole[:999], **checksum(whole[:1000], algorithm))
        assert (answer.status_code, problem(answer)["code"]) == (460, "CHECKSUM_MISMATCH")
    assert where(api, address) == (200, "0")
    assert send(api, address, 0, whole[:999], **{"Upload-Checksum": "crc32 AAAA"}).status_code == 400
    assert send(api, address, 0, whole[:999], **{"Upload-Checksum": "sha1 ?"}).status_code == 400
    assert send(api, address, 0, whole[:999], **checksum(whole[:999], "sha256")).status_code == 204


def test_where_the_server_died_after_storing_the_recording_the_last_part_may_come_again(
    api, whole, address, monkeypatch
):
    send(api, address, 0, whole[:50_000])
    advance = uploads._advance
    monkeypatch.setattr(uploads, "_advance", lambda *_: exec("raise MemoryError"))
    assert send(api, address, 50_000, whole[50_000:]).status_code == 500
    monkeypatch.setattr(uploads, "_advance", advance)
    assert where(api, address) == (200, "50000")
    assert send(api, address, 50_000, whole[50_000:]).status_code == 204
    assert Media.objects.count() == 1


def stored_recordings() -> set[Path]:
    return {path for path in (live_settings.MEDIA_ROOT / "media").rglob("*") if path.is_file()}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_parts_for_one_place_one_counts(alice, recording, tmp_path):
    whole = recording.read_bytes()
    upload, before = uploads.create(alice, len(whole), "talk.wav", ""), stored_recordings()
    for offset, end in ((0, 40_000), (40_000, len(whole))):
        part = tmp_path / str(offset)
        part.write_bytes(whole[offset:end])
        senders = [lambda o=offset, p=part: uploads.append(uploads.find(alice, upload.uuid), o, p) for _ in range(4)]
        outcomes = race(senders, expected=(uploads.JobError,))
        assert sorted(getattr(outcome, "code", "done") for outcome in outcomes) == ["UPLOAD_MOVED"] * 3 + ["done"]
    media = Media.objects.get()
    with default_storage.open(media.file) as stored:
        assert stored.read() == whole
    assert len(stored_recordings() - before) == 1


# --- what is refused


@pytest.mark.parametrize(
    ("length", "headers", "code"),
    [
        (1_074_000_001, {}, "FILE_TOO_LARGE"),
        (0, {}, "INVALID_AUDIO_FORMAT"),
        ("-1", {}, "INVALID_INPUT"),
        ("many", {}, "INVALID_INPUT"),
        ("9" * 30, {}, "INVALID_INPUT"),
        ("", {"Upload-Defer-Length": "1"}, "INVALID_INPUT"),
        (1000, {"Upload-Metadata": "filename ???"}, "INVALID_INPUT"),
        (1000, {"Upload-Metadata": "x" * 5000}, "INVALID_INPUT"),
    ],
)
def test_what_cannot_be_begun_is_told(api, length, headers, code):
    assert problem(start(api, length, **headers))["code"] == code
    assert not Upload.objects.exists()


def test_another_version_of_the_protocol_is_refused_with_ours(api, address):
    for answer in (api.post("/api/v1/uploads"), api.head(address), api.delete(address, headers={"Tus-Resumable": "2"})):
        assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")


def test_parts_that_do_not_fit_are_refused(api, whole, address):
    assert problem(send(api, address, 0, whole + b"x"))["code"] == "INVALID_INPUT"
    assert send(api, address, 0, whole, kind="audio/wav").status_code == 415
    assert problem(send(api, address, "x", whole))["code"] == "INVALID_INPUT"
    large = start(api, 20_000_000).headers["Location"]
    assert send(api, large, 0, bytes(uploads.MOST_PART_BYTES)).status_code == 204
    told = problem(send(api, large, uploads.MOST_PART_BYTES, bytes(uploads.MOST_PART_BYTES + 1)))
    assert (told["status"], told["details"]) == (413, {"limit_bytes": 8 << 20})


def test_what_turns_out_to_be_no_recording_is_told_and_leaves_nothing(api):
    text = b"Nobody speaks here.\n" * 100
    address = start(api, len(text)).headers["Location"]
    send(api, address, 0, text[:500])
    told = problem(send(api, address, 500, text[500:]))
    assert (told["status"], told["code"]) == (400, "INVALID_AUDIO_FORMAT")
    assert where(api, address) == (404, None)
    assert not parts_of(address).exists()


def test_uploads_on_their_way_count_against_the_accounts_room(api, bobs, settings, monkeypatch, whole):
    settings.MAX_RESUMABLE_BYTES = settings.MAX_UPLOAD_BYTES = 1_000_000
    monkeypatch.setattr(ingest, "MOST_UNUSED_UPLOADS", 1)
    first = start(api, 900_000).headers["Location"]
    assert problem(start(api, 200_000))["code"] == "UPLOADS_FULL"
    assert start(bobs, 200_000).status_code == 201
    api.delete(first, headers=TUS)
    assert start(api, 200_000).status_code == 201


def test_many_small_parts_are_not_taken_without_end(api, monkeypatch, whole, address):
    monkeypatch.setattr(uploads, "MOST_PARTS", 2)
    for offset in (0, 1):
        send(api, address, offset, whole[offset : offset + 1])
    assert problem(send(api, address, 2, whole[2:3]))["code"] == "INVALID_INPUT"
    assert send(api, address, 2, whole[2:]).status_code == 204


def test_parts_are_not_counted_by_the_rate_limit(api, settings, whole, address):
    settings.RATE_LIMIT = 2
    for offset in range(0, 10):
        assert send(api, address, offset, whole[offset : offset + 1]).status_code == 204


def test_uploads_of_others_are_not_found(api, bobs, whole, address):
    assert where(bobs, address) == (404, None)
    assert send(bobs, address, 0, whole).status_code == 404
    assert bobs.delete(address, headers=TUS).status_code == 404
    assert where(api, f"/api/v1/uploads/{uuid4()}") == (404, None)


def test_only_one_source_can_be_named(api, media):
    both = {"media": str(media.uuid), "url": "https://example.org/a.wav"}
    assert api.send("post", "speaker/extract", both).json()["error_code"] == "CONFLICTING_INPUT"
    unknown = api.send("post", "speaker/extract", {"media": str(uuid4())})
    assert (unknown.status_code, unknown.json()["detail"][:17]) == (404, "There is no such ")


# --- expired


def test_expired_uploads_are_gone_and_their_parts_removed(api, whole, address):
    send(api, address, 0, whole[:1000])
    Upload.objects.update(created_at=timezone.now() - timedelta(hours=24, minutes=1))
    assert where(api, address) == (404, None)
    assert send(api, address, 1000, whole[1000:]).status_code == 404
    Upload.objects.update(created_at=timezone.now() - timedelta(hours=26))
    housekeeping.tidy()
    assert not Upload.objects.exists()
    assert not parts_of(address).exists()


def test_a_recording_outlives_the_traces_of_its_upload(api, whole, address):
    send(api, address, 0, whole)
    api.send("post", "speaker/diarize", {"media": address.rpartition("/")[2]})
    Upload.objects.update(created_at=timezone.now() - timedelta(hours=26))
    housekeeping.tidy()
    assert not Upload.objects.exists()
    assert default_storage.exists(Media.objects.get().file)


# --- from the portal's pages


def test_the_portals_session_opens_its_own_address_with_a_token_only(alice, whole):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    token = browser.get("/jobs").context["csrf_token"]
    headers = {**TUS, "Upload-Length": str(len(whole))}
    assert browser.post("/jobs/uploads", headers=headers).status_code == 403
    answer = browser.post("/jobs/uploads", headers={**headers, "X-CSRFToken": str(token)})
    address = answer["Location"]
    assert address.startswith("/jobs/uploads/")
    part = {**TUS, "X-CSRFToken": str(token), "Upload-Offset": "0"}
    assert browser.generic("PATCH", address, whole, content_type=PART, headers=part).status_code == 204
    sent = {"media": address.rpartition("/")[2], "csrfmiddlewaretoken": str(token)}
    assert browser.post("/jobs/submit", sent, headers={"Accept": "application/json"}).status_code == 201
    assert Job.objects.get().media.bytes == len(whole)
    assert Client().post("/jobs/uploads", headers=headers).status_code == 403
