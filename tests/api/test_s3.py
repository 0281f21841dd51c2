"""The same API with its files in a bucket, on a local S3 server."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer

from jobs.models import Job
from tests.api.programs import succeed


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, settings) -> Any:
    options = {
        "bucket_name": "soloist",
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "access_key": "tests",
        "secret_key": "tests",
        "default_acl": None,
        "file_overwrite": False,
        "querystring_auth": True,
        "signature_version": "s3v4",
    }
    s3 = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": s3}
    credentials = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}
    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", **credentials).Bucket("soloist")
    bucket.create()
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()
    storages["default"].connection.meta.client.close()


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
