"""Jobs as AudioPod's clients know them: one by one, in lists, retried, canceled and deleted."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict
from datetime import datetime

import pytest
from django.core.files.storage import default_storage

from accounts import ledger
from audio_engine.voices import VoiceAttributes
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job, Media, Track
from jobs.options import SpeakerOptions

NOT_FOUND = {"detail": "Job not found or access denied"}


def failed(job: Job) -> Job:
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    reason = {"reason": "No speech was found."}
    return lifecycle.fail(running, JobError("PROCESSING_FAILED", details=reason))


# --- one job


def test_a_queued_job_is_pending(api, alice, queued):
    body = api.send("get", f"speaker/jobs/{queued.number}").json()
    assert (body["id"], body["job_type"], body["status"], body["progress"]) == (
        queued.number,
        "extraction",
        "PENDING",
        0,
    )
    assert (body["user_id"], body["task_id"]) == (str(alice.pk), str(queued.uuid))
    assert (body["filename"], body["display_name"], body["duration"]) == ("tones.wav", "tones.wav", 3.0)
    assert (body["credits_required"], body["credits_charged"]) == (17, 0)  # 3 s at 5.5, rounded up
    assert body["completed_at"] is None
    assert body["result"] is None
    assert datetime.fromisoformat(body["created_at"]) == queued.created_at.replace(
        microsecond=queued.created_at.microsecond // 1000 * 1000
    )


def test_a_running_job_tells_its_stage_and_progress(api, queued):
    running = lifecycle.claim("engine", "tests")
    lifecycle.report(running, "embedding", 0.456)
    body = api.send("get", f"speaker/jobs/{queued.number}").json()
    assert (body["status"], body["stage"], body["progress"]) == ("PROCESSING", "embedding", 45)


def test_a_finished_extraction_has_the_contracts_result(api, finished):
    body = api.send("get", f"speaker/jobs/{finished.number}").json()
    assert (body["status"], body["progress"], body["credits_charged"]) == ("COMPLETED", 100, 17)
    assert body["completed_at"].endswith("Z")
    result = body["result"]
    first = result["speakers"][0]
    assert (first["id"], first["label"]) == (0, "SPEAKER_0")
    assert first["audio_path"].endswith("/speaker_0.wav")
    assert first["download_url"].startswith("http://testserver/files/")
    assert first["audio_stats"] == {"rms_db": -20.5, "peak": 0.5, "loudness_lufs": -23.0, "snr_db": None}
    kinds = [(file["type"], file.get("speaker")) for file in result["files"]]
    assert kinds == [("audio", "SPEAKER_0"), ("audio", "SPEAKER_1"), ("rttm", None)]
    assert all(file["download_url"] for file in result["files"])
    assert result["rttm_path"] == result["files"][2]["path"]
    assert result["warnings"] == ["Only 2 speakers were found."]
    assert result["timeline"][1] == {"start": 1.2, "end": 2.5, "speaker": "SPEAKER_1", "confidence": None}


def test_a_finished_diarization_has_the_contracts_result(api, diarized):
    result = api.send("get", f"speaker/jobs/{diarized.number}").json()["result"]
    assert result["num_speakers"] == 2
    assert [speaker["label"] for speaker in result["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert result["speakers"][0]["total_speaking_time"] == pytest.approx(0.9)
    assert "download_url" not in result["speakers"][0]
    assert result["timeline"] == result["segments"]
    assert result["timeline"][0]["speaker"] == "SPEAKER_00"
    assert result["rttm_path"].endswith("/diarization.rttm")


def test_voiceprints_are_told_where_they_were_asked_for(api, finished):
    assert "voiceprint" not in api.send("get", f"speaker/jobs/{finished.number}").json()["result"]["speakers"][0]
    voiceprint = {"model": "resemblyzer 0.1.4", "vector": [0.6, 0.8]}
    Job.objects.filter(pk=finished.pk).update(result=finished.result | {"voiceprints": [voiceprint, None]})
    speakers = api.send("get", f"speaker/jobs/{finished.number}").json()["result"]["speakers"]
    assert [speaker["voiceprint"] for speaker in speakers] == [voiceprint, None]


def test_attributes_of_voices_are_told_where_they_were_asked_for(api, finished):
    assert "voice_attributes" not in api.send("get", f"jobs/{finished.number}").json()["result"]["speakers"][0]
    attributes = [asdict(VoiceAttributes(0, 92.0, 110.5, 143.0, "male", 93)), asdict(VoiceAttributes(1))]
    Job.objects.filter(pk=finished.pk).update(result=finished.result | {"voice_attributes": attributes})
    first, second = api.send("get", f"jobs/{finished.number}").json()["result"]["speakers"]
    assert first["voice_attributes"] == {
        "pitch_low": 92.0,
        "pitch_median": 110.5,
        "pitch_high": 143.0,
        "gender": "male",
        "gender_confidence": 93,
    }
    assert (second["voice_attributes"]["pitch_low"], second["voice_attributes"]["gender"]) == (None, "unknown")


def test_a_failed_job_says_why_and_costs_nothing(api, alice, queued):
    failed(queued)
    body = api.send("get", f"jobs/{queued.number}").json()
    assert (body["status"], body["error_code"]) == ("FAILED", "PROCESSING_FAILED")
    assert body["error_message"] == "Failed to extract speakers from audio"
    assert body["error_details"] == {"reason": "No speech was found."}
    assert body["credits_charged"] == 0
    assert ledger.available(alice) == 1_000_000


def test_waiting_sdks_find_the_same_job_at_its_general_address(api, finished):
    general = api.send("get", f"jobs/{finished.number}").json()
    special = api.send("get", f"speaker/jobs/{finished.number}").json()
    assert general.keys() == special.keys()
    assert general["result"]["timeline"] == special["result"]["timeline"]


@pytest.mark.parametrize("number", [999_999, 0, 10**30])
def test_an_unknown_job_is_not_found(api, number):
    for answer in (
        api.send("get", f"speaker/jobs/{number}"),
        api.send("get", f"jobs/{number}"),
        api.send("delete", f"speaker/jobs/{number}"),
        api.send("post", f"speaker/jobs/{number}/retry"),
    ):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_another_users_job_is_not_found(bobs, finished):
    answer = bobs.send("get", f"speaker/jobs/{finished.number}")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert bobs.send("delete", f"speaker/jobs/{finished.number}").status_code == 404
    assert Job.objects.filter(pk=finished.pk).exists()


# --- lists


@pytest.fixture
def three(media: Media) -> list[Job]:
    """Newest last: a canceled extraction, a diarization and an extraction, both waiting."""
    first = lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))
    return [first, *(lifecycle.submit(media, task, SpeakerOptions()) for task in ("diarization", "extraction"))]


def listed(api, query: str = "") -> list[int]:
    answer = api.send("get", f"speaker/jobs{query}")
    assert answer.status_code == 200, answer.json()
    return [item["id"] for item in answer.json()["items"]]


def test_the_list_is_newest_first(api, three):
    body = api.send("get", "speaker/jobs").json()
    assert [item["id"] for item in body["items"]] == [job.number for job in reversed(three)]
    assert (body["total"], body["hasMore"]) == (3, False)


def test_the_list_goes_page_by_page(api, three):
    body = api.send("get", "speaker/jobs?skip=1&limit=1").json()
    assert [item["id"] for item in body["items"]] == [three[1].number]
    assert (body["total"], body["hasMore"]) == (3, True)
    assert listed(api, "?skip=99") == []


def test_the_list_can_be_filtered(api, three):
    canceled, diarization, extraction = (job.number for job in three)
    assert listed(api, "?job_type=extraction") == [extraction, canceled]
    assert listed(api, "?status=CANCELLED") == [canceled]
    assert listed(api, "?status=pending&job_type=diarization") == [diarization]
    assert listed(api, "?status=COMPLETED") == []
    assert listed(api, "?status=&job_type=") == [extraction, diarization, canceled]


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("skip=-1", "skip"), ("limit=x", "limit"), ("status=DONE", "status"),
     ("job_type=denoise", "job_type")],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_named(api, query, field):
    answer = api.send("get", f"speaker/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["details"]["field"] == field
    assert field in answer.json()["message"]


def test_the_list_names_files_and_holds_no_results(api, finished):
    [item] = api.send("get", "speaker/jobs").json()["items"]
    assert [file.get("speaker") for file in item["outputFiles"]] == ["SPEAKER_0", "SPEAKER_1", None]
    assert "result" not in item


def test_the_list_is_ones_own(bobs, finished):
    assert bobs.send("get", "speaker/jobs").json() == {"items": [], "total": 0, "hasMore": False}


def test_a_page_of_the_list_takes_a_handful_of_queries(api, three, django_assert_max_num_queries):
    api.send("get", "speaker/jobs")  # notes the key's use
    with django_assert_max_num_queries(6):
        listed(api)


# --- verbs


def test_a_retry_keeps_the_id_and_gets_a_new_task(api, queued):
    failed(queued)
    answer = api.send("post", f"speaker/jobs/{queued.number}/retry")
    body = answer.json()
    assert (answer.status_code, body["id"], body["status"]) == (200, queued.number, "PENDING")
    assert body["task_id"] != str(queued.uuid)
    assert body["options"]["num_speakers"] == 2
    assert listed(api) == [queued.number]


def test_a_retry_that_is_sent_twice_runs_once(api, alice, queued):
    failed(queued)
    assert api.send("post", f"speaker/jobs/{queued.number}/retry").status_code == 200
    again = api.send("post", f"speaker/jobs/{queued.number}/retry")
    assert (again.status_code, again.json()["error_code"]) == (409, "JOB_NOT_RETRYABLE")
    assert ledger.available(alice) == 1_000_000 - 17


def test_only_what_failed_or_was_canceled_can_be_retried(api, finished):
    answer = api.send("post", f"speaker/jobs/{finished.number}/retry")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_NOT_RETRYABLE")


def test_a_cancel_gives_the_credits_back(api, alice, queued):
    body = api.send("post", f"speaker/jobs/{queued.number}/cancel").json()
    assert body["status"] == "CANCELLED"
    assert ledger.available(alice) == 1_000_000


def test_a_repeated_cancel_succeeds_again(api, queued):
    for _ in range(2):
        assert api.send("post", f"speaker/jobs/{queued.number}/cancel").status_code == 200


def test_a_finished_job_cannot_be_canceled(api, finished):
    answer = api.send("post", f"speaker/jobs/{finished.number}/cancel")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_FINISHED")


def test_a_deleted_job_is_gone_with_its_files(api, finished, media):
    stored = [track.file for track in Track.objects.filter(job=finished)] + [media.file]
    assert all(map(default_storage.exists, stored))
    answer = api.send("delete", f"speaker/jobs/{finished.number}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not any(map(default_storage.exists, stored))
    assert api.send("get", f"speaker/jobs/{finished.number}").status_code == 404
    assert api.send("delete", f"speaker/jobs/{finished.number}").status_code == 404


def test_all_files_of_a_job_come_in_one_zip(api, finished, recording):
    answer = api.send("get", f"speaker/jobs/{finished.number}/download", headers={"Accept": "application/zip"})
    assert answer["Content-Disposition"] == 'attachment; filename="tones.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["extraction.rttm", "speaker_0.wav", "speaker_1.wav"]
        assert archive.read("speaker_1.wav") == recording.read_bytes()


def test_a_job_without_files_has_no_zip(api, queued):
    answer = api.send("get", f"speaker/jobs/{queued.number}/download")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_HAS_NO_FILES")
