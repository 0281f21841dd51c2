"""/api/v1/transcription/…: what AudioPod's clients send and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import srt
from django.core.files.uploadedfile import SimpleUploadedFile

from audio_engine.types import TranscriptionRequest
from jobs import deleting, lifecycle
from jobs.models import Job
from jobs.options import TranscriptionOptions, stored
from tests.api.programs import Program
from tests.api.test_schema import conforms
from tests.api.transcripts import models_folder, succeed

URL = "https://example.org/talk.mp3"


@pytest.fixture
def transcription(media) -> Job:
    return lifecycle.submit(media, "transcription", TranscriptionOptions())


@pytest.fixture
def transcribed(transcription: Job, tmp_path) -> Job:
    return succeed(transcription, tmp_path)


@pytest.fixture
def with_models(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models_folder(tmp_path)))


@pytest.fixture
def send(api: Program, recording) -> Callable[..., Any]:
    def send(**fields: Any) -> Any:
        with recording.open("rb") as file:
            return api.post("/api/v1/transcription/transcribe-upload", {"files": file, **fields})

    return send


# --- asking for it


def test_a_file_becomes_a_job_in_audiopods_words(with_models, send):
    answer = send(language="en-US", enable_speaker_diarization="True", min_speakers="2", max_speakers="3")
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["job_id"], body["status"], body["job_type"]) == (body["id"], "PENDING", "transcription")
    assert body["estimated_credits"] == 17  # 3 s at 5.5, rounded up
    assert body["estimated_duration"] == 3.0
    assert body["source_urls"] == []
    assert body["message"]
    options = Job.objects.get(uuid=body["task_id"]).options
    assert (options["language"], options["min_speakers"], options["max_speakers"]) == ("en", 2, 3)


def test_a_url_becomes_a_job(with_models, api, settings):
    answer = api.send("post", "transcription/transcribe", {"source_urls": [URL], "language": "auto"})
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["source_urls"], body["estimated_credits"], body["filename"]) == ([URL], None, "talk.mp3")


def test_audiopods_other_options_are_understood(with_models, api):
    sent = {
        "source_urls": [URL],
        "model_type": "whisperx",
        "enable_speaker_diarization": False,
        "voice_attributes": True,
        "enable_word_timestamps": True,
        "enable_confidence_scores": True,
        "chunk_duration": 30,
    }
    body = api.send("post", "transcription/transcribe", sent).json()
    assert (body["options"]["engine"], body["options"]["speaker_labels"]) == ("auto", False)
    options = Job.objects.get(uuid=body["task_id"]).options
    asked = stored("transcription", options).request("transcription", source=Path("in"), output=Path("out"))
    assert asked == TranscriptionRequest(Path("in"), Path("out"), labelled=False, voice_attributes=True)


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({}, 400, "MISSING_INPUT"),
        ({"source_urls": [URL, URL]}, 422, "source_urls"),
        ({"source_urls": ["file:///etc/passwd"]}, 400, "INVALID_URL"),
        ({"source_urls": ["http://127.0.0.1/a.mp3"]}, 400, "URL_NOT_ALLOWED"),
        ({"source_urls": [URL], "language": "klingon"}, 422, "language"),
        ({"source_urls": [URL], "model_type": "parrot"}, 422, "engine"),
        ({"source_urls": [URL], "diarizer": "parrot"}, 422, "diarizer"),
        ({"source_urls": [URL], "min_speakers": 4, "max_speakers": 2}, 422, "min_speakers"),
        ({"source_urls": [URL], "num_speakers": 2, "max_speakers": 2}, 422, "num_speakers"),
        ({"source_urls": [URL], "chunk_duration": "long"}, 422, "chunk_duration"),
        ({"source_urls": [None]}, 422, "source_urls"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(with_models, api, sent, status, told):
    answer = api.send("post", "transcription/transcribe", sent)
    body = answer.json()
    assert answer.status_code == status, body
    assert told in (body["error_code"], body["details"].get("field"))
    assert not Job.objects.exists()


SUBTITLES = "1\n00:00:00,100 --> 00:00:00,900\n- Hello\n\n2\n00:00:01,300 --> 00:00:02,000\nthere.\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_subtitles_are_given_speakers_where_no_model_hears_words(api, send, encoding):
    answer = send(input_srt=SimpleUploadedFile("talk.srt", SUBTITLES.encode(encoding)), num_speakers=2)
    assert answer.status_code == 200, answer.content
    assert answer.json()["options"]["input_srt"] is True
    job = Job.objects.get()
    asked = stored("transcription", job.options).request("transcription", source=Path("in"), output=Path("out"))
    assert isinstance(asked, TranscriptionRequest)
    assert (asked.subtitles, asked.engines()) == (SUBTITLES, (("auto", "diarization"),))
    linked = api.send("post", "transcription/transcribe", {"source_urls": [URL], "input_srt": SUBTITLES})
    assert Job.objects.latest("pk").options["input_srt"] == SUBTITLES, linked.content


def test_a_batch_takes_subtitles_too(api, media):
    item = {"media": str(media.uuid), "job_type": "transcription", "input_srt": SUBTITLES}
    wrong = item | {"input_srt": "Hello"}
    told = api.send("post", "jobs/batch", {"items": [item, wrong, item | {"job_type": "diarization"}]}).json()["items"]
    assert told[0]["job"]["options"]["input_srt"] is True
    assert [its["error"]["details"]["field"] for its in told[1:]] == ["input_srt", "input_srt"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "may not be blank"),
        (b"Hello", "not a SubRip (SRT) file"),
        (b"\xff\xff", "not encoded in UTF-8"),
        (b"1\n00:00:05,000 --> 00:00:02,000\nhi\n", "ends before it starts"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nhi\n" + b"a" * 500_000, "no more than 500000 characters"),
    ],
)
def test_what_are_no_subtitles_is_refused(send, content, told):
    answer = send(input_srt=SimpleUploadedFile("talk.srt", content))
    body = answer.json()
    assert (answer.status_code, body["error_code"], body["details"]["field"]) == (422, "INVALID_OPTION", "input_srt")
    assert told in body["message"]
    assert not Job.objects.exists()


def test_a_model_for_words_is_not_asked_for_with_subtitles(with_models, send):
    answer = send(input_srt=SUBTITLES, model_type="whisper-small")
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "engine")


def test_several_files_at_once_are_refused(with_models, api, recording):
    with recording.open("rb") as one, recording.open("rb") as other:
        answer = api.post("/api/v1/transcription/transcribe-upload", {"files": [one, other]})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_INPUT")


def test_a_file_has_to_be_a_file(with_models, api):
    answer = api.post("/api/v1/transcription/transcribe-upload", {"files": "talk.mp3"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MISSING_INPUT")


@pytest.mark.parametrize("model", [{}, {"model_type": "whisper-large-v3"}])
def test_without_a_model_it_is_said_what_is_missing_and_how_to_get_it(api, send, monkeypatch, tmp_path, model):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "none"))
    for answer in (send(**model), api.send("post", "transcription/transcribe", {"source_urls": [URL], **model})):
        body = answer.json()
        assert (answer.status_code, body["error_code"]) == (422, "ENGINE_UNAVAILABLE")
        assert "manage.py models fetch whisper-large-v3" in body["message"]
        assert body["details"]["missing"]
    assert not Job.objects.exists()


def test_a_repeated_request_makes_one_job(with_models, api, alice):
    sent = {"source_urls": [URL]}
    again = {"headers": {"Idempotency-Key": "talk"}}
    first = api.send("post", "transcription/transcribe", sent, **again)
    second = api.send("post", "transcription/transcribe", sent, **again)
    assert first.json()["id"] == second.json()["id"]
    assert Job.objects.count() == 1


# --- looking after it


def test_jobs_are_listed_bare_and_apart_from_other_tasks(api, transcribed, diarized):
    jobs = api.get("/api/v1/transcription/jobs?limit=5&skip=0").json()
    assert [job["job_id"] for job in jobs] == [transcribed.number]
    assert api.get("/api/v1/transcription/jobs?offset=1").json() == []
    assert [job["id"] for job in api.get("/api/v1/transcription/jobs?status=completed").json()] == [transcribed.number]
    assert api.get("/api/v1/speaker/jobs").json()["total"] == 1
    assert api.get(f"/api/v1/transcription/jobs/{diarized.number}").status_code == 404
    assert api.get(f"/api/v1/speaker/jobs/{transcribed.number}").status_code == 404


def test_the_recording_that_was_transcribed_can_be_heard(api, bobs, transcribed, recording):
    address = f"/api/v1/transcription/jobs/{transcribed.number}/audio/0"
    answer = api.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/wav")
    assert answer.getvalue() == recording.read_bytes()
    assert api.get(address, headers={"Range": "bytes=0-3"}).getvalue() == b"RIFF"
    for refused in (api.get(f"{address[:-1]}1"), bobs.get(address)):
        assert refused.status_code == 404
    deleting.delete(transcribed)
    assert api.get(address).status_code == 404


def test_other_peoples_transcriptions_are_nobodys_business(bobs, transcribed):
    for address in ("", "/transcript", "/cancel", "/retry"):
        method = bobs.get if address in ("", "/transcript") else bobs.post
        assert method(f"/api/v1/transcription/jobs/{transcribed.number}{address}").status_code == 404
    assert bobs.delete(f"/api/v1/transcription/jobs/{transcribed.number}").status_code == 404
    assert bobs.get("/api/v1/transcription/jobs").json() == []


def test_a_job_is_canceled_run_again_and_deleted(api, transcription):
    address = f"/api/v1/transcription/jobs/{transcription.number}"
    assert api.get(address).headers["Retry-After"]
    assert api.post(f"{address}/cancel").json()["status"] == "CANCELLED"
    assert api.post(f"{address}/cancel").status_code == 200
    again = api.post(f"{address}/retry").json()
    assert (again["job_id"], again["status"]) == (transcription.number, "PENDING")
    assert api.post(f"{address}/retry").status_code == 409
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_who_spoke_when_is_exported_too(api, transcribed):
    answer = api.get(f"/api/v1/jobs/{transcribed.number}/export?format=rttm")
    assert answer.status_code == 200
    assert answer.content.count(b"SPEAKER ") == 2


# --- reading it


def test_the_transcript_is_as_audiopod_has_it(api, transcribed):
    body = api.get(f"/api/v1/transcription/jobs/{transcribed.number}/transcript").json()
    assert (body["job_id"], body["detected_language"], body["total_duration"]) == (transcribed.number, "en", 3.0)
    assert body["confidence_score"] == pytest.approx(0.75)
    first, second = body["segments"]
    assert (first["id"], first["speaker_id"], first["speaker_label"]) == (0, 0, "SPEAKER_00")
    assert (first["start"], first["end"], first["text"]) == (0.1, 1.0, "Who wrote?")
    assert first["words"][1] == {"word": "wrote?", "start": 0.4, "end": 1.0, "probability": 0.8}
    assert second["confidence"] == pytest.approx(0.65)
    assert [speaker["label"] for speaker in body["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]


def test_captions_come_by_sentences_and_by_words(api, transcribed):
    address = f"/api/v1/transcription/jobs/{transcribed.number}/transcript"
    answer = api.get(f"{address}?format=srt")
    assert answer["Content-Type"] == "application/x-subrip; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="tones.srt"'
    captions = list(srt.parse(answer.content.decode()))
    assert [caption.content for caption in captions] == ["SPEAKER_00: Who wrote?", "SPEAKER_01: ‹Lincoln› did."]
    assert len(list(srt.parse(api.get(f"{address}?format=srt&words=true").content.decode()))) == 4
    assert api.get(f"{address}?format=vtt").content.startswith(b"WEBVTT")
    assert api.get(f"{address}?format=txt").content.decode() == "SPEAKER_00: Who wrote?\n\nSPEAKER_01: <Lincoln> did.\n"


def test_who_takes_json_only_gets_text_as_json(api, transcribed):
    """As AudioPod's SDK, which reads every answer as JSON."""
    address = f"/api/v1/transcription/jobs/{transcribed.number}/transcript?format=txt"
    answer = api.get(address, headers={"Accept": "application/json"})
    assert answer["Content-Type"] == "application/json"
    assert answer.json().startswith("SPEAKER_00: ")


@pytest.mark.parametrize("format", ["pdf", "docx", "html", "mp3"])
def test_formats_that_are_not_made_are_refused_by_name(api, transcribed, format):
    answer = api.get(f"/api/v1/transcription/jobs/{transcribed.number}/transcript?format={format}")
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "format")


def test_speakers_stay_out_where_they_are_not_wanted(api, media, tmp_path):
    job = lifecycle.submit(media, "transcription", TranscriptionOptions(speaker_labels=False))
    succeed(job, tmp_path)
    address = f"/api/v1/transcription/jobs/{job.number}/transcript"
    body = api.get(address).json()
    assert ({segment["speaker_label"] for segment in body["segments"]}, body["speakers"]) == ({None}, [])
    assert "SPEAKER" not in api.get(f"{address}?format=srt").content.decode()


def test_a_job_that_is_not_done_has_no_transcript(api, transcription):
    answer = api.get(f"/api/v1/transcription/jobs/{transcription.number}/transcript")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_HAS_NO_RESULT")


def test_answers_are_as_described(with_models, api, nobody, send, transcribed):
    document = nobody.get("/api/v1/schema").json()
    address = "/api/v1/transcription/jobs/{job_id}"
    base = f"/api/v1/transcription/jobs/{transcribed.number}"
    conforms(document, address, "get", api.get(base))
    conforms(document, f"{address}/transcript", "get", api.get(f"{base}/transcript"))
    lines = api.get(f"{base}/transcript?format=srt", headers={"Accept": "application/json"})
    conforms(document, f"{address}/transcript", "get", lines)
    conforms(document, "/api/v1/transcription/jobs", "get", api.get("/api/v1/transcription/jobs"))
    conforms(document, "/api/v1/transcription/transcribe-upload", "post", send())
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get(f"/api/v1/jobs/{transcribed.number}"))
    sent = json.dumps({"source_urls": [URL], "model_type": "whisper-large-v3"})
    refused = api.post("/api/v1/transcription/transcribe", sent, content_type="application/json")
    assert refused.status_code == 422
    conforms(document, "/api/v1/transcription/transcribe", "post", refused)


def test_a_batch_takes_transcriptions(with_models, api):
    items = [{"url": URL, "job_type": "transcription", "language": "de", "speaker_labels": False}]
    body = api.send("post", "jobs/batch", {"items": items}).json()
    assert body["accepted"] == 1, body
    assert body["items"][0]["job"]["options"]["language"] == "de"
    refused = api.send("post", "jobs/batch", {"items": [{"url": URL, "language": "de"}]}).json()
    assert refused["items"][0]["error"]["details"]["field"] == "language"
