"""/api/v1/voiceprints: voices that are kept under names, and known again in other recordings."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from accounts import ledger
from audio_engine.formats import voiceprint_from_text, voiceprint_to_text
from audio_engine.types import Voiceprint as Heard
from jobs import housekeeping, lifecycle, voiceprints
from jobs.errors import JobError
from jobs.models import Job, Media, Voiceprint
from jobs.options import IdentificationOptions, VoiceprintOptions
from tests.api.programs import succeed
from tests.api.test_schema import conforms

pytestmark = pytest.mark.django_db
MODEL, OTHER = "scripted 1", "scripted 2"


def voice(model: str = MODEL) -> dict:
    return {"model": model, "vector": [0.6, 0.8]}


@pytest.fixture
def spoken(diarized) -> Job:
    """A finished diarization that made a voiceprint of the first of its two speakers."""
    Job.objects.filter(pk=diarized.pk).update(result=diarized.result | {"voiceprints": [voice(), None]})
    return Job.objects.get(pk=diarized.pk)


@pytest.fixture
def document(nobody) -> dict:
    return nobody.get("/api/v1/schema").json()


def keep(api, job: Job, name: str = "Sam", speaker: str = "SPEAKER_00") -> dict:
    answer = api.send("post", "voiceprints", {"name": name, "job": job.number, "speaker": speaker})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def hear(job: Job, model: str = MODEL) -> Job:
    """Do the engine's part of learning a voice."""
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    assert running.pk == job.pk
    result = {"task": "voiceprint", "engine": "embedded", "models": [], "warnings": [], "voiceprint": voice(model)}
    return lifecycle.succeed(running, result, [])


def refusal(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# --- from a job's speaker


def test_a_jobs_speaker_is_kept_under_a_name(api, alice, spoken, document):
    told = keep(api, spoken)
    kept = Voiceprint.objects.get()
    assert told == {
        "id": str(kept.uuid), "name": "Sam", "status": "ready", "model": MODEL, "engine": "embedded",
        "job_id": spoken.number, "error_code": None, "error_message": None, "created_at": told["created_at"],
    }  # fmt: skip
    assert kept.owner == alice
    assert voiceprint_from_text(kept.text).vector == pytest.approx((0.6, 0.8))
    one = api.get(f"/api/v1/voiceprints/{told['id']}")
    assert one.json() == told
    conforms(document, "/api/v1/voiceprints/{voiceprint}", "get", one)
    conforms(document, "/api/v1/voiceprints", "get", api.get("/api/v1/voiceprints"))


def test_it_outlives_its_job(api, spoken):
    told = keep(api, spoken)
    assert api.delete(f"/api/v1/jobs/{spoken.number}").status_code == 204
    assert api.get(f"/api/v1/voiceprints/{told['id']}").json() == told | {"job_id": None}


@pytest.mark.parametrize(
    ("speaker", "status", "code"),
    [
        ("SPEAKER_01", 409, "JOB_HAS_NO_VOICEPRINT"),
        ("SPEAKER_02", 422, "INVALID_OPTION"),
        ("SPEAKER_0", 422, "INVALID_OPTION"),
        ("", 422, "INVALID_OPTION"),
    ],
)
def test_a_speaker_without_a_voiceprint_is_told(api, spoken, speaker, status, code):
    answer = api.send("post", "voiceprints", {"name": "Ann", "job": spoken.number, "speaker": speaker})
    assert refusal(answer) == (status, code)
    assert not Voiceprint.objects.exists()


def test_jobs_that_made_none_are_told(api, bobs, media, recording, queued):
    fields = {"name": "Sam", "job": queued.number, "speaker": "SPEAKER_0"}
    assert refusal(api.send("post", "voiceprints", fields)) == (409, "JOB_HAS_NO_RESULT")
    succeed(queued, recording)
    answer = api.send("post", "voiceprints", fields)
    assert refusal(answer) == (409, "JOB_HAS_NO_VOICEPRINT")
    assert "voiceprints=true" in answer.json()["detail"]
    assert refusal(bobs.send("post", "voiceprints", fields)) == (404, "JOB_NOT_FOUND")


# --- from a sample


def test_a_voice_is_learned_from_a_sample(api, alice, upload, document):
    answer = upload("voiceprints", name="Sam")
    assert (answer.status_code, answer.json()["status"], answer.json()["model"]) == (201, "learning", None)
    conforms(document, "/api/v1/voiceprints", "post", answer)
    job = Job.objects.get()
    assert (job.task, answer.json()["job_id"]) == ("voiceprint", job.number)
    hear(job)
    told = api.get(f"/api/v1/voiceprints/{answer.json()['id']}").json()
    assert (told["status"], told["model"], told["engine"]) == ("ready", MODEL, "embedded")
    assert ledger.available(alice) == 1_000_000 - 17


def test_a_sample_may_be_stored_before_or_be_at_a_url(api, media):
    stored = api.send("post", "voiceprints", {"name": "Sam", "media": str(media.uuid), "engine": "embedded"})
    linked = api.send("post", "voiceprints", {"name": "Ann", "url": "https://example.org/ann.wav"})
    assert [stored.status_code, linked.status_code] == [201, 201]
    assert [job.options["engine"] for job in Job.objects.order_by("pk")] == ["embedded", "auto"]


def test_a_voice_that_could_not_be_learned_says_why_and_is_learned_by_another_run(api, upload):
    told = upload("voiceprints", name="Sam").json()
    lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("AUDIO_TOO_LONG"))
    failed = api.get(f"/api/v1/voiceprints/{told['id']}").json()
    assert (failed["status"], failed["error_code"]) == ("failed", "AUDIO_TOO_LONG")
    assert api.post(f"/api/v1/jobs/{told['job_id']}/retry").status_code == 200
    assert api.get(f"/api/v1/voiceprints/{told['id']}").json()["status"] == "learning"
    hear(Job.objects.latest("pk"))
    assert api.get(f"/api/v1/voiceprints/{told['id']}").json()["status"] == "ready"


def test_a_job_that_learned_a_voice_can_be_kept_too(api, media):
    job = hear(lifecycle.submit(media, "voiceprint", VoiceprintOptions()))
    assert keep(api, job, speaker="")["status"] == "ready"


def test_a_voice_is_learned_once_under_a_key(api, upload):
    once = {"Idempotency-Key": "sam"}
    first, again = (upload("voiceprints", name="Sam", headers=once) for _ in range(2))
    assert (first.json(), again.status_code, again["Idempotent-Replayed"]) == (again.json(), 201, "true")
    assert refusal(upload("voiceprints", name="Ann", headers=once)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert Job.objects.count() == 1


def test_a_name_that_is_taken_leaves_nothing_behind(api, alice, spoken, upload, settings):
    keep(api, spoken)
    before = (Media.objects.count(), ledger.available(alice), set(settings.MEDIA_ROOT.rglob("recording")))
    assert refusal(upload("voiceprints", name="Sam")) == (409, "VOICEPRINT_EXISTS")
    assert Job.objects.filter(task="voiceprint").count() == 0
    assert (Media.objects.count(), ledger.available(alice), set(settings.MEDIA_ROOT.rglob("recording"))) == before


@pytest.mark.parametrize("name", ["", "a" * 101, "Sam, Ann", "SPEAKER_00", "speaker_one", "a\nb", "\x00", None])
def test_a_name_that_cannot_be_used_is_refused(api, spoken, name):
    answer = api.send("post", "voiceprints", {"name": name, "job": spoken.number, "speaker": "SPEAKER_00"})
    assert refusal(answer) == (422, "INVALID_OPTION")
    assert answer.json()["details"]["field"] == "name"


def test_what_it_is_from_has_to_be_one_thing(api, spoken, upload):
    assert refusal(api.send("post", "voiceprints", {"name": "Sam"})) == (400, "MISSING_INPUT")
    answer = upload("voiceprints", name="Sam", job=spoken.number, speaker="SPEAKER_00")
    assert refusal(answer) == (400, "CONFLICTING_INPUT")


# --- looking after them


def test_voiceprints_are_listed_page_by_page(api, bobs, spoken):
    for name in ("Sam", "Ann", "Tom"):
        keep(api, spoken, name)
    Voiceprint.objects.filter(name="Ann").update(model=OTHER)
    first = api.get("/api/v1/voiceprints?limit=2").json()
    assert [its["name"] for its in first["items"]] == ["Tom", "Ann"]
    rest = api.get(f"/api/v1/voiceprints?limit=2&cursor={first['next_cursor']}").json()
    assert ([its["name"] for its in rest["items"]], rest["next_cursor"]) == (["Sam"], None)
    comparable = api.get(f"/api/v1/voiceprints?model={MODEL}").json()
    assert [its["name"] for its in comparable["items"]] == ["Tom", "Sam"]
    assert bobs.get("/api/v1/voiceprints").json()["items"] == []
    assert refusal(api.get("/api/v1/voiceprints?cursor=x")) == (422, "INVALID_OPTION")


def test_a_voiceprint_is_renamed(api, spoken):
    told = keep(api, spoken)
    keep(api, spoken, "Ann")
    address = f"voiceprints/{told['id']}"
    assert api.send("patch", address, {"name": "Samuel"}).json() == told | {"name": "Samuel"}
    assert refusal(api.send("patch", address, {"name": "Ann"})) == (409, "VOICEPRINT_EXISTS")
    assert refusal(api.send("patch", address, {"name": "a,b"})) == (422, "INVALID_OPTION")


def test_a_deleted_voiceprint_is_gone_with_the_job_that_learned_it(api, spoken, upload):
    for told in (keep(api, spoken), hear_and_tell(upload)):
        assert api.delete(f"/api/v1/voiceprints/{told['id']}").status_code == 204
        assert refusal(api.get(f"/api/v1/voiceprints/{told['id']}")) == (404, "VOICEPRINT_NOT_FOUND")
    assert list(Job.objects.all()) == [spoken]
    assert not Voiceprint.objects.exists()


def hear_and_tell(upload) -> dict:
    told = upload("voiceprints", name="Ann").json()
    hear(Job.objects.get(task="voiceprint"))
    return dict(told)


def test_voiceprints_go_with_their_account(api, alice, spoken):
    keep(api, spoken)
    housekeeping.tidy()
    assert Voiceprint.objects.count() == 1
    alice.is_active = False
    alice.save()
    housekeeping.tidy()
    assert not Voiceprint.objects.exists()
    voiceprints.learn("Sam", spoken)
    alice.delete()
    assert not Voiceprint.objects.exists()


def test_an_account_has_only_so_many(api, spoken, monkeypatch):
    monkeypatch.setattr("jobs.voiceprints.MOST", 1)
    keep(api, spoken)
    answer = api.send("post", "voiceprints", {"name": "Ann", "job": spoken.number, "speaker": "SPEAKER_00"})
    assert refusal(answer) == (409, "TOO_MANY_VOICEPRINTS")


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_name_is_given_once_however_many_ask_at_once(spoken):
    told: list[str] = []

    def ask() -> None:
        try:
            voiceprints.take("Sam", spoken, "SPEAKER_00", "SPEAKER_{:02d}".format)
            told.append("kept")
        except JobError as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["VOICEPRINT_EXISTS"] * 3 + ["kept"]


# --- known again


def identify(api, media: Media, **fields):
    return api.send("post", "speaker/identify", {"media": str(media.uuid), **fields})


def test_saved_voices_are_named_in_another_recording(api, spoken, media, document):
    sam, ann = keep(api, spoken), keep(api, spoken, "Ann")
    answer = identify(api, media, voices=["Sam", ann["id"].upper(), sam["id"]], max_speakers=3)
    assert answer.status_code == 200, answer.content
    conforms(document, "/api/v1/speaker/identify", "post", answer)
    job = Job.objects.latest("pk")
    texts = {its.name: its.text for its in Voiceprint.objects.all()}
    assert (job.task, job.options["known"], job.options["max_speakers"]) == ("identification", texts, 3)
    assert (job.options["engine"], job.options["threshold"]) == ("embedded", 50)
    assert job.options["exclusive_matching"]


def test_forms_name_voices_with_commas_in_between(api, spoken, upload):
    keep(api, spoken)
    keep(api, spoken, "Ann")
    answer = upload("speaker/identify", voices="Sam, Ann", threshold="70", exclusive_matching="false", engine="auto")
    assert answer.status_code == 200, answer.content
    options = Job.objects.latest("pk").options
    assert (list(options["known"]), options["threshold"]) == (["Sam", "Ann"], 70)
    assert (options["exclusive_matching"], options["engine"]) == (False, "embedded")


def test_a_batch_names_voices_too(api, spoken, media):
    keep(api, spoken)
    item = {"media": str(media.uuid), "job_type": "identification"}
    body = {"items": [item, item | {"voices": ["Tom"]}, item | {"voices": None}], "defaults": {"voices": ["Sam"]}}
    told = api.send("post", "jobs/batch", body).json()["items"]
    assert told[0]["job"]["options"]["threshold"] == 50
    assert [its.get("error", {}).get("code") for its in told] == [None, "VOICEPRINT_NOT_FOUND", "INVALID_OPTION"]
    assert told[2]["error"]["details"]["field"] == "voices"


def test_voices_of_two_models_are_not_compared(api, spoken, media):
    keep(api, spoken)
    keep(api, spoken, "Ann")
    Voiceprint.objects.filter(name="Ann").update(model=OTHER)
    answer = identify(api, media, voices=["Sam", "Ann"])
    assert refusal(answer) == (422, "VOICEPRINTS_DIFFER")
    assert answer.json()["details"] == {"models": {"Sam": MODEL, "Ann": OTHER}}
    assert not Job.objects.filter(task="identification").exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"voices": ["Nobody"]}, (404, "VOICEPRINT_NOT_FOUND")),
        ({"voices": ["8f14e45f-ceea-467f-a9c4-1d3f6f1a0b52"]}, (404, "VOICEPRINT_NOT_FOUND")),
        ({"voices": []}, (422, "INVALID_OPTION")),
        ({"voices": ["a"] * 51}, (422, "INVALID_OPTION")),
        ({"voices": {"Sam": 1}}, (422, "INVALID_OPTION")),
        ({}, (422, "INVALID_OPTION")),
        ({"voices": ["Sam"], "threshold": 101}, (422, "INVALID_OPTION")),
        ({"voices": ["Sam"], "num_speakers": 2, "max_speakers": 3}, (422, "INVALID_OPTION")),
        ({"voices": ["Sam"], "engine": "pyannote"}, (422, "ENGINE_UNAVAILABLE")),
    ],
)
def test_what_cannot_be_compared_is_refused(api, spoken, media, fields, code):
    keep(api, spoken)
    assert refusal(identify(api, media, **fields)) == code


def test_voices_of_others_and_unlearned_ones_are_not_compared(api, bobs, spoken, media, upload):
    keep(api, spoken)
    assert refusal(bobs.send("post", "speaker/identify", {"url": "https://example.org/a.wav", "voices": ["Sam"]})) == (
        404,
        "VOICEPRINT_NOT_FOUND",
    )
    upload("voiceprints", name="Ann")
    assert refusal(identify(api, media, voices=["Ann"])) == (409, "VOICEPRINT_NOT_LEARNED")


def test_a_job_of_any_task_is_canceled_run_again_and_deleted(api, bobs, media):
    known = {"Sam": voiceprint_to_text(Heard(MODEL, (0.6, 0.8)))}
    job = lifecycle.submit(media, "identification", IdentificationOptions(known=known))
    address = f"/api/v1/jobs/{job.number}"
    for wrong in (bobs.post(f"{address}/cancel"), bobs.post(f"{address}/retry")):
        assert refusal(wrong) == (404, "JOB_NOT_FOUND")
    assert bobs.delete(address).status_code == 404
    assert refusal(api.post(f"{address}/retry")) == (409, "JOB_NOT_RETRYABLE")
    assert api.post(f"{address}/cancel").json()["status"] == "CANCELLED"
    assert api.post(f"{address}/retry").json()["status"] == "PENDING"
    assert api.delete(address).status_code == 204
    assert not Job.objects.exists()


def test_jobs_without_voices_have_no_such_option(api, media):
    answer = api.send("post", "jobs/batch", {"items": [{"media": str(media.uuid), "voices": ["Sam"]}]})
    assert answer.json()["items"][0]["error"]["code"] == "INVALID_OPTION"
