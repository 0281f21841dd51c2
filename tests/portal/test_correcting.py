"""Correcting a transcript in the portal: lines, whose they are, and the versions of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from audio_engine.transcription.transcript import Sentence, Transcript
from jobs import lifecycle, revisions, transcripts
from jobs.errors import JobError
from jobs.models import Job
from jobs.options import TranscriptionOptions
from tests.api.transcripts import succeed

if TYPE_CHECKING:
    from jobs.models import Media

pytestmark = pytest.mark.django_db
LINES = (
    Sentence(0.1, 1.0, "Who wrote?", 0),
    Sentence(1.2, 2.0, "<Lincoln> did.", 1),
    Sentence(2.0, 2.5, "Two lines\nof one subtitle.", 1),
)


@pytest.fixture
def transcribed(media: Media, tmp_path: Path) -> Job:
    job = lifecycle.submit(media, "transcription", TranscriptionOptions())
    return succeed(job, tmp_path, Transcript("en", 0.9, LINES))


def lines(job: Job, version: int | None = None) -> list[tuple[str, int | None]]:
    return [(sentence.text, sentence.speaker) for sentence in transcripts.read(job, version).sentences]


def test_the_form_shows_each_line_and_whose_it_is(alices: Client, transcribed: Job) -> None:
    address = f"/jobs/{transcribed.uuid}"
    assert f'href="{address}/transcript/correct"' in alices.get(address).content.decode()
    page = alices.get(f"{address}/transcript/correct").content.decode()
    assert re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)[1] == "&lt;Lincoln&gt; did."
    form = page[page.index('class="corrections"') :]
    assert re.findall(r'<option value="(\d)" selected>', form) == ["0", "1", "1"]


def test_what_is_saved_is_a_new_version_and_the_old_one_stays(alices: Client, transcribed: Job) -> None:
    sent = {"version": "1", "text-0": "Who wrote it?", "speaker-0": "1", "text-1": "", "notes": "From the tape"}
    answer = alices.post(f"/jobs/{transcribed.uuid}/transcript/correct", sent, follow=True)
    page = answer.content.decode()
    assert "Saved: 2 lines." in page
    assert "Version 2: From the tape" in page
    assert lines(transcribed) == [("Who wrote it?", 1), ("Two lines\nof one subtitle.", 1)]
    assert lines(transcribed, 1) == [(sentence.text, sentence.speaker) for sentence in LINES]
    told = alices.get(f"/jobs/{transcribed.uuid}/transcript/txt").content.decode()
    assert told.startswith("Speaker 2: Who wrote it?")
    assert alices.get(f"/jobs/{transcribed.uuid}/transcript/txt?version=1").content.startswith(b"Speaker 1: Who wrote?")


def test_what_comes_back_as_it_was_changes_nothing(alices: Client, transcribed: Job) -> None:
    sent = {"version": "1", "text-2": "Two lines\r\nof one subtitle.", "speaker-2": "1"}  # as browsers send lines
    page = alices.post(f"/jobs/{transcribed.uuid}/transcript/correct", sent, follow=True).content.decode()
    assert "Nothing changed." in page
    assert transcripts.latest(transcribed) == 1


def test_all_lines_of_one_speaker_are_given_to_another(alices: Client, transcribed: Job) -> None:
    sent = {"version": "1", "all-of": "1", "are-of": "0"}
    alices.post(f"/jobs/{transcribed.uuid}/transcript/correct", sent)
    assert [speaker for _, speaker in lines(transcribed)] == [0, 0, 0]


def test_what_was_made_of_an_older_version_is_kept_on_the_page_and_not_saved(alices: Client, transcribed: Job) -> None:
    address = f"/jobs/{transcribed.uuid}/transcript/correct"
    alices.post(address, {"version": "1", "text-0": "Hers"})
    answer = alices.post(address, {"version": "1", "text-0": "Mine <3", "speaker-0": "1"})
    assert answer.status_code == 409
    assert "Nothing of yours is lost" in answer.content.decode()
    assert "Mine &lt;3</textarea>" in answer.content.decode()
    assert lines(transcribed)[0] == ("Hers", 0)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"speaker-0": "7"}, "somebody who is not in this recording"),
        ({"speaker-0": "Ana"}, "nobody that is known here"),
        ({"text-0": "long" * 2000}, "more than 5,000 characters"),
        ({"all-of": "0", "are-of": "9"}, "somebody who is not in this recording"),
    ],
)
def test_what_cannot_be_saved_is_said_and_kept_on_the_page(
    alices: Client, transcribed: Job, sent: dict[str, str], words: str
) -> None:
    whole = {"version": "1", "text-0": "Who wrote it?", **sent}
    answer = alices.post(f"/jobs/{transcribed.uuid}/transcript/correct", whole)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert whole["text-0"] in answer.content.decode()
    assert transcripts.latest(transcribed) == 1


@pytest.mark.parametrize("sent", [{}, {"version": "soon"}, {"version": "5"}])
def test_what_is_no_form_of_ours_is_not_found(alices: Client, transcribed: Job, sent: dict[str, str]) -> None:
    assert alices.post(f"/jobs/{transcribed.uuid}/transcript/correct", sent).status_code == 404


def test_long_transcripts_are_corrected_page_by_page(alices: Client, media: Media, tmp_path: Path) -> None:
    many = tuple(Sentence(n / 100, n / 100 + 0.01, f"Line {n}.", 0) for n in range(120))
    job = succeed(
        lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path, Transcript("en", None, many)
    )
    address = f"/jobs/{job.uuid}/transcript/correct"
    page = alices.get(f"{address}?page=2").content.decode()
    assert page.count("<textarea") == 50
    answer = alices.post(f"{address}?page=2", {"version": "1", "text-50": "Fiftieth.", "on": "3"})
    assert answer["Location"] == f"{address}?page=3"
    assert [text for text, _ in lines(job)] == [s.text if n != 50 else "Fiftieth." for n, s in enumerate(many)]


def test_an_earlier_version_is_looked_at_and_made_to_count_again(alices: Client, transcribed: Job) -> None:
    address = f"/jobs/{transcribed.uuid}"
    alices.post(f"{address}/transcript/correct", {"version": "1", "text-0": "Wrong"})
    page = alices.get(f"{address}?version=1").content.decode()
    assert "This is version 1 of 2." in page
    assert "Who wrote?" in page
    assert f"{address}/transcript/srt?version=1" in page
    alices.post(f"{address}/transcript/restore/1")
    assert lines(transcribed)[0] == ("Who wrote?", 0)
    assert transcripts.latest(transcribed) == 3
    assert "Version 3: Version 1 again" in alices.get(address).content.decode()


@pytest.mark.parametrize("version", ["0", "4", "-1", "one", "9" * 30])
def test_a_version_that_there_is_not_is_not_found(alices: Client, transcribed: Job, version: str) -> None:
    assert alices.get(f"/jobs/{transcribed.uuid}?version={version}").status_code == 404
    assert alices.get(f"/jobs/{transcribed.uuid}/transcript/txt?version={version}").status_code == 404


def test_a_revision_of_an_older_version_is_refused(transcribed: Job) -> None:
    revisions.revise(transcribed, [])
    with pytest.raises(JobError, match="changed in the meantime"):
        revisions.revise(transcribed, [], base=1)


def test_nobody_else_corrects_it(bobs: Client, transcribed: Job, finished: Job) -> None:
    assert bobs.get(f"/jobs/{transcribed.uuid}/transcript/correct").status_code == 404
    assert bobs.post(f"/jobs/{transcribed.uuid}/transcript/restore/1").status_code == 404
    assert transcripts.latest(transcribed) == 1


def test_there_is_nothing_to_correct_without_a_transcript(alices: Client, finished: Job) -> None:
    assert alices.get(f"/jobs/{finished.uuid}/transcript/correct").status_code == 404


def test_words_know_when_they_are_said_and_doubtful_ones_are_marked(
    alices: Client, media: Media, tmp_path: Path
) -> None:
    from audio_engine.transcription.transcript import Word

    words = (Word(0.1, 0.4, " Who", 0.9, 0), Word(0.4, 1.0, " wrote?", 0.3, 0))
    said = Transcript("en", 0.9, (Sentence(0.1, 1.0, "Who wrote?", 0, words),))
    job = succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path, said)
    page = alices.get(f"/jobs/{job.uuid}").content.decode()
    assert '<span data-at="0.1"> Who</span><span data-at="0.4" class="doubtful"> wrote?</span>' in page
