"""What programs written for Timbr do, for tests of each part of its surface."""

from __future__ import annotations

from django.test import Client

from jobs.models import Job, Media
from tests.compat.programs import VendorProgram

SEPARATE, ENHANCE, DIARIZE = "audio/separate", "audio/enhance", "audio/diarize"
GENERATION = {"x-goog-if-generation-match": "0"}


def offered(api: VendorProgram, **body) -> tuple[str, str]:
    answer = api.send("post", "upload", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["expires_in"] == 1800
    return answer.json()["file_id"], answer.json()["upload_url"].removeprefix("http://testserver")


def put(url: str, content: bytes, **headers: str):
    """As curl's --data-binary does, without a token."""
    form = "application/x-www-form-urlencoded"
    return Client(raise_request_exception=False).put(url, content, content_type=form, headers=GENERATION | headers)


def ask(api: VendorProgram, path: str, media: Media, **body) -> Job:
    answer = api.send("post", path, {"file_id": str(media.uuid), **body})
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["status"], told["progress"], told["result"], told["error"]) == ("queued", 0, None, None)
    return Job.objects.get(uuid=told["job_id"])


def get(api: VendorProgram, job: Job) -> dict:
    answer = api.send("get", f"jobs/{job.uuid}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def wrong(answer) -> dict[str, str]:
    """Which members were refused, and why."""
    assert answer.status_code == 422, answer.content
    assert all(set(member) == {"loc", "msg", "type"} for member in answer.json()["detail"])
    return {".".join(member["loc"]): member["msg"] for member in answer.json()["detail"]}


def refusal(answer) -> tuple[int, str]:
    assert set(answer.json()) == {"detail"}
    return answer.status_code, answer.json()["detail"]
