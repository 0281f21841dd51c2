"""The same API with its files in a bucket, on a local S3 server."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from jobs import housekeeping, ingest
from jobs.models import Job, Media, Upload
from tests.api.programs import succeed


@pytest.fixture
def finished(bucket, upload, recording) -> Job:
    return succeed(Job.objects.get(pk=upload().json()["id"]), recording)


def test_an_upload_goes_to_the_bucket(bucket, upload, recording):
    job = Job.objects.get(pk=upload().json()["id"])
    [stored] = bucket.objects.all()
    assert stored.key == job.media.file
    assert stored.get()["Body"].read() == recording.read_bytes()


def test_downloads_come_from_the_bucket_by_presigned_links(api, endpoint, finished, recording):
    result = api.send("get", f"jobs/{finished.number}").json()["result"]
    link = result["speakers"][1]["download_url"]
    assert link.startswith(endpoint)
    assert "X-Amz-Expires=3600" in link
    answer = httpx.get(link)
    assert answer.content == recording.read_bytes()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="speaker_1.wav"'
    assert answer.headers["Content-Type"] == "audio/wav"
    assert httpx.get(link, headers={"Range": "bytes=0-3"}).content == b"RIFF"


def test_the_zip_is_read_from_the_bucket(api, finished, recording):
    answer = api.send("get", f"speaker/jobs/{finished.number}/download")
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.read("speaker_0.wav") == recording.read_bytes()


def test_a_deleted_jobs_files_leave_the_bucket(api, bucket, finished):
    assert len(list(bucket.objects.all())) == 4
    assert api.send("delete", f"speaker/jobs/{finished.number}").status_code == 204
    assert list(bucket.objects.all()) == []


def test_too_few_credits_leave_nothing_in_the_bucket(bucket, alice, charlie, upload):
    from accounts import ledger

    ledger.adjust(alice, -1_000_000, reason="Spent", actor=charlie)
    assert upload().status_code == 402
    assert list(bucket.objects.all()) == []


def test_parts_of_an_upload_wait_in_the_bucket(api, bucket, recording):
    whole = recording.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}
    address = api.post("/api/v1/uploads", headers={**tus, "Upload-Length": str(len(whole))})["Location"]

    def send(offset: int, part: bytes) -> int:
        headers = {**tus, "Upload-Offset": str(offset)}
        kind = "application/offset+octet-stream"
        return api.generic("PATCH", address, part, content_type=kind, headers=headers).status_code

    assert send(0, whole[:50_000]) == 204
    [part] = bucket.objects.all()
    assert (part.key.startswith("uploads/"), part.get()["Body"].read()) == (True, whole[:50_000])
    assert send(50_000, whole[50_000:]) == 204
    [stored] = bucket.objects.all()
    assert (stored.key.startswith("media/"), stored.get()["Body"].read()) == (True, whole)


# --- straight to the bucket


def offered(api, size: int, name: str = "talk.wav") -> tuple[str, str]:
    answer = api.send("post", "media/addresses", {"name": name, "bytes": size})
    assert answer.status_code == 201, answer.content
    return answer.json()["id"], answer.json()["url"]


def complete(api, media: str):
    return api.send("post", f"media/{media}/complete")


def test_a_recording_is_sent_straight_to_the_bucket(api, alice, bucket, endpoint, recording):
    media, url = offered(api, 96_044)
    assert url.startswith(f"{endpoint}/soloist/uploads/{media}/whole?")
    assert "content-length" in url
    assert "X-Amz-Expires=3600" in url
    assert complete(api, media).json()["code"] == "MEDIA_NOT_FOUND"
    assert httpx.put(url, content=recording.read_bytes()).status_code == 200
    answer = complete(api, media)
    assert (answer.status_code, answer.json()["id"], answer.json()["duration"]) == (200, media, 3.0)
    stored = Media.objects.get()
    assert (stored.owner, stored.name, stored.bytes) == (alice, "talk.wav", 96_044)
    assert [(its.key, its.get()["Body"].read()) for its in bucket.objects.all()] == [
        (stored.file, recording.read_bytes())
    ]
    job = api.send("post", "speaker/diarize", {"media": media})
    assert (job.status_code, job.json()["duration"]) == (200, 3.0)


def test_what_comes_to_a_used_address_changes_nothing_and_is_removed(api, bucket, recording, settings):
    media, url = offered(api, 96_044)
    httpx.put(url, content=recording.read_bytes())
    complete(api, media)
    httpx.put(url, content=b"something else")
    assert complete(api, media).json()["bytes"] == 96_044
    stored = Media.objects.get()
    assert bucket.Object(stored.file).get()["Body"].read() == recording.read_bytes()
    Upload.objects.update(created_at=timezone.now() - timedelta(hours=26))
    housekeeping.delete_expired_uploads()
    assert [its.key for its in bucket.objects.all()] == [stored.file]


def test_what_is_too_large_or_no_recording_is_refused_and_removed(api, bucket, recording, settings):
    for most, content, code in (
        (96_043, recording.read_bytes(), "FILE_TOO_LARGE"),
        (10**6, b"<html>", "INVALID_AUDIO_FORMAT"),
    ):
        media, url = offered(api, 50)
        settings.MAX_UPLOAD_BYTES = most
        httpx.put(url, content=content)
        assert complete(api, media).json()["code"] == code
        assert complete(api, media).json()["code"] == "MEDIA_NOT_FOUND"
    assert not Media.objects.exists()
    assert list(bucket.objects.all()) == []
    assert api.send("post", "media/addresses", {"bytes": 10**6 + 1}).json()["code"] == "FILE_TOO_LARGE"


def test_addresses_count_as_what_was_sent_to_them(api, bobs, bucket, recording, settings, monkeypatch):
    monkeypatch.setattr("jobs.ingest.MOST_UNUSED_UPLOADS", 2)
    settings.MAX_UPLOAD_BYTES = settings.MAX_RESUMABLE_BYTES = 100_000
    _, url = offered(api, 100_000)
    unused, _ = offered(api, 100_000)
    assert api.send("post", "media/addresses", {"bytes": 1}).json()["code"] == "UPLOADS_FULL"
    offered(bobs, 100_000)
    httpx.put(url, content=recording.read_bytes())
    offered(api, 3_000)
    Upload.objects.filter(uuid=unused).update(created_at=timezone.now() - timedelta(hours=2))
    offered(api, 100_000)
    assert not Upload.objects.filter(uuid=unused).exists()


def test_addresses_of_others_are_nobodys_and_no_parts_go_there(api, bobs, bucket, recording):
    media, url = offered(api, 96_044)
    httpx.put(url, content=recording.read_bytes())
    assert complete(bobs, media).json()["code"] == "MEDIA_NOT_FOUND"
    assert api.head(f"/api/v1/uploads/{media}", headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert complete(api, media).status_code == 200


def test_two_who_ask_for_it_at_once_get_one_recording(api, bucket, recording, monkeypatch):
    media, url = offered(api, 96_044)
    httpx.put(url, content=recording.read_bytes())
    probe = ingest.probe

    def overtaken(local):
        monkeypatch.setattr("jobs.ingest.probe", probe)
        assert complete(api, media).status_code == 200
        return probe(local)

    monkeypatch.setattr("jobs.ingest.probe", overtaken)
    assert complete(api, media).json()["id"] == media
    assert len(list(bucket.objects.all())) == Media.objects.count() == 1
