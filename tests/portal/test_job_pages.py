from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from accounts import ledger
from accounts.models import CreditBalance, User
from audio_engine.exports import FORMATS
from audio_engine.voices import VoiceAttributes
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job, Media, Track
from jobs.options import SpeakerOptions

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from audio_engine.types import Task

JSON = {"Accept": "application/json"}
pytestmark = pytest.mark.django_db


def send(client: Client, recording: Path, **fields: object) -> object:
    with recording.open("rb") as file:
        return client.post("/jobs/submit", {"file": file, **fields}, headers=JSON)


# --- the start


def test_the_start_shows_a_job_of_our_own_engine_to_strangers(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "Speaker 1" in page
    assert "Speaker 2" in page
    timeline = client.get("/demonstration/timeline.json").json()
    assert timeline["seconds"] == pytest.approx(30)
    assert {turn[2] for turn in timeline["turns"]} == {0, 1}


def test_the_demonstration_can_be_heard_from_any_second(client: Client, sample: Path) -> None:
    answer = client.get("/demonstration/recording", headers={"Range": "bytes=44-99"})
    assert (answer.status_code, answer.content) == (206, sample.read_bytes()[44:100])


def test_the_start_leads_people_with_an_account_to_their_recordings(alices: Client) -> None:
    assert alices.get("/")["Location"] == "/jobs"


# --- sending a recording


def test_a_recording_becomes_a_job_with_its_options_and_a_hold(alices: Client, alice: User, recording: Path) -> None:
    answer = send(alices, recording, num_speakers=3, overlap="mute", compact="on", task="extraction")
    assert answer.status_code == 201
    job = Job.objects.get()
    assert f'data-job="{job.uuid}"' in answer.content.decode()
    assert (job.owner, job.status, job.name) == (alice, Job.Status.QUEUED, "tones.wav")
    assert SpeakerOptions(**job.options) == SpeakerOptions(num_speakers=3, overlap="mute", compact=True)
    assert CreditBalance.objects.get(user=alice).held == job.credits == 17  # 3 s at 5.5, rounded up


def test_engines_are_offered_where_there_are_several(
    alices: Client, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio_engine.models import MODELS

    assert 'name="engine"' not in alices.get("/jobs").content.decode()
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    model = MODELS["speaker-diarization-community-1"]
    for file in model.files:
        (tmp_path / model.name / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / model.name / file).touch()
    page = alices.get("/jobs").content.decode()
    assert '<option value="pyannote">' in page
    assert '<option value="pyannote-3.1">' not in page
    assert send(alices, recording, engine="pyannote").status_code == 201
    assert Job.objects.get().options["engine"] == "pyannote"


def test_an_engine_that_cannot_run_here_is_refused_with_what_it_lacks(alices: Client, recording: Path) -> None:
    answer = send(alices, recording, engine="pyannote-3.1")
    assert answer.status_code == 422
    assert "manage.py models fetch pyannote-3.1" in answer.json()["message"]
    assert not Job.objects.exists()


def test_without_javascript_the_form_leads_to_the_jobs_page(alices: Client, recording: Path) -> None:
    with recording.open("rb") as file:
        answer = alices.post("/jobs/submit", {"file": file})
    assert answer["Location"] == f"/jobs/{Job.objects.get().uuid}"


@pytest.mark.money
def test_a_form_that_is_sent_twice_makes_one_job_and_one_hold(alices: Client, alice: User, recording: Path) -> None:
    page = alices.get("/jobs").content.decode()
    token = re.search(r'name="token" value="([^"]+)"', page)[1]  # type: ignore[index]

    def submit(path: Path, **options: object) -> str:
        with path.open("rb") as file:
            return alices.post("/jobs/submit", {"file": file, "token": token, **options})["Location"]

    first, again, other = submit(recording), submit(recording), submit(recording, task="diarization")
    assert first == again != other
    assert (Job.objects.count(), Media.objects.count()) == (2, 2)
    assert alice.credit_entries.filter(kind="hold").count() == 2
    links = [alices.post("/jobs/submit", {"url": "https://example.org/a.mp3", "token": token}) for _ in range(2)]
    assert len({link["Location"] for link in links}) == 1


def test_a_link_becomes_a_job_that_is_fetched_later(alices: Client) -> None:
    answer = alices.post("/jobs/submit", {"url": "https://example.org/talk%20one.mp3"}, headers=JSON)
    assert answer.status_code == 201
    job = Job.objects.get()
    assert (job.status, job.name, job.credits) == (Job.Status.PENDING, "talk one.mp3", None)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "MISSING_INPUT"),
        ({"url": "ftp://example.org/a.mp3"}, 400, "INVALID_URL"),
        ({"url": "http://127.0.0.1/a.mp3"}, 400, "URL_NOT_ALLOWED"),
        ({"url": "https://example.org/a.mp3", "num_speakers": "0"}, 422, "INVALID_OPTION"),
        ({"url": "https://example.org/a.mp3", "min_speakers": "5", "max_speakers": "2"}, 422, "INVALID_OPTION"),
        ({"url": "https://example.org/a.mp3", "overlap": "shred"}, 422, "INVALID_OPTION"),
        ({"url": "https://example.org/a.mp3", "task": "alchemy"}, 422, "INVALID_OPTION"),
    ],
)
def test_a_wrong_request_is_refused_in_words_and_costs_nothing(
    alices: Client, alice: User, fields: dict[str, str], status: int, code: str
) -> None:
    before = ledger.available(alice)
    answer = alices.post("/jobs/submit", fields, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Nothing was charged." in answer.json()["message"]
    assert not Job.objects.exists()
    assert ledger.available(alice) == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"num_speakers": "99"}, "Give 1 to 20 speakers."),
        ({"min_speakers": "5", "max_speakers": "2"}, "“At least” must not be above “At most”."),
    ],
)
def test_a_wrong_number_of_speakers_is_told_in_the_words_of_the_page(
    alices: Client, recording: Path, fields: dict[str, str], words: str
) -> None:
    assert send(alices, recording, **fields).json()["message"].startswith(words)


def test_without_javascript_what_can_be_chosen_has_its_price(alices: Client) -> None:
    page = alices.get("/jobs").content.decode()
    assert "Credits for each second: Speaker tracks 5.5, Who spoke when 5.5," in page
    assert "dentification" not in page


def test_a_file_and_a_link_at_once_are_refused(alices: Client, recording: Path) -> None:
    assert send(alices, recording, url="https://example.org/a.mp3").json()["code"] == "CONFLICTING_INPUT"


def test_a_file_that_is_no_recording_leaves_nothing_behind(alices: Client, tmp_path: Path) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("not a recording at all")
    answer = send(alices, text)
    assert answer.status_code == 400
    assert "Choose an audio or video file" in answer.json()["message"]
    assert not Media.objects.exists()


def test_a_file_above_the_limit_is_refused(alices: Client, recording: Path, settings: SettingsWrapper) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    assert send(alices, recording).json()["code"] == "FILE_TOO_LARGE"


def test_too_few_credits_are_told_and_the_recording_is_not_kept(alices: Client, alice: User, recording: Path) -> None:
    ledger.adjust(alice, -(ledger.available(alice) - 5), reason="test", actor=alice)
    answer = send(alices, recording)
    assert answer.status_code == 402
    assert "This costs 17 credits; you have 5." in answer.json()["message"]
    assert not Media.objects.exists()


def test_refusals_are_shown_on_the_page_without_javascript(alices: Client) -> None:
    page = alices.post("/jobs/submit", {}, follow=True).content.decode()
    assert "Choose a file or paste a link." in page


def test_the_price_is_told_before_anything_is_sent(alices: Client, alice: User) -> None:
    told = alices.get("/jobs/price?task=extraction&seconds=30&seconds=0.1").json()
    assert told == {"credits": [165, 1], "available": ledger.available(alice)}


@pytest.mark.parametrize("query", ["seconds=soon", "task=alchemy&seconds=1", "seconds=nan", "seconds=inf"])
def test_a_price_of_nonsense_is_refused(alices: Client, query: str) -> None:
    assert alices.get(f"/jobs/price?{query}").status_code == 400


# --- the list


def test_the_list_shows_ones_own_jobs_with_speakers_and_state(alices: Client, bobs: Client, finished: Job) -> None:
    page = alices.get("/jobs").content.decode()
    assert "tones.wav" in page
    assert 'class="dot c2"' in page
    assert "Done" in page
    assert "tones.wav" not in bobs.get("/jobs").content.decode()


def test_the_list_is_searched_and_filtered(alices: Client, finished: Job) -> None:
    def shown(query: str) -> bool:
        return str(finished.uuid) in alices.get(f"/jobs?{query}").content.decode()

    assert shown("q=TONES&state=succeeded")
    assert not shown("q=trombones")
    assert not shown("state=active")


def test_a_long_list_comes_in_pages(alices: Client, media: Media) -> None:
    jobs = [lifecycle.submit(media, "extraction", SpeakerOptions()) for _ in range(26)]
    assert str(jobs[0].uuid) not in alices.get("/jobs").content.decode()
    assert str(jobs[0].uuid) in alices.get("/jobs?page=2").content.decode()


def test_a_retried_job_is_listed_once_in_its_newest_run(alices: Client, running: Job) -> None:
    failed = lifecycle.fail(running, JobError("PROCESSING_FAILED"))
    answer = alices.post(f"/jobs/{failed.uuid}/retry")
    again = Job.objects.get(retry_of=failed)
    assert answer["Location"] == f"/jobs/{again.uuid}"
    page = alices.get("/jobs").content.decode()
    assert str(again.uuid) in page
    assert str(failed.uuid) not in page
    assert "Go to the newer run" in alices.get(f"/jobs/{failed.uuid}").content.decode()


# --- one job


@pytest.mark.parametrize("path", ["", "/row", "/timeline.json", "/recording", "/all.zip", "/delete"])
def test_another_users_job_is_not_found(bobs: Client, finished: Job, path: str) -> None:
    assert bobs.get(f"/jobs/{finished.uuid}{path}").status_code == 404


@pytest.mark.parametrize("verb", ["cancel", "retry", "delete"])
def test_another_users_job_cannot_be_touched(bobs: Client, queued: Job, verb: str) -> None:
    assert bobs.post(f"/jobs/{queued.uuid}/{verb}").status_code == 404
    queued.refresh_from_db()
    assert queued.status == Job.Status.QUEUED


def test_another_users_files_are_not_found(bobs: Client, finished: Job) -> None:
    for track in finished.tracks.all():
        assert bobs.get(f"/jobs/{finished.uuid}/files/{track.pk}").status_code == 404
    assert bobs.get(f"/jobs/{finished.uuid}/export/srt").status_code == 404


@pytest.mark.parametrize("name", FORMATS)
def test_who_spoke_when_is_offered_in_each_format(alices: Client, finished: Job, name: str) -> None:
    address = f"/jobs/{finished.uuid}/export/{name}"
    assert f'<a href="{address}" download>' in alices.get(f"/jobs/{finished.uuid}").content.decode()
    answer = alices.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, FORMATS[name].content_type)
    assert "Speaker_1" in answer.content.decode().replace(" ", "_")


def test_less_noise_is_asked_for_without_the_options_of_speakers(alices: Client, recording: Path) -> None:
    answer = send(alices, recording, task="denoising", quality="ultra", overlap="mute", num_speakers=3)
    assert answer.status_code == 201, answer.content
    job = Job.objects.get()
    assert (job.task, job.options["quality"], job.credits) == ("denoising", "ultra", 4)
    assert "num_speakers" not in job.options


def test_there_is_nothing_to_export_of_strangers_and_unfinished_jobs(
    alices: Client, bobs: Client, queued: Job, media: Media
) -> None:
    assert alices.get(f"/jobs/{queued.uuid}/export/srt").status_code == 404
    assert bobs.get(f"/jobs/{queued.uuid}/export/srt").status_code == 404


def test_nothing_happens_on_a_get(alices: Client, queued: Job) -> None:
    assert alices.get(f"/jobs/{queued.uuid}/retry").status_code == 405


def test_a_running_job_shows_its_stage_and_reloads_without_javascript(alices: Client, running: Job) -> None:
    lifecycle.report(running, "clustering", 0.62)
    page = alices.get(f"/jobs/{running.uuid}").content.decode()
    assert "Finding who speaks" in page
    assert "62 %" in page
    assert f'data-preview="/jobs/{running.uuid}/recording?listen" data-seconds="3.0"' in page
    assert '<noscript><meta http-equiv="refresh"' in page


def test_canceling_gives_the_credits_back_and_says_so(alices: Client, alice: User, running: Job) -> None:
    page = alices.post(f"/jobs/{running.uuid}/cancel", follow=True).content.decode()
    assert "Nothing was charged" in page
    assert CreditBalance.objects.get(user=alice).held == 0


def test_a_failed_job_says_what_happened_what_was_not_lost_and_what_to_do(alices: Client, running: Job) -> None:
    lifecycle.fail(running, JobError("PROCESSING_FAILED", "No speech was found."))
    page = alices.get(f"/jobs/{running.uuid}").content.decode()
    assert "No speech was found." in page
    assert "Nothing was charged, and your recording is still here." in page
    assert "send it again and say how many" in page
    assert "Retry" in page


def test_a_failed_job_tells_the_reason_where_it_is_known(alices: Client, running: Job) -> None:
    lifecycle.fail(running, JobError("PROCESSING_FAILED", details={"reason": "No speech was found in the recording."}))
    page = alices.get(f"/jobs/{running.uuid}").content.decode()
    assert "<h2>No speech was found in the recording.</h2>" in page
    assert "Failed: Failed" not in page


def test_the_recording_of_a_failed_job_can_be_heard(alices: Client, running: Job) -> None:
    lifecycle.fail(running, JobError("PROCESSING_FAILED"))
    assert f'src="/jobs/{running.uuid}/recording?listen"' in alices.get(f"/jobs/{running.uuid}").content.decode()


def test_headings_leave_out_no_level(alices: Client, finished: Job) -> None:
    for answer in (alices.get(f"/jobs/{finished.uuid}"), Client().get("/")):
        levels = [int(level) for level in re.findall(r"<h([1-6])", answer.content.decode())]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_error_that_can_end_a_job_has_advice(alices: Client, running: Job) -> None:
    from jobs.errors import ERRORS
    from jobs.portal.words import ADVICE

    assert ADVICE.keys() <= ERRORS.keys()


def test_a_finished_job_shows_each_speaker_in_figures(alices: Client, finished: Job) -> None:
    page = alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert "2 speakers" in page
    assert "LUFS" in page
    assert "Signal to noise" in page
    assert "17 credits" in page


def test_every_turn_is_listed_and_the_less_certain_are_marked(alices: Client, finished: Job) -> None:
    first, *others = finished.result["turns"]
    turns = [{**first, "confidence": 49}, *({**turn, "confidence": 50} for turn in others)]
    Job.objects.filter(pk=finished.pk).update(result=finished.result | {"turns": turns})
    page = alices.get(f"/jobs/{finished.uuid}").content.decode()
    rows = re.findall(r'<tr( class="doubtful")? data-from="([\d.]+)"', page)
    assert len(rows) == len(turns)
    assert [row for row in rows if row[0]] == [(' class="doubtful"', str(round(first["start"], 2)))]
    assert "49 %" in page


def test_of_very_many_turns_the_first_are_listed(
    alices: Client, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.portal.figures.MOST_TURNS", 1)
    page = alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert len(re.findall("<tr[^>]* data-from", page)) == 1
    assert f"The first 1 of {len(finished.result['turns'])} turns." in page


def test_voices_are_described_where_that_was_asked_for(alices: Client, finished: Job, recording: Path) -> None:
    assert "Pitch" not in alices.get(f"/jobs/{finished.uuid}").content.decode()
    attributes = [asdict(VoiceAttributes(0, 92.0, 110.5, 143.0, "male", 93)), asdict(VoiceAttributes(1))]
    Job.objects.filter(pk=finished.pk).update(result=finished.result | {"voice_attributes": attributes})
    page = alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert "110 Hz, 92–143" in page
    assert "male, 93 % sure" in page
    assert page.count("Sounds") == 1
    assert page.count("Pitch") == 2
    assert send(alices, recording, task="diarization", voice_attributes="on").status_code == 201
    assert Job.objects.latest("pk").options["voice_attributes"] is True


def test_the_timeline_names_every_turn_and_track(alices: Client, finished: Job) -> None:
    timeline = alices.get(f"/jobs/{finished.uuid}/timeline.json").json()
    assert len(timeline["turns"]) == len(finished.result["turns"])
    assert [track["speaker"] for track in timeline["tracks"]] == [0, 1]
    assert timeline["tracks"][0]["spans"] == []


def test_a_compact_track_comes_with_its_map(alices: Client, finished: Job) -> None:
    span = {"track_start": 0.0, "source_start": 12.5, "seconds": 2.0}
    Job.objects.filter(pk=finished.pk).update(result=finished.result | {"compact_maps": {1: [span]}})
    timeline = alices.get(f"/jobs/{finished.uuid}/timeline.json").json()
    assert [track["spans"] for track in timeline["tracks"]] == [[], [[0.0, 12.5, 2.0]]]


def test_files_are_reached_by_signed_links(alices: Client, finished: Job, recording: Path) -> None:
    track = finished.tracks.first()
    link = urlsplit(alices.get(f"/jobs/{finished.uuid}/files/{track.pk}")["Location"])
    answer = Client().get(link.path, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.getvalue()) == (206, recording.read_bytes()[:4])


def test_pages_load_from_where_they_were_opened(alices: Client, finished: Job, settings: SettingsWrapper) -> None:
    settings.PUBLIC_URL = "https://soloist.example.org"
    track = finished.tracks.filter(kind=Track.Kind.AUDIO).first()
    for path in (f"/jobs/{finished.uuid}/files/{track.pk}?listen", f"/jobs/{finished.uuid}/recording?listen"):
        assert alices.get(path)["Location"].startswith("/files/")


def test_all_files_come_in_one_zip(alices: Client, finished: Job, recording: Path) -> None:
    answer = alices.get(f"/jobs/{finished.uuid}/all.zip")
    assert answer["Content-Disposition"] == 'attachment; filename="tones.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    assert archive.testzip() is None
    assert archive.namelist() == ["speaker_0.wav", "speaker_1.wav"]
    assert archive.read("speaker_1.wav") == recording.read_bytes()


def test_deleting_removes_everything(alices: Client, finished: Job) -> None:
    assert alices.post(f"/jobs/{finished.uuid}/delete")["Location"] == "/jobs"
    assert not Job.objects.exists()
    assert not Media.objects.exists()


def test_how_sure_the_engine_is_can_be_downloaded(alices: Client, finished: Job) -> None:
    grid = ContentFile(b'{"resolution": 0.02, "score": [97]}')
    name = default_storage.save(f"{finished.folder()}/confidence.json", grid)
    track = Track.objects.create(job=finished, kind=Track.Kind.CONFIDENCE, file=name, bytes=grid.size)
    page = alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert "How sure the engine is" in page
    link = urlsplit(alices.get(f"/jobs/{finished.uuid}/files/{track.pk}")["Location"])
    answer = Client().get(link.path)
    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.getvalue()) == {"resolution": 0.02, "score": [97]}


def test_a_hostile_name_is_only_text(alices: Client, finished: Job) -> None:
    Job.objects.filter(pk=finished.pk).update(name="<script>alert(1)</script>.wav")
    for page in ("/jobs", f"/jobs/{finished.uuid}"):
        assert "<script>alert" not in alices.get(page).content.decode()


@pytest.mark.parametrize("task", ["extraction", "diarization"])
def test_both_tasks_have_pages_at_every_state(alices: Client, media: Media, task: Task) -> None:
    job = lifecycle.submit(media, task, SpeakerOptions())
    assert alices.get(f"/jobs/{job.uuid}").status_code == 200
    lifecycle.cancel(job)
    assert "Canceled" in alices.get(f"/jobs/{job.uuid}").content.decode()
