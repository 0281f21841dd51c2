"""A transcription as its owner sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from jobs import lifecycle
from jobs.models import Job, Track
from jobs.options import TranscriptionOptions
from tests.api.transcripts import SPOKEN, succeed

if TYPE_CHECKING:
    from jobs.models import Media

pytestmark = pytest.mark.django_db


@pytest.fixture
def transcribed(media: Media, tmp_path: Path) -> Job:
    return succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path)


@pytest.fixture
def with_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from audio_engine.models import MODELS

    folder = tmp_path / "models" / "whisper-small"
    folder.mkdir(parents=True)
    for file in MODELS["whisper-small"].files:
        (folder / file).touch()
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "models"))


def text(page: str) -> str:
    return re.sub(r"<[^>]*>", "", page)


def test_the_page_shows_what_everyone_said(alices: Client, transcribed: Job) -> None:
    page = alices.get(f"/jobs/{transcribed.uuid}").content.decode()
    assert 'id="panel-transcript"' in page
    said = text(page[page.index('id="panel-transcript"') :])
    assert (
        said.index("Speaker 1")
        < said.index("Who wrote?")
        < said.index("Speaker 2")
        < said.index("&lt;Lincoln&gt; did.")
    )
    assert "2 speakers" in page
    assert alices.get(f"/jobs/{transcribed.uuid}/timeline.json").status_code == 200


def test_names_stay_away_where_they_are_not_wanted(alices: Client, media: Media, tmp_path: Path) -> None:
    job = succeed(lifecycle.submit(media, "transcription", TranscriptionOptions(speaker_labels=False)), tmp_path)
    page = alices.get(f"/jobs/{job.uuid}").content.decode()
    panel = page[page.index('id="panel-transcript"') : page.index('id="panel-speakers"')]
    assert "Who wrote?" in text(panel)
    assert "Speaker" not in panel


@pytest.mark.parametrize(
    ("format", "beginning"),
    [("txt", "Speaker 1: Who wrote?"), ("srt", "1\n00:00:00,100"), ("vtt", "WEBVTT"), ("json", '{\n "language": "en"')],
)
def test_it_is_downloaded_with_the_names_of_the_page(
    alices: Client, transcribed: Job, format: str, beginning: str
) -> None:
    assert f"/transcript/{format}" in alices.get(f"/jobs/{transcribed.uuid}").content.decode()
    answer = alices.get(f"/jobs/{transcribed.uuid}/transcript/{format}")
    assert answer.content.decode().startswith(beginning)
    assert answer["Content-Disposition"] == f'attachment; filename="tones.{format}"'


def test_nobody_else_reads_it(bobs: Client, transcribed: Job) -> None:
    assert bobs.get(f"/jobs/{transcribed.uuid}/transcript/txt").status_code == 404


def test_what_is_no_transcript_is_not_found(alices: Client, transcribed: Job, finished: Job) -> None:
    assert alices.get(f"/jobs/{transcribed.uuid}/transcript/pdf").status_code == 404
    assert alices.get(f"/jobs/{finished.uuid}/transcript/txt").status_code == 404
    assert "panel-transcript" not in alices.get(f"/jobs/{finished.uuid}").content.decode()


def test_a_job_whose_files_are_gone_still_has_its_page(alices: Client, transcribed: Job) -> None:
    default_storage.delete(transcribed.tracks.get(kind=Track.Kind.TRANSCRIPT).file)
    page = alices.get(f"/jobs/{transcribed.uuid}")
    assert page.status_code == 200
    assert "panel-transcript" not in page.content.decode()


def test_nothing_said_is_said(alices: Client, media: Media, tmp_path: Path) -> None:
    job = lifecycle.submit(media, "transcription", TranscriptionOptions())
    succeed(job, tmp_path, transcript=type(SPOKEN)("", None, ()))
    assert "Nothing was said that could be written down." in alices.get(f"/jobs/{job.uuid}").content.decode()


# --- asking for it


def offer(client: Client) -> str:
    page = client.get("/jobs").content.decode()
    return page[page.index('id="task-transcription"') : page.index('id="task-dialogue"')]


def test_transcripts_are_offered_where_there_is_a_model(alices: Client, with_model: None) -> None:
    assert "What is missing" not in offer(alices)


def test_transcripts_are_offered_only_of_subtitles_without_a_model(alices: Client) -> None:
    assert "data-subtitles-only" in offer(alices)
    assert "manage.py models fetch whisper" in offer(alices)


def test_a_transcript_is_asked_for_with_the_form(alices: Client, with_model: None, recording: Path) -> None:
    with recording.open("rb") as file:
        fields = {"file": file, "task": "transcription", "num_speakers": "2", "engine": "embedded"}
        answer = alices.post("/jobs/submit", fields, headers={"Accept": "application/json"})
    assert answer.status_code in (200, 201), answer.content
    job = Job.objects.get()
    assert (job.task, job.options["diarizer"], job.options["num_speakers"]) == ("transcription", "embedded", 2)
