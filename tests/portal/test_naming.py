"""Speakers with names: on the page, in what is exported, and nobody's twice."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from jobs import deleting, lifecycle, naming
from jobs.models import Job, SpeakerName
from jobs.options import TranscriptionOptions
from tests.api.transcripts import succeed

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.models import Media

pytestmark = pytest.mark.django_db


def call(client: Client, job: Job, speaker: int, name: str) -> str:
    answer = client.post(f"/jobs/{job.uuid}/speakers/{speaker}/name", {"name": name}, follow=True)
    page = answer.content.decode()
    assert answer.status_code == 200 or "message error" in page
    return page


def test_a_name_is_told_by_the_page_and_by_every_export(alices: Client, finished: Job) -> None:
    page = call(alices, finished, 0, "  Ana   <Lovelace> ")
    assert "<h3>Ana &lt;Lovelace&gt;</h3>" in page
    assert 'aria-label="Hear only Ana &lt;Lovelace&gt;"' in page
    assert "Ana &lt;Lovelace&gt; alone" in page
    assert "<h3>Speaker 2</h3>" in page
    for format in ("srt", "csv", "textgrid", "audacity"):
        told = alices.get(f"/jobs/{finished.uuid}/export/{format}").content.decode()
        assert "Ana " in told, format
        assert "Speaker 2" in told, format


def test_a_track_in_the_zip_has_the_name_beside_its_number(alices: Client, finished: Job) -> None:
    call(alices, finished, 1, "A/B: C?")
    archive = zipfile.ZipFile(io.BytesIO(alices.get(f"/jobs/{finished.uuid}/all.zip").getvalue()))
    assert archive.namelist() == ["speaker_0.wav", "speaker_1 A_B_ C_.wav"]


def test_a_transcript_tells_the_name(alices: Client, media: Media, tmp_path: Path) -> None:
    job = succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path)
    call(alices, job, 1, "Mary")
    assert "\nMary: <Lincoln> did." in alices.get(f"/jobs/{job.uuid}/transcript/txt").content.decode()
    assert "<strong>Mary</strong>" in alices.get(f"/jobs/{job.uuid}").content.decode()
    assert (
        '<option value="1" selected>Mary</option>'
        in alices.get(f"/jobs/{job.uuid}/transcript/correct").content.decode()
    )


@pytest.mark.parametrize("back", ["", "  ", "Speaker 1"])
def test_a_name_is_changed_and_taken_back(alices: Client, finished: Job, back: str) -> None:
    call(alices, finished, 0, "Ana")
    assert "<h3>Anna</h3>" in call(alices, finished, 0, "Anna")
    assert "<h3>Speaker 1</h3>" in call(alices, finished, 0, back)
    assert not finished.speaker_names.exists()


@pytest.mark.parametrize(
    ("speaker", "name", "words"),
    [
        (0, "ana", "“Ana” is another speaker of this recording."),
        (0, "speaker 2", ""),  # speaker 2 is called Ana, so that name is free
        (0, "n" * 81, "A name has at most 80 characters."),
        (5, "Eve", "There is no such speaker in this recording."),
    ],
)
def test_a_name_that_does_not_do_is_refused_in_words(
    alices: Client, finished: Job, speaker: int, name: str, words: str
) -> None:
    call(alices, finished, 1, "Ana")
    assert words in call(alices, finished, speaker, name)
    assert naming.given(finished) == ({1: "Ana"} if words else {0: "speaker 2", 1: "Ana"})


def test_what_has_no_speakers_has_no_names(alices: Client, queued: Job) -> None:
    alices.post(f"/jobs/{queued.uuid}/speakers/0/name", {"name": "Ana"})
    assert not queued.speaker_names.exists()


def test_nobody_else_gives_names(bobs: Client, finished: Job) -> None:
    assert bobs.post(f"/jobs/{finished.uuid}/speakers/0/name", {"name": "Ana"}).status_code == 404
    assert not finished.speaker_names.exists()


def test_names_go_with_their_job(finished: Job) -> None:
    naming.call(finished, 0, "Ana")
    deleting.delete(finished)
    assert not SpeakerName.objects.exists()
