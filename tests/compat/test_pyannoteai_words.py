"""What was said, on pyannoteAI's surface, where a model for transcription is installed."""

from __future__ import annotations

import json

import pytest

from jobs.models import Job
from tests.api.test_schema import conforms
from tests.api.transcripts import models_folder
from tests.api.transcripts import succeed as transcribed
from tests.compat.programs import VendorProgram
from tests.jobs.outbox import send_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/pyannoteai/v1")


@pytest.fixture(autouse=True)
def installed(monkeypatch, tmp_path, media):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models_folder(tmp_path)))
    media.key = "tones.wav"
    media.save()


def ask(api: VendorProgram, **body) -> tuple[Job, str]:
    """The job, and what its requester is warned of."""
    answer = api.send("post", "diarize", {"url": "media://tones.wav", "transcription": True, **body})
    assert answer.status_code == 200, answer.content
    return Job.objects.get(uuid=answer.json()["jobId"]), answer.json().get("warning", "")


def test_words_and_turns_are_told_with_who_spoke_when(api, tmp_path, client):
    job, warning = ask(api, numSpeakers=2, exclusive=True, model="precision-2")
    assert (job.task, job.options["num_speakers"], job.options["engine"], warning) == ("transcription", 2, "auto", "")
    transcribed(job, tmp_path)
    answer = api.send("get", f"jobs/{job.uuid}")
    output = answer.json()["output"]
    assert output["wordLevelTranscription"] == [
        {"start": 0.1, "end": 0.4, "text": "Who", "speaker": "SPEAKER_00"},
        {"start": 0.4, "end": 1.0, "text": "wrote?", "speaker": "SPEAKER_00"},
        {"start": 1.2, "end": 1.9, "text": "<Lincoln>", "speaker": "SPEAKER_01"},
        {"start": 1.9, "end": 2.5, "text": "did.", "speaker": "SPEAKER_01"},
    ]
    assert output["turnLevelTranscription"] == [
        {"start": 0.1, "end": 1.0, "text": "Who wrote?", "speaker": "SPEAKER_00"},
        {"start": 1.2, "end": 2.5, "text": "<Lincoln> did.", "speaker": "SPEAKER_01"},
    ]
    assert [turn["speaker"] for turn in output["diarization"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert output["exclusiveDiarization"] == output["diarization"]
    document = json.loads(client.get("/api/v1/schema").content)
    conforms(document, "/pyannoteai/v1/jobs/{job_id}", "get", answer)


def test_a_webhook_tells_them_too(api, receiver, tmp_path):
    job, _ = ask(api, webhook=receiver.url)
    transcribed(job, tmp_path)
    send_due()
    told = json.loads(receiver.received[0].body)
    assert told["output"] == api.send("get", f"jobs/{job.uuid}").json()["output"]
    assert len(told["output"]["wordLevelTranscription"]) == 4


def test_a_model_that_is_not_here_is_replaced_with_a_warning(api):
    for model in ("parakeet-tdt-0.6b-v3", "faster-whisper-large-v3-turbo"):
        job, warning = ask(api, transcriptionConfig={"model": model})
        assert job.options["engine"] == "auto"
        assert warning == f"{model} is not installed on this server; its own engine does the work."


def test_without_the_wish_nothing_is_transcribed(api):
    job, _ = ask(api, transcription=False, transcriptionConfig={"model": "parakeet-tdt-0.6b-v3"})
    assert job.task == "diarization"
