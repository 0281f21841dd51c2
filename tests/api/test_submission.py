"""Asking for work: every way a file or a URL and the options may be sent, and what is refused."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import ledger
from jobs.models import Job, Media
from jobs.options import SpeakerOptions

URL = "https://example.org/talk.wav"
FORM = "application/x-www-form-urlencoded"


def sent(answer) -> Job:
    assert answer.status_code == 200, answer.content
    return Job.objects.get(pk=answer.json()["id"])


def asked(answer) -> SpeakerOptions:
    return SpeakerOptions(**sent(answer).options)


# --- what is accepted


def test_an_upload_becomes_a_job_and_holds_its_price(api, alice, upload, recording, settings):
    answer = upload()
    job = sent(answer)
    assert answer.json()["status"] == "PENDING"
    assert (job.task, job.name, job.owner) == ("extraction", "tones.wav", alice)
    assert job.media.seconds == pytest.approx(3.0)
    assert job.media.bytes == recording.stat().st_size
    assert ledger.available(alice) == 1_000_000 - 17
    assert list(settings.SCRATCH_DIR.iterdir()) == []


def test_a_diarization_is_asked_for_alike(upload):
    assert sent(upload("speaker/diarize")).task == "diarization"


@pytest.mark.parametrize("path", ["speaker/extract", "speaker/diarize"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_url_comes_in_any_kind_of_body(api, path, content_type):
    fields = {"url": URL, "num_speakers": 3}
    if content_type == "multipart/form-data":
        answer = api.post(f"/api/v1/{path}", fields)
    elif content_type == "application/json":
        answer = api.send("post", path, fields)
    else:
        answer = api.post(f"/api/v1/{path}", f"url={URL}&num_speakers=3", content_type=FORM)
    job = sent(answer)
    assert (job.source_url, job.name, job.options["num_speakers"]) == (URL, "talk.wav", 3)
    assert answer.json()["status"] == "PENDING"
    assert answer.json()["duration"] is answer.json()["credits_required"] is None


def test_a_url_comes_in_the_query(api):
    assert sent(api.post(f"/api/v1/speaker/extract?url={URL}")).source_url == URL


def test_options_come_in_query_form_or_json(api, upload):
    assert asked(upload("speaker/diarize?num_speakers=4")) == SpeakerOptions(num_speakers=4)
    form = asked(upload(min_speakers="2", max_speakers="4", overlap="mute", compact="true", engine="embedded"))
    wanted = {"min_speakers": 2, "max_speakers": 4, "overlap": "mute", "compact": True, "engine": "embedded"}
    assert form == SpeakerOptions(**wanted)
    told = asked(upload("speaker/diarize", voiceprints="true", voice_attributes="true"))
    assert told == SpeakerOptions(voiceprints=True, voice_attributes=True)
    assert asked(api.send("post", "speaker/extract", wanted | {"url": URL})) == SpeakerOptions(**wanted)


def test_blank_and_null_options_are_no_options(api, upload):
    blank = {"num_speakers": "", "min_speakers": "", "overlap": "", "compact": "", "url": ""}
    assert asked(upload(**blank)) == SpeakerOptions()
    nulls = dict.fromkeys(["num_speakers", "min_speakers", "max_speakers", "file"], None)
    assert asked(api.send("post", "speaker/diarize", nulls | {"url": URL})) == SpeakerOptions()


# --- what is not


def refusal(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error_code", "message", "details"}
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    return answer.status_code, body["error_code"]


def test_fields_that_mean_nothing_are_named_with_what_may_have_been_meant(upload):
    answer = upload(language="en", webhook="https://example.org")
    assert refusal(answer) == (422, "INVALID_OPTION")
    assert answer.json()["details"]["errors"] == {
        "language": "There is no such option here.",
        "webhook": "There is no such option here. Is webhook_url meant?",
    }


def test_a_recording_in_another_field_is_told_where_it_goes(api, recording):
    with recording.open("rb") as audio:
        answer = api.post("/api/v1/speaker/extract", {"audio": audio})
    assert refusal(answer) == (400, "MISSING_INPUT")
    assert answer.json()["message"] == "Send the recording in the field file, not in audio."


def test_what_is_wrong_with_a_recording_is_told_unless_its_type_says_it(api):
    told = {}
    for name in ("talk.wav", "talk.txt"):
        answer = api.post("/api/v1/speaker/extract", {"file": SimpleUploadedFile(name, b"")})
        told[name] = answer.json()["message"]
    assert told == {"talk.wav": "The file is empty.", "talk.txt": "Invalid file type. Must be audio or video file."}


def test_choices_are_told(upload):
    told = upload(overlap="average").json()["message"]
    assert told == 'overlap: "average" is not a valid choice. There are separate, keep, mute.'


def test_neither_file_nor_url_is_refused(api):
    assert refusal(api.post("/api/v1/speaker/extract")) == (400, "MISSING_INPUT")
    assert refusal(api.send("post", "speaker/diarize", {"num_speakers": 2})) == (400, "MISSING_INPUT")
    assert refusal(api.post("/api/v1/speaker/extract", {"url": ""})) == (400, "MISSING_INPUT")


def test_both_file_and_url_are_refused(upload):
    assert refusal(upload(url=URL)) == (400, "CONFLICTING_INPUT")
    assert refusal(upload(f"speaker/extract?url={URL}")) == (400, "CONFLICTING_INPUT")


def test_two_files_are_refused(api, recording):
    with recording.open("rb") as one, recording.open("rb") as two:
        answer = api.post("/api/v1/speaker/extract", {"file": [one, two]})
    assert refusal(answer) == (400, "INVALID_INPUT")


def test_a_file_that_is_sent_as_text_is_refused(api):
    assert refusal(api.send("post", "speaker/extract", {"file": "talk.wav"})) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_speakers", "0"),
        ("num_speakers", "-1"),
        ("num_speakers", "21"),
        ("num_speakers", "1e9"),
        ("num_speakers", "9" * 5000),
        ("num_speakers", "two"),
        ("num_speakers", "2.5"),
        ("min_speakers", "99999999999999999999"),
        ("max_speakers", "-3"),
        ("overlap", "average"),
        ("compact", "perhaps"),
        ("engine", "steam"),
    ],
)
def test_a_useless_option_is_named(api, field, value):
    answer = api.post("/api/v1/speaker/extract", {"url": URL, field: value})
    assert refusal(answer) == (422, "INVALID_OPTION")
    assert answer.json()["details"]["field"] == field
    assert field in answer.json()["message"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"num_speakers": 2, "max_speakers": 3}, "num_speakers"),
        ({"min_speakers": 4, "max_speakers": 3}, "min_speakers"),
        ({"num_speakers": [2]}, "num_speakers"),
        ({"num_speakers": True}, "num_speakers"),
        ({"url": {"a": 1}}, "url"),
        ({"url": "https://example.org/" + "a" * 2000}, "url"),
        ({"url": "https://example.org/\x00"}, "url"),
    ],
)
def test_options_that_contradict_or_have_the_wrong_kind_are_named(api, fields, field):
    answer = api.send("post", "speaker/extract", {"url": URL} | fields)
    assert refusal(answer) == (422, "INVALID_OPTION")
    assert answer.json()["details"]["field"] == field


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/a.wav", "INVALID_URL"),
        ("file:///etc/passwd", "INVALID_URL"),
        ("talk.wav", "INVALID_URL"),
        ("http://127.0.0.1/a.wav", "URL_NOT_ALLOWED"),
        ("http://[::ffff:10.0.0.1]/a.wav", "URL_NOT_ALLOWED"),
        ("http://169.254.169.254/latest", "URL_NOT_ALLOWED"),
        ("https://www.youtube.com/watch?v=example123", "URL_NEEDS_EXTRACTOR"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_refused_at_once(api, url, code):
    assert refusal(api.post("/api/v1/speaker/extract", {"url": url})) == (400, code)


def test_a_file_that_is_no_recording_gets_the_contracts_error(api, settings):
    text = SimpleUploadedFile("notes.txt", b"Nobody speaks here.\n" * 50, "text/plain")
    answer = api.post("/api/v1/speaker/extract", {"file": text})
    assert refusal(answer) == (400, "INVALID_AUDIO_FORMAT")
    body = answer.json()
    assert body["message"] == "Invalid file type. Must be audio or video file."
    assert (body["details"]["content_type"], body["details"]["extension"]) == ("text/plain", ".txt")
    assert {"audio/wav", "video/mp4"} <= set(body["details"]["supported_formats"])
    assert {".wav", ".mp3", ".mov"} <= set(body["details"]["supported_extensions"])
    assert list(settings.SCRATCH_DIR.iterdir()) == []


def test_an_empty_file_gets_the_contracts_error(api):
    answer = api.post("/api/v1/speaker/extract", {"file": SimpleUploadedFile("talk.wav", b"")})
    assert refusal(answer) == (400, "INVALID_AUDIO_FORMAT")


def test_a_recording_that_is_too_long_is_refused(upload, settings):
    settings.MAX_AUDIO_SECONDS = 2
    assert refusal(upload()) == (413, "AUDIO_TOO_LONG")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(upload, settings, monkeypatch):
    settings.MAX_UPLOAD_BYTES = 10_000
    monkeypatch.setattr("jobs.api.gate.FORM_OVERHEAD", 1_000)
    monkeypatch.setattr("jobs.api.requests.WholeMultiPartParser.parse", None)
    answer = upload()
    assert refusal(answer) == (413, "FILE_TOO_LARGE")
    assert answer.json()["details"] == {"limit_bytes": 10_000}


def test_a_file_a_little_too_large_is_refused(upload, settings):
    settings.MAX_UPLOAD_BYTES = 96_000
    assert refusal(upload()) == (413, "FILE_TOO_LARGE")


def test_too_few_credits_leave_nothing_behind(alice, charlie, upload, settings):
    ledger.adjust(alice, -999_990, reason="Spent", actor=charlie)
    before = set(settings.MEDIA_ROOT.rglob("recording"))
    answer = upload()
    assert answer.status_code == 402
    assert answer.json() == {"detail": "Insufficient credits for processing. Required: 17, Available: 10"}
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert set(settings.MEDIA_ROOT.rglob("recording")) == before
    assert ledger.available(alice) == 10


def test_a_full_disk_is_told_as_such(upload, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("jobs.files.store_media", full)
        assert refusal(upload()) == (507, "DISK_FULL")
    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryFileUploadHandler.receive_data_chunk", full)
    assert refusal(upload()) == (507, "DISK_FULL")


def test_a_users_name_for_a_file_is_only_shown(api, recording):
    name = 'a"b\r\n<i>.wav'
    upload = SimpleUploadedFile("x.wav", recording.read_bytes())
    upload.name = name
    job = sent(api.post("/api/v1/speaker/extract", {"file": upload}))
    assert "\n" not in job.name
    assert job.media.file.startswith("media/")
    assert "a" not in job.media.file.rpartition("/")[2].replace("recording", "")
    assert json.loads(api.send("get", f"jobs/{job.number}").content)["filename"] == job.name


def test_who_splits_overlaps_can_be_named_and_is_refused_where_it_cannot(upload):
    assert sent(upload(separator="exemplars")).options["separator"] == "exemplars"
    refused = upload(separator="pixit")
    assert (refused.status_code, refused.json()["error_code"]) == (422, "ENGINE_UNAVAILABLE")
    assert refused.json()["details"]["field"] == "separator"
    assert "pip install" in refused.json()["message"] or "models fetch pixit" in refused.json()["message"]
    unknown = upload(separator="embedded").json()
    assert unknown["details"] == {"field": "separator", "rule": "must be one of auto, pixit, exemplars"}


def test_who_lowers_the_background_can_be_named_and_is_refused_where_it_cannot(upload, monkeypatch, tmp_path):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    assert sent(upload(clean_background="true", cleaner="pauses")).options["cleaner"] == "pauses"
    refused = upload(clean_background="true", cleaner="htdemucs-vocals").json()
    assert (refused["error_code"], refused["details"]["field"]) == ("ENGINE_UNAVAILABLE", "cleaner")
    assert "models fetch htdemucs" in refused["message"]
    unknown = upload(clean_background="true", cleaner="htdemucs").json()
    assert unknown["details"] == {"field": "cleaner", "rule": "must be one of auto, htdemucs-vocals, pauses"}


def test_an_engine_that_cannot_run_here_is_refused_with_what_it_lacks(alice, upload, recording):
    refused = upload(engine="pyannote")
    body = refused.json()
    assert (refused.status_code, body["error_code"]) == (422, "ENGINE_UNAVAILABLE")
    assert "manage.py models fetch pyannote" in body["message"]
    assert (body["details"]["field"], body["details"]["engine"]) == ("engine", "pyannote")
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert ledger.available(alice) == 1_000_000
