"""Many jobs at once: stored recordings, batches, pages of the list, and one ZIP for several."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts import ledger
from jobs import archive, deleting, housekeeping, ingest, lifecycle
from jobs.models import Job, Media
from jobs.options import SpeakerOptions
from tests.api.programs import Program, succeed
from tests.api.test_exports import problem
from tests.api.test_schema import conforms
from tests.racing import race

URL = "https://example.org/talk.wav"
KEY = {"Idempotency-Key": "tuesday"}


def batch(api, *items, headers=None, **fields):
    answer = api.send("post", "jobs/batch", {"items": list(items), **fields}, headers=headers)
    assert answer.status_code == 200, answer.content
    return answer


def test_an_item_with_a_strange_member_is_refused_by_its_name(api):
    told = batch(api, {"url": URL, "speakers": 2}, {"url": URL, "voices": ["", "Sam"]}).json()["items"]
    assert [item["error"]["errors"] for item in told] == [
        [{"pointer": "#/items/0/speakers", "detail": "There is no such option here. Is num_speakers meant?"}],
        [{"pointer": "#/items/1/voices/0", "detail": "This field may not be blank."}],
    ]


# --- stored recordings


def store(api, recording, headers=None):
    return api.post("/api/v1/media", {"file": SimpleUploadedFile("talk.wav", recording.read_bytes())}, headers=headers)


def test_a_recording_is_stored_without_a_job(api, alice, recording):
    answer = store(api, recording)
    media = Media.objects.get()
    assert (answer.status_code, answer.json()["id"], answer.json()["name"]) == (201, str(media.uuid), "talk.wav")
    assert (media.owner, media.seconds, media.jobs.count()) == (alice, pytest.approx(3.0), 0)
    assert ledger.available(alice) == 1_000_000


def test_a_recording_that_is_sent_again_is_stored_once(api, recording):
    first, again = store(api, recording, KEY), store(api, recording, KEY)
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, first.json(), "true")
    assert Media.objects.count() == 1


def test_what_is_no_recording_is_not_stored(api):
    answer = api.post("/api/v1/media", {"file": SimpleUploadedFile("notes.txt", b"Nobody speaks here.\n" * 50)})
    assert problem(answer)["code"] == "INVALID_AUDIO_FORMAT"
    assert problem(api.send("post", "media", {"file": "talk.wav"}))["code"] == "MISSING_INPUT"
    assert not Media.objects.exists()


def test_recordings_without_a_job_may_not_fill_the_disk(api, recording, media, monkeypatch, settings):
    settings.MAX_UPLOAD_BYTES = settings.MAX_RESUMABLE_BYTES = 100_000
    monkeypatch.setattr(ingest, "MOST_UNUSED_UPLOADS", 1)
    told = problem(store(api, recording))
    assert (told["status"], told["code"]) == (413, "UPLOADS_FULL")
    batch(api, {"media": str(media.uuid)})
    assert store(api, recording).status_code == 201


def test_a_recording_that_no_job_uses_can_be_removed(api, bobs, media):
    address = f"media/{media.uuid}"
    assert problem(bobs.send("delete", address))["code"] == "MEDIA_NOT_FOUND"
    batch(api, {"media": str(media.uuid)})
    assert problem(api.send("delete", address))["code"] == "MEDIA_IN_USE"
    lifecycle_media = Media.objects.get()
    Job.objects.all().delete()
    assert api.send("delete", address).status_code == 204
    assert not default_storage.exists(lifecycle_media.file)
    assert problem(api.send("delete", address))["code"] == "MEDIA_NOT_FOUND"


def test_a_recording_without_a_job_is_kept_for_a_day(api, media):
    media.created_at = timezone.now() - ingest.UNUSED_LIFE - timedelta(minutes=1)
    media.save()
    told = batch(api, {"media": str(media.uuid)}).json()
    assert told["items"][0]["error"]["code"] == "MEDIA_NOT_FOUND"
    housekeeping.delete_unused_media()
    assert Media.objects.exists()  # for who took it up in the last moment
    media.created_at -= timedelta(hours=1)
    media.save()
    housekeeping.delete_unused_media()
    assert not Media.objects.exists()


# --- batches


def test_each_item_becomes_a_job_with_its_own_options_and_hold(api, alice, media):
    told = batch(
        api,
        {"media": str(media.uuid), "num_speakers": 2},
        {"url": URL, "job_type": "diarization", "webhook_url": "https://example.org/hook"},
        {"media": str(media.uuid), "overlap": "mute", "num_speakers": None},
        defaults={"num_speakers": 3, "compact": True},
    ).json()
    assert (told["accepted"], told["refused"]) == (3, 0)
    jobs = [Job.objects.get(pk=result["job"]["id"]) for result in told["items"]]
    assert [result["index"] for result in told["items"]] == [0, 1, 2]
    assert [job.options["num_speakers"] for job in jobs] == [2, 3, None]
    assert [(job.task, job.options["compact"], job.options["overlap"]) for job in jobs] == [
        ("extraction", True, "separate"),
        ("diarization", True, "separate"),
        ("extraction", True, "mute"),
    ]
    assert (jobs[1].source_url, jobs[1].webhook_url) == (URL, "https://example.org/hook")
    assert ledger.available(alice) == ledger.recount(alice)[0] == 1_000_000 - 2 * 17


def test_what_is_wrong_with_one_item_refuses_no_other(api, bob, media):
    foreign = Media.objects.get()
    foreign.pk, foreign.uuid, foreign.owner = None, uuid4(), bob
    foreign.save()
    told = batch(
        api,
        {"url": URL},
        {"url": "http://127.0.0.1/a.wav"},
        {"media": str(uuid4())},
        {"media": str(foreign.uuid)},
        {"url": URL, "num_speakers": 99},
        {"url": URL, "media": str(media.uuid)},
        {},
        "talk.wav",
        None,
        {"media": "x"},
        {"url": URL, "num_speakers": 2, "min_speakers": 1},
        {"url": URL, "engine": "pyannote"},
    ).json()
    codes = [result["error"]["code"] if "error" in result else "" for result in told["items"]]
    assert codes == [
        "",
        "URL_NOT_ALLOWED",
        "MEDIA_NOT_FOUND",
        "MEDIA_NOT_FOUND",
        "INVALID_OPTION",
        "CONFLICTING_INPUT",
        "MISSING_INPUT",
        "INVALID_INPUT",
        "INVALID_INPUT",
        "INVALID_OPTION",
        "INVALID_OPTION",
        "ENGINE_UNAVAILABLE",
    ]
    assert (told["accepted"], told["refused"], Job.objects.count()) == (1, 11, 1)
    assert told["items"][4]["error"]["errors"][0]["pointer"] == "#/items/4/num_speakers"
    assert told["items"][10]["error"]["errors"][0]["pointer"] == "#/items/10/num_speakers"


def test_items_are_paid_one_by_one_as_far_as_the_credits_go(api, alice, charlie, media):
    ledger.adjust(alice, -1_000_000 + 40, reason="Spent", actor=charlie)
    told = batch(api, *[{"media": str(media.uuid)}] * 3).json()
    assert (told["accepted"], told["refused"]) == (2, 1)
    assert told["items"][2]["error"]["status"] == 402
    assert ledger.available(alice) == 6
    assert Job.objects.count() == 2


def test_a_batch_that_is_sent_again_does_nothing_twice(api, alice, media):
    items = [{"media": str(media.uuid)}, {"url": "ftp://example.org"}]
    first, again = batch(api, *items, headers=KEY), batch(api, *items, headers=KEY)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1
    assert ledger.available(alice) == 1_000_000 - 17
    other = api.send("post", "jobs/batch", {"items": items[:1]}, headers=KEY)
    assert problem(other)["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_failure_of_the_server_undoes_the_whole_batch(api, alice, media, monkeypatch):
    monkeypatch.setattr("accounts.idempotency.Reservation.complete", None)
    answer = api.send("post", "jobs/batch", {"items": [{"media": str(media.uuid)}] * 3})
    assert problem(answer)["code"] == "INTERNAL_ERROR"
    assert not Job.objects.exists()
    assert ledger.available(alice) == 1_000_000


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [{"url": URL}] * 101},
        {"items": "x"},
        {"items": [{}], "defaults": []},
        [],
        "x",
        None,
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(api, body):
    answer = api.send("post", "jobs/batch", body, content_type="application/json")
    assert problem(answer)["status"] in (400, 422)
    assert not Job.objects.exists()


@pytest.mark.race
@pytest.mark.money
@pytest.mark.django_db(transaction=True)
def test_parallel_repetitions_of_a_batch_make_its_jobs_once(alice, key_of, media):
    secret = key_of(alice)
    body = {"items": [{"media": str(media.uuid)}] * 3}
    answers = race([partial(Program(secret).send, "post", "jobs/batch", body, headers=KEY)] * 8)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert Job.objects.count() == 3
    assert ledger.available(alice) == ledger.recount(alice)[0] == 1_000_000 - 3 * 17


# --- pages


@pytest.fixture
def seven(media) -> list[int]:
    return [lifecycle.submit(media, "extraction", SpeakerOptions()).number for _ in range(7)]


def page(api, **query):
    answer = api.get("/api/v1/jobs", query)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    return [item["id"] for item in body["items"]], body["next_cursor"]


def test_pages_go_on_whatever_comes_and_is_run_again_meanwhile(api, media, seven):
    first, cursor = page(api, limit=3)
    lifecycle.submit(media, "extraction", SpeakerOptions())
    lifecycle.retry(lifecycle.cancel(Job.objects.get(pk=seven[1])))
    second, cursor = page(api, limit=3, cursor=cursor)
    deleting.delete(Job.objects.get(pk=seven[6]))
    third, end = page(api, limit=3, cursor=cursor)
    assert first + second + third == list(reversed(seven))
    assert end is None


def test_a_full_last_page_is_the_last(api, seven):
    assert page(api, limit=7) == (list(reversed(seven)), None)


def test_the_list_can_be_filtered(api, media, seven, recording):
    media.name = "Board meeting.wav"
    media.save()
    diarized = lifecycle.submit(media, "diarization", SpeakerOptions(engine="embedded"))
    assert page(api, name="BOARD") == ([diarized.number], None)
    assert page(api, job_type="diarization", status="pending") == ([diarized.number], None)
    assert page(api, engine="embedded") == ([diarized.number], None)
    assert page(api, engine="auto")[0] == list(reversed(seven))
    done = succeed(Job.objects.get(pk=seven[0]), recording)
    assert page(api, engine="embedded")[0] == [diarized.number, done.number]
    assert page(api, status="COMPLETED", name="") == ([done.number], None)
    Job.objects.filter(pk=seven[2]).update(created_at="2026-01-02T03:04:05Z")
    assert page(api, created_before="2026-01-02T03:04:06Z") == ([seven[2]], None)
    assert page(api, created_before="2026-01-02T03:04:05Z") == ([], None)
    assert seven[2] not in page(api, created_after="2026-01-02T03:04:06Z")[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("cursor", "x"), ("cursor", "YmVmb3JlOng"), ("cursor", "é"), ("limit", "0"), ("limit", "101"), ("status", "DONE"),
     ("job_type", "lyrics"), ("created_after", "yesterday"), ("name", "a" * 256), ("state", "FAILED")],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_pointed_at(api, field, value):
    told = problem(api.get("/api/v1/jobs", {field: value}))
    assert (told["status"], told["errors"][0]["pointer"]) == (422, f"#/{field}")


def test_the_list_is_ones_own_and_takes_a_handful_of_queries(api, bobs, seven, django_assert_max_num_queries):
    assert page(bobs) == ([], None)
    page(api)
    with django_assert_max_num_queries(5):
        page(api)


# --- one ZIP


def unzipped(answer) -> zipfile.ZipFile:
    content = answer.getvalue()
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def test_the_files_of_several_jobs_come_in_one_zip(api, finished, diarized, recording):
    answer = api.send("get", f"jobs/archive?ids={finished.number},{diarized.number},{finished.number}")
    assert answer["Content-Disposition"] == 'attachment; filename="recordings.zip"'
    archive = unzipped(answer)
    assert archive.namelist() == [
        f"{finished.number} tones/speaker_0.wav",
        f"{finished.number} tones/speaker_1.wav",
        f"{finished.number} tones/extraction.rttm",
        f"{diarized.number} tones/diarization.rttm",
    ]
    assert archive.read(f"{finished.number} tones/speaker_1.wav") == recording.read_bytes()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("..", "7"),
        ("a/../b.wav", "7 b"),
        ('x:*?"<>|\\.wav', "7 x________"),
        ("é" * 300, "7 " + "é" * 100),
        ("a. .", "7 a"),
    ],
)
def test_a_folder_is_called_harmlessly(name, folder):
    assert archive.folder(Job(pk=7, name=name)) == folder


def test_a_zip_is_of_ones_own_jobs_with_files(api, bobs, finished, media):
    waiting = lifecycle.submit(media, "extraction", SpeakerOptions())
    foreign = problem(bobs.send("get", f"jobs/archive?ids={finished.number}"))
    assert (foreign["code"], foreign["details"]) == ("JOB_NOT_FOUND", {"ids": [finished.number]})
    empty = problem(api.send("get", f"jobs/archive?ids={finished.number},{waiting.number}"))
    assert (empty["code"], empty["details"]) == ("JOB_HAS_NO_FILES", {"ids": [waiting.number]})
    for ids in ("", "a", "1,,2", "-1", ",".join(map(str, range(101))), "9" * 30):
        assert problem(api.get("/api/v1/jobs/archive", {"ids": ids}))["status"] == 422


def test_a_zip_may_grow_beyond_what_32_bits_can_tell(finished, monkeypatch):
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 1 << 12)  # instead of 2 GiB
    monkeypatch.setattr(archive, "_chunks", lambda _track: iter([bytes(1 << 20)] * 3))
    tracks = list(finished.tracks.all())
    whole = b"".join(archive.zipped([(track.name, finished, track) for track in tracks]))
    assert b"PK\x06\x06" in whole  # the directory's end for 64 bits
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        assert [info.file_size for info in found.infolist()] == [3 << 20] * 3


def test_answers_are_as_described(api, nobody, finished, media, recording):
    document = nobody.get("/api/v1/schema").json()
    stored = store(api, recording)
    conforms(document, "/api/v1/media", "post", stored)
    told = batch(api, {"media": stored.json()["id"]}, {"url": "x"}, {"url": URL, "num_speakers": 0})
    conforms(document, "/api/v1/jobs/batch", "post", told)
    conforms(document, "/api/v1/jobs/batch", "post", api.send("post", "jobs/batch", {"items": []}))
    conforms(document, "/api/v1/jobs", "get", api.send("get", "jobs?limit=1"))
    conforms(document, "/api/v1/jobs", "get", api.send("get", "jobs?limit=0"))
    conforms(document, "/api/v1/jobs/archive", "get", api.send("get", "jobs/archive?ids=99999"))
    conforms(document, "/api/v1/media/{media}", "delete", api.send("delete", f"media/{uuid4()}"))


def test_an_archive_of_too_long_an_address_is_refused_as_described(api):
    answer = api.get("/api/v1/jobs/archive", {"ids": "é" * 2000})
    assert (answer.status_code, problem(answer)["code"]) == (414, "ADDRESS_TOO_LONG")
    conforms(api.get("/api/v1/schema").json(), "/api/v1/jobs/archive", "get", answer)
