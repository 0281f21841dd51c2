"""NeuralSpace's surface: files, voice extraction and speaker identification, in its words."""

from __future__ import annotations

import io
import uuid

import pytest

from accounts import ledger
from accounts.models import APIKey
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job, Media
from jobs.options import asked_for
from tests.api.programs import separated, succeed
from tests.compat.programs import VendorProgram

pytestmark = pytest.mark.django_db
VOICE = "voice-extractor/v1"
SPEAKERS = "speaker-identification/v1"
VOICE_STEPS = [
    *("Queued", "Job Started", "Loading Model", "Model Loading Complete"),
    *("Splitting Audio", "Split Complete", "Job Ended", "Completed"),
]
SPEAKER_STEPS = [
    *("Queued", "Identification Job Started", "Diarizing Audio", "Audio Diarized", "Speakers identified", "Completed")
]


def program(user) -> VendorProgram:
    """With the key alone as Authorization, as NeuralSpace's clients send it."""
    return VendorProgram("/neuralspace/api", APIKey.issue(user, "tests")[1])


@pytest.fixture
def api(alice) -> VendorProgram:
    return program(alice)


@pytest.fixture
def bobs(bob) -> VendorProgram:
    return program(bob)


def told(answer, status: int = 200) -> dict:
    body = answer.json()
    assert (answer.status_code, set(body)) == (status, {"success", "message", "data"}), body
    assert body["success"] is (status == 200)
    return body


def refused(answer, status: int) -> str:
    return told(answer, status)["data"]["code"]


def upload(api: VendorProgram, recording) -> str:
    with recording.open("rb") as file:
        answer = api.post("/neuralspace/api/file/upload", {"files": file})
    body = told(answer)
    assert body["message"] == "File uploaded successfully"
    return body["data"]["fileId"]


def ask(api: VendorProgram, path: str, file_id: str) -> Job:
    body = told(api.send("post", path, {"fileId": file_id}))
    assert set(body["data"]) == {"taskId"}
    return Job.objects.get(uuid=body["data"]["taskId"])


def look(api: VendorProgram, job: Job) -> dict:
    path = f"{VOICE}/task" if job.task == "dialogue" else f"{SPEAKERS}/task/status"
    body = told(api.send("get", f"{path}?taskId={job.uuid}"))
    assert body["message"] == "Data fetched succssfully"
    return body["data"]


# --- files


def test_a_file_is_stored_described_given_back_and_deleted(api, recording):
    file = upload(api, recording)
    data = told(api.send("get", f"file?fileId={file}"))["data"]
    assert (data["fileId"], data["fileName"], data["fileExt"]) == (file, "tones.wav", "wav")
    assert (data["fileSize"], data["metadata"]) == (recording.stat().st_size, {"audioDuration": 3.0})
    assert data["apikey"] == APIKey.objects.get().prefix + "…"
    content = b"".join(api.send("get", f"file/download?fileId={file}").streaming_content)
    assert content == recording.read_bytes()
    told(api.send("delete", f"file?fileId={file}"))
    assert refused(api.send("get", f"file?fileId={file}"), 404) == "MEDIA_NOT_FOUND"


def test_a_file_that_a_task_uses_is_not_deleted(api, media):
    ask(api, f"{VOICE}/extract", str(media.uuid))
    assert refused(api.send("delete", f"file?fileId={media.uuid}"), 409) == "MEDIA_IN_USE"


def test_parts_of_a_file_can_be_asked_for(api, media, recording):
    answer = api.send("get", f"file/download?fileId={media.uuid}", headers={"Range": "bytes=4-7"})
    assert (answer.status_code, b"".join(answer.streaming_content)) == (206, recording.read_bytes()[4:8])


# --- voice extraction


def test_a_voice_extraction_goes_through_its_steps(api, alice, media, recording):
    job = ask(api, f"{VOICE}/extract", str(media.uuid))
    assert (job.task, job.surface, job.credits) == ("dialogue", "neuralspace", 17)
    queued = look(api, job)
    assert (queued["jobStatus"], queued["jobProgress"], queued["results"]) == ("Queued", ["Queued"], None)
    running = lifecycle.claim("engine", "tests")
    assert look(api, job)["jobProgress"] == VOICE_STEPS[:3]
    lifecycle.report(running, "embedding", 0.4)
    assert look(api, job)["jobStatus"] == "Splitting Audio"
    separated(lifecycle.requeue(Job.objects.get(pk=job.pk)), recording)
    done = look(api, job)
    assert (done["jobStatus"], done["jobProgress"]) == ("Completed", VOICE_STEPS)
    assert (done["message"], done["fileId"]) == ("job completed successfully", str(media.uuid))
    output = done["results"]["output"]
    assert output["vocal_path"] == f"uploads/{output['vocal_file_id']}"
    assert output["instrument_path"] == f"uploads/{output['instrument_file_id']}"
    for stem in ("vocal", "instrument"):
        described = told(api.send("get", f"file?fileId={output[f'{stem}_file_id']}"))["data"]
        assert (described["fileSize"], described["metadata"]) == (96_044, {"audioDuration": 3.0})
        sound = api.send("get", f"file/download?fileId={output[f'{stem}_file_id']}")
        assert (sound["Content-Type"], b"".join(sound.streaming_content)[:4]) == ("audio/wav", b"RIFF")
    assert refused(api.send("delete", f"file?fileId={output['vocal_file_id']}"), 409) == "MEDIA_IN_USE"
    assert ledger.available(alice) == 1_000_000 - 17


def test_a_task_that_fails_says_so_and_why(api, media):
    job = ask(api, f"{VOICE}/extract", str(media.uuid))
    lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("ENGINE_TIMEOUT"))
    data = look(api, job)
    assert (data["jobStatus"], data["jobProgress"]) == ("Failed", ["Queued", "Job Started", "Failed"])
    assert (data["message"], data["results"]) == ("The engine took longer than the server allows.", None)


def test_a_canceled_task_has_failed(api, media):
    job = ask(api, f"{SPEAKERS}/indentify/speakers", str(media.uuid))
    lifecycle.cancel(job)
    assert look(api, job)["jobProgress"] == ["Queued", "Failed"]


# --- speaker identification


def test_speakers_are_identified(api, media, recording):
    job = ask(api, f"{SPEAKERS}/indentify/speakers", str(media.uuid))
    assert look(api, job)["jobProgress"] == ["Queued"]
    succeed(job, recording)
    data = look(api, job)
    assert (data["jobStatus"], data["jobProgress"], data["fileDuration"]) == ("Completed", SPEAKER_STEPS, 3.0)
    assert data["results"] == [{"start": 0.1, "stop": 1.0, "user": "1"}, {"start": 1.2, "stop": 2.5, "user": "2"}]


# --- bad input


def test_only_owners_get_in(api, bobs, media, recording):
    job = ask(api, f"{VOICE}/extract", str(media.uuid))
    separated(job, recording)
    for path in (f"file?fileId={media.uuid}", f"file/download?fileId={media.uuid}", f"file?fileId={job.uuid}.speech"):
        assert refused(bobs.send("get", path), 404) == "MEDIA_NOT_FOUND"
    assert refused(bobs.send("delete", f"file?fileId={media.uuid}"), 404) == "MEDIA_NOT_FOUND"
    assert refused(bobs.send("get", f"{VOICE}/task?taskId={job.uuid}"), 404) == "JOB_NOT_FOUND"
    assert refused(bobs.send("post", f"{VOICE}/extract", {"fileId": str(media.uuid)}), 404) == "MEDIA_NOT_FOUND"


@pytest.mark.parametrize("key", ["", "ap_nobodys", "no.such.token", "Bearer ap_nobodys", "Bearer"])
@pytest.mark.parametrize("path", ["file?fileId=1", f"{VOICE}/task?taskId=1", f"{SPEAKERS}/task/status?taskId=1"])
def test_nobody_gets_in_without_a_key_that_is_good(db, key, path):
    answer = VendorProgram("/neuralspace/api", key).send("get", path)
    assert told(answer, 401)["message"]


def test_a_key_may_have_bearer_before_it_and_is_of_no_use_once_revoked(alice, media):
    key, secret = APIKey.issue(alice, "tests")
    api = VendorProgram("/neuralspace/api", f"Bearer {secret}")
    told(api.send("get", f"file?fileId={media.uuid}"))
    key.revoke()
    assert refused(api.send("get", f"file?fileId={media.uuid}"), 403) == "KEY_REVOKED"


def test_what_cannot_be_used_is_refused(api, media):
    extract = f"{VOICE}/extract"
    missing = told(api.send("post", extract, {}), 422)["data"]
    assert (missing["code"], missing["errors"]) == ("INVALID_OPTION", {"fileId": "This field is required."})
    extra = told(api.send("post", extract, {"fileId": str(media.uuid), "stems": 4}), 422)["data"]
    assert extra["errors"] == {"stems": "There is no such option here."}
    assert refused(api.send("post", extract, {"fileId": str(uuid.uuid4())}), 404) == "MEDIA_NOT_FOUND"
    assert refused(api.send("post", extract, {"fileId": "../1"}), 404) == "MEDIA_NOT_FOUND"
    assert refused(api.send("post", extract, {"fileId": [1]}), 422) == "INVALID_OPTION"
    assert refused(api.send("post", extract, "{", content_type="application/json"), 400) == "INVALID_INPUT"
    assert refused(api.send("post", extract, "<a/>", content_type="text/xml"), 415) == "UNSUPPORTED_MEDIA_TYPE"
    assert refused(api.send("get", f"{VOICE}/task"), 422) == "INVALID_OPTION"
    assert refused(api.send("get", f"{VOICE}/task?taskId=abc"), 404) == "JOB_NOT_FOUND"
    assert refused(api.send("get", f"file?fileId={uuid.uuid4()}.speech"), 404) == "MEDIA_NOT_FOUND"
    assert refused(api.send("get", f"file?fileId=a.{'b' * 20}"), 404) == "MEDIA_NOT_FOUND"
    assert refused(api.send("get", extract), 405) == "METHOD_NOT_ALLOWED"
    assert refused(api.send("get", "nowhere"), 404) == "NOT_FOUND"


def test_a_task_is_found_only_where_its_kind_is_asked_for(api, media):
    job = lifecycle.submit(media, "diarization", asked_for("diarization"))
    assert refused(api.send("get", f"{VOICE}/task?taskId={job.uuid}"), 404) == "JOB_NOT_FOUND"


def test_uploads_that_are_no_recordings_are_refused(api, settings):
    def send(content: bytes, field: str = "files"):
        file = io.BytesIO(content)
        file.name = "page.html"
        return api.post("/neuralspace/api/file/upload", {field: file})

    assert refused(send(b"<html>" * 99), 400) == "INVALID_AUDIO_FORMAT"
    assert refused(send(b"RIFF", "file"), 400) == "MISSING_INPUT"
    settings.MAX_UPLOAD_BYTES = 1000
    assert refused(send(b"a" * 200_000), 413) == "FILE_TOO_LARGE"
    assert not Media.objects.exists()


def test_work_that_cannot_be_paid_is_refused(api, alice, media):
    ledger.adjust(alice, -999_990, reason="tests", actor=alice)
    answer = api.send("post", f"{VOICE}/extract", {"fileId": str(media.uuid)})
    assert refused(answer, 402) == "INSUFFICIENT_CREDITS"
    assert "Required: 17, Available: 10" in answer.json()["message"]
    assert not Job.objects.exists()


def test_too_many_requests_are_refused(api, settings, media):
    settings.RATE_LIMIT = 1
    told(api.send("get", f"file?fileId={media.uuid}"))
    answer = api.send("get", f"file?fileId={media.uuid}")
    assert told(answer, 429)["message"] == "Rate limit exceeded. Try again later."
    assert int(answer["Retry-After"]) > 0
