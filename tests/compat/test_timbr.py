"""Timbr's surface: one-time uploads, separation, enhancement, jobs and errors, in its words."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.core import signing
from django.db import connection
from django.test import Client

from accounts import ledger
from accounts.models import APIKey
from audio_engine import registry
from audio_engine.dialogue import BASIC
from audio_engine.sound import DenoisingResult, SoundStats
from audio_engine.types import MediaInfo
from jobs import files, lifecycle
from jobs.errors import JobError
from jobs.models import Job, Media, Track
from jobs.options import asked_for
from tests.api.programs import separated, succeed
from tests.compat.programs import VendorProgram
from tests.compat.timbr import DIARIZE, ENHANCE, SEPARATE, ask, get, offered, put, refusal, wrong

pytestmark = pytest.mark.django_db
NO_WORDS = "No model for transcription is installed on this server, and only one tells words from other sounds."
TYPES = "dialogue-me, dialogue-music-effect, speech-nonlingual"


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/timbr/v1")


@pytest.fixture
def bobs(bob, program) -> VendorProgram:
    return program(bob, "/timbr/v1")


# --- uploads


def test_an_address_takes_one_recording(api, alice, recording):
    file_id, url = offered(api, filename="interview.wav")
    answer = put(url, recording.read_bytes())
    assert (answer.status_code, answer.json()) == (200, {"file_id": file_id})
    media = Media.objects.get()
    assert (str(media.uuid), media.owner, media.name, media.seconds) == (file_id, alice, "interview.wav", 3.0)
    again = put(url, recording.read_bytes())
    assert refusal(again) == (412, "Something was sent to this address already; ask for a fresh one.")
    assert Media.objects.count() == 1


def test_an_address_without_a_name_gives_one(api, recording):
    _, url = offered(api)
    put(url, recording.read_bytes())
    assert Media.objects.get().name == "recording"


def test_an_address_is_given_by_its_other_name_too(api, recording):
    told = api.send("post", "audio/upload", {"filename": "talk.wav"}).json()
    assert put(told["upload_url"].removeprefix("http://testserver"), recording.read_bytes()).status_code == 200
    assert str(Media.objects.get().uuid) == told["file_id"]


def test_an_upload_that_was_refused_can_be_repeated(api, recording, settings):
    _, url = offered(api)
    status, reason = refusal(put(url, b"<html>" * 99))
    assert (status, reason) == (400, "The file is not audio or video in a supported format, or it is damaged.")
    assert refusal(put(url, recording.read_bytes(), **{"x-goog-if-generation-match": "7"}))[0] == 412
    settings.MAX_UPLOAD_BYTES = 1000
    assert refusal(put(url, recording.read_bytes()))[0] == 413
    settings.MAX_UPLOAD_BYTES = 10**6
    assert put(url, recording.read_bytes()).status_code == 200


def test_an_address_expires_and_cannot_be_forged(api, recording, monkeypatch):
    _, url = offered(api)
    assert refusal(put(f"{url}x", recording.read_bytes())) == (
        403,
        "This link is not valid; it may have been cut or altered.",
    )
    real = signing.time.time
    monkeypatch.setattr(signing.time, "time", lambda: real() + timedelta(minutes=30, seconds=1).total_seconds())
    assert refusal(put(url, recording.read_bytes())) == (403, "This address has expired; ask for a fresh one.")
    assert not Media.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_at_once_one_is_taken(alice, program, recording):
    _, url = offered(program(alice, "/timbr/v1"))
    statuses = []

    def send() -> None:
        statuses.append(put(url, recording.read_bytes()).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412]
    assert Media.objects.count() == 1


# --- separation


def test_a_separation_is_done_and_paid(api, alice, media, recording):
    job = ask(
        api, SEPARATE, media, separation_type="dialogue-me", sample_rate=44_100, bit_depth=24, output_format="wav"
    )
    assert (job.task, job.surface, job.credits) == ("dialogue", "timbr", 3)
    assert (job.options["sample_rate"], job.options["bit_depth"]) == (44_100, 24)
    assert (ledger.available(alice), get(api, job)["cost"]) == (999_997, 0)
    running = lifecycle.claim("engine", "tests")
    lifecycle.report(running, "embedding", 0.42)
    told = get(api, job)
    assert (told["status"], told["progress"]) == ("processing", 42)
    separated(lifecycle.requeue(Job.objects.get(pk=job.pk)), recording)
    done = get(api, job)
    assert (done["status"], done["progress"], done["cost"], done["job_type"]) == ("completed", 100, 3, "separate")
    assert done["file_id"] == str(media.uuid)
    assert set(done["result"]) == {"speech", "dialogue", "me"}
    for url in done["result"].values():
        assert Client().get(url).getvalue() == recording.read_bytes()


def test_music_and_effects_come_apart_where_that_is_asked_for(api, media, recording):
    assert ask(api, SEPARATE, media).options["split_background"] is False
    job = ask(api, SEPARATE, media, separation_type="dialogue-music-effect")
    assert job.options["split_background"] is True
    lifecycle.cancel(Job.objects.exclude(pk=job.pk).get())
    separated(job, recording, ("speech", "music", "effects"))
    assert get(api, job)["warnings"] == []
    Job.objects.filter(pk=job.pk).update(result=Job.objects.get(pk=job.pk).result | {"warnings": [BASIC]})
    told = get(api, job)
    assert (set(told["result"]), told["warnings"]) == ({"speech", "dialogue", "music", "effect"}, [BASIC])


def test_words_are_told_from_other_sounds_where_a_model_hears_them(api, media, recording, monkeypatch):
    refused = api.send("post", SEPARATE, {"file_id": str(media.uuid), "separation_type": "speech-nonlingual"})
    assert wrong(refused) == {"body.separation_type": NO_WORDS}
    path = "tests.audio_engine.scripted:ScriptedTranscriber"
    monkeypatch.setattr(registry, "ENGINES", {**registry.ENGINES, "words": path})
    job = ask(api, SEPARATE, media, separation_type="speech-nonlingual")
    assert (job.options["words_only"], job.options["split_background"]) == (True, False)
    separated(job, recording, ("speech", "nonlingual"))
    assert set(get(api, job)["result"]) == {"speech", "dialogue", "nonlingual"}


def test_the_defaults_are_those_of_the_documentation(api, media):
    job = ask(api, SEPARATE, media)
    assert (job.options["sample_rate"], job.options["bit_depth"]) == (48_000, 16)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("separation_type", "drums", f'"drums" is not a valid choice. There are {TYPES}.'),
        ("output_format", "mp3", "This server writes wav only."),
        ("sample_rate", 7_999, "Ensure this value is greater than or equal to 8000."),
        ("sample_rate", 192_001, "Ensure this value is less than or equal to 192000."),
        ("sample_rate", "fast", "A valid integer is required."),
        ("bit_depth", 7, "Ensure this value is greater than or equal to 8."),
        ("bit_depth", 33, "Ensure this value is less than or equal to 32."),
        ("stems", 4, "There is no such option here."),
    ],
)
def test_a_separation_that_cannot_be_done_is_refused_by_its_option(api, media, option, value, reason):
    answer = api.send("post", SEPARATE, {"file_id": str(media.uuid), option: value})
    assert wrong(answer) == {f"body.{option}": reason}
    assert not Job.objects.exists()


# --- enhancement


def denoised(job: Job, recording) -> Job:
    """Do the engine's part: the recording, as it is."""
    running = lifecycle.claim("engine", "tests")
    info = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 3.0, "mono")
    sound = SoundStats(-60.0, -20.0, 0.5)
    found = DenoisingResult("denoising", "spectral", (), info, "studio", 0.5, 12.0, sound, sound)
    stored = files.store(recording, running.folder() / "denoised.wav")
    return lifecycle.succeed(running, found.to_json(), [lifecycle.StoredFile(Track.Kind.AUDIO, stored, 96_044)])


def test_an_enhancement_is_asked_for_as_documented(api, media, recording):
    job = ask(api, ENHANCE, media)
    assert (job.task, job.credits) == ("denoising", 3)
    told = {name: job.options[name] for name in ("strength", "equalizer", "compress", "loudness")}
    assert told == {"strength": 0.5, "equalizer": "balanced", "compress": False, "loudness": -16.0}
    done = get(api, denoised(job, recording))
    assert (done["status"], done["job_type"], set(done["result"])) == ("completed", "enhance", {"enhanced"})
    assert Client().get(done["result"]["enhanced"]).getvalue() == recording.read_bytes()


def test_what_an_enhancement_leaves_out_can_be_said(api, media):
    body = {
        "denoise": False,
        "noise_reduction": 0.9,
        "eq_preset": "bass_boost",
        "compression": True,
        "normalize": False,
    }
    options = ask(api, ENHANCE, media, **body).options
    assert (options["strength"], options["equalizer"]) == (0.0, "bass_boost")
    assert (options["compress"], options["loudness"]) == (True, None)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("noise_reduction", 1.1, "Ensure this value is less than or equal to 1."),
        ("noise_reduction", "NaN", "A valid number is required."),
        ("eq_preset", "treble", '"treble" is not a valid choice.'),
        ("denoise", "perhaps", "Must be a valid boolean."),
    ],
)
def test_an_enhancement_that_cannot_be_done_is_refused_by_its_option(api, media, option, value, reason):
    answer = api.send("post", ENHANCE, {"file_id": str(media.uuid), option: value})
    [(member, told)] = wrong(answer).items()
    assert (member, told.startswith(reason)) == (f"body.{option}", True)
    assert not Job.objects.exists()


# --- jobs


def test_jobs_are_listed_page_by_page(api, bobs, media, recording):
    first = succeed(ask(api, DIARIZE, media), recording)
    rest = [ask(api, SEPARATE, media) for _ in range(2)]
    lifecycle.submit(media, "extraction", asked_for("extraction"))  # which Timbr has no word for
    page = api.send("get", "jobs?page_size=2").json()
    assert [job["job_id"] for job in page["jobs"]] == [str(job.uuid) for job in reversed(rest)]
    assert (page["page"], page["page_size"], page["has_more"]) == (1, 2, True)
    last = api.send("get", "jobs?page_size=2&page=2").json()
    assert ([job["job_id"] for job in last["jobs"]], last["has_more"]) == ([str(first.uuid)], False)
    assert [job["status"] for job in api.send("get", "jobs?status=completed").json()["jobs"]] == ["completed"]
    assert [job["status"] for job in api.send("get", "jobs?status=queued").json()["jobs"]] == ["queued", "queued"]
    assert bobs.send("get", "jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("query", "member"),
    [("page=0", "page"), ("page_size=101", "page_size"), ("status=done", "status"), ("limit=3", "limit")],
)
def test_a_list_that_cannot_be_made_is_refused(api, query, member):
    assert list(wrong(api.send("get", f"jobs?{query}"))) == [f"query.{member}"]


def test_jobs_that_fail_or_are_canceled_have_failed_and_say_why(api, alice, media):
    failed = ask(api, SEPARATE, media)
    lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("ENGINE_TIMEOUT"))
    told = get(api, failed)
    assert (told["status"], told["cost"], told["result"]) == ("failed", 0, None)
    assert told["error"] == "The engine took longer than the server allows."
    canceled = ask(api, SEPARATE, media)
    lifecycle.cancel(canceled)
    assert (get(api, canceled)["status"], get(api, canceled)["error"]) == ("failed", "The job was canceled.")
    assert ledger.available(alice) == 1_000_000


def test_a_retry_costs_what_the_job_did(api, media):
    job = ask(api, SEPARATE, media)
    lifecycle.cancel(job)
    again = lifecycle.retry(Job.objects.get(pk=job.pk))
    assert (again.surface, again.credits) == ("timbr", 3)


# --- bad input


def test_only_owners_get_in(bobs, api, media):
    job = ask(api, SEPARATE, media)
    assert refusal(bobs.send("get", f"jobs/{job.uuid}")) == (404, "Job not found")
    assert refusal(bobs.send("post", SEPARATE, {"file_id": str(media.uuid)})) == (404, "File not found")


@pytest.mark.parametrize("key", ["", "TBR_8b3364b5a772328a", "Bearer TBR_8b3364b5a772328a", "ap_nobodys", "Bearer"])
@pytest.mark.parametrize(
    ("method", "path"), [("post", "upload"), ("post", SEPARATE), ("get", "jobs"), ("get", "jobs/1")]
)
def test_nobody_gets_in_without_a_token_that_is_good(db, key, method, path):
    assert refusal(VendorProgram("/timbr/v1", key).send(method, path))[0] == 401


def test_a_token_may_come_alone(alice, media):
    key, secret = APIKey.issue(alice, "tests")
    api = VendorProgram("/timbr/v1", secret)
    assert api.send("get", "jobs").status_code == 200
    key.revoke()
    assert refusal(api.send("get", "jobs")) == (403, "This API key has been revoked")


def test_what_cannot_be_used_is_refused(api, media):
    assert wrong(api.send("post", SEPARATE, {})) == {"body.file_id": "This field is required."}
    assert wrong(api.send("post", SEPARATE, "{", content_type="application/json")).keys() == {"body"}
    assert wrong(api.send("post", SEPARATE, "[]", content_type="application/json")).keys() == {"body"}
    assert refusal(api.send("post", SEPARATE, {"file_id": "nothing"})) == (404, "File not found")
    assert refusal(api.send("post", SEPARATE, {"file_id": str(uuid.uuid4())})) == (404, "File not found")
    assert refusal(api.send("get", f"jobs/{uuid.uuid4()}")) == (404, "Job not found")
    assert refusal(api.send("get", SEPARATE))[0] == 405
    assert refusal(api.send("get", "nowhere")) == (404, "There is nothing at /timbr/v1/nowhere.")
    assert refusal(api.send("post", SEPARATE, "<a/>", content_type="text/xml"))[0] == 415
    assert refusal(api.send("post", SEPARATE, "a" * 1_000_001, content_type="application/json"))[0] == 413


def test_work_that_cannot_be_paid_is_refused(api, alice, media):
    ledger.adjust(alice, -999_998, reason="tests", actor=alice)
    answer = api.send("post", SEPARATE, {"file_id": str(media.uuid)})
    assert refusal(answer) == (402, "Insufficient credits for processing. Required: 3, Available: 2")
    assert not Job.objects.exists()


def test_too_many_requests_are_refused(api, settings):
    settings.RATE_LIMIT = 1
    assert api.send("get", "jobs").status_code == 200
    answer = api.send("get", "jobs")
    assert refusal(answer) == (429, "Rate limit exceeded. Try again later.")
    assert int(answer["Retry-After"]) > 0
