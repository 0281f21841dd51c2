"""A form that is refused comes back without JavaScript, too, with what was typed and chosen, and why at its field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import ledger
from jobs import lifecycle
from jobs.models import Job, Media
from jobs.options import TranscriptionOptions
from tests.api.transcripts import succeed

if TYPE_CHECKING:
    from pathlib import Path

    from accounts.models import User

NOTES = b"not a recording at all"
TOO_LATE = b"SPEAKER tones 1 3600 1.0 <NA> <NA> Ana <NA> <NA>\n"
AGAIN = "Choose the file again: browsers do not keep it."
pytestmark = pytest.mark.django_db


def file(content: bytes, name: str = "tones.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def refused(client: Client, status: int, address: str = "/jobs/submit", **sent: Any) -> str:
    answer = client.post(address, sent)
    assert answer.status_code == status
    return answer.content.decode()


def wrong(page: str, field: str) -> str:
    """What is said below a field; empty where nothing is."""
    found = re.search(rf'<p class="error" id="id_{field}_error">([^<]+)</p>', page)
    return found[1] if found else ""


def value(page: str, field: str) -> str:
    [tag] = re.findall(rf'<input[^>]+name="{field}"[^>]*>', page)
    found = re.search(r'value="([^"]*)"', tag)
    return found[1] if found else ""


def test_a_file_that_is_no_recording_is_all_that_has_to_be_chosen_again(alices: Client) -> None:
    chosen = {"task": "diarization", "num_speakers": 3, "voice_attributes": "on", "token": uuid4()}
    page = refused(alices, 400, file=file(NOTES), overlap="mute", **chosen)
    assert "Nothing was charged. Choose an audio or video file" in page
    assert wrong(page, "file")
    assert AGAIN in page
    assert re.search(r'value="diarization" checked', page)
    assert value(page, "num_speakers") == "3"
    assert value(page, "token") == str(chosen["token"])
    assert re.search(r'<option value="mute" selected>', page)
    assert re.search(r'name="voice_attributes"[^>]* checked', page)
    assert '<details class="options" id="options" open>' in page


def test_a_link_that_does_not_do_stays_to_be_mended(alices: Client) -> None:
    page = refused(alices, 400, url="ftp://example.org/talk.mp3", task="stems")
    assert value(page, "url") == "ftp://example.org/talk.mp3"
    assert wrong(page, "url") == "This is not an http or https address."
    assert not wrong(page, "file")
    assert AGAIN not in page


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({}, "file", "Provide either a file or a URL."),
        ({"url": "https://example.org/a", "num_speakers": 99}, "num_speakers", "Give 1 to 20 speakers."),
        ({"url": "https://example.org/a", "min_speakers": 3, "max_speakers": 2}, "min_speakers", "must not be above"),
        ({"url": "https://example.org/a", "turns": file(b"\xff")}, "turns", "The file is no text in UTF-8."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(alices: Client, sent: dict[str, Any], field: str, words: str) -> None:
    page = refused(alices, 400 if field == "file" else 422, **sent)
    assert words in wrong(page, field)
    assert (AGAIN in page) == ("turns" in sent)
    assert not Job.objects.exists()


def test_what_shows_only_with_the_recording_is_said_at_its_field(alices: Client, media: Media) -> None:
    page = refused(alices, 422, media=media.uuid, turns=file(TOO_LATE))
    assert "The turns must lie in the recording of" in wrong(page, "turns")
    assert value(page, "media") == str(media.uuid)


def test_what_cannot_be_paid_is_said_above_the_form(alices: Client, alice: User, media: Media) -> None:
    ledger.adjust(alice, -(ledger.available(alice) - 5), reason="test", actor=alice)
    page = refused(alices, 402, media=media.uuid)
    assert "This costs 17 credits; you have 5." in page
    assert '<p class="error"' not in page
    assert value(page, "media") == str(media.uuid)


def test_links_on_the_page_of_a_refused_form_lead_to_the_list(alices: Client) -> None:
    assert alices.get("/jobs/submit?q=tones&page=2")["Location"] == "/jobs?q=tones&page=2"


def test_turns_that_were_chosen_stay_so(alices: Client, finished: Job) -> None:
    sent = {"version": 1, "action": "adjust", "turn": ["2"], "speaker": "1", "start": "soon", "end": "0:02.5"}
    page = refused(alices, 422, f"/jobs/{finished.uuid}/turns", **sent)
    assert "Give a time as 12.5 or 1:02.5." in page
    assert (value(page, "start"), value(page, "end")) == ("soon", "0:02.5")
    assert re.findall(r'name="turn" value="(\d+)" form="turn-bar" checked', page) == ["2"]
    assert re.search(r'<select name="speaker".*<option value="1" selected>', page, re.DOTALL)


def test_a_name_that_was_refused_stays_to_be_changed(alices: Client, finished: Job) -> None:
    page = refused(alices, 422, f"/jobs/{finished.uuid}/speakers/0/name", name="Speaker 2")
    assert "is another speaker of this recording" in page
    assert re.search(r'<details class="menu rename" open>.*id="name-0" value="Speaker 2"', page, re.DOTALL)
    assert page.count('<details class="menu rename" open>') == 1


def test_a_transcripts_note_and_choices_stay(alices: Client, media: Media, tmp_path: Path) -> None:
    job = succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path)
    sent = {"version": 1, "text-0": "long" * 2000, "notes": "Names & places", "all-of": "0", "are-of": "1"}
    page = refused(alices, 422, f"/jobs/{job.uuid}/transcript/correct", **sent)
    assert value(page, "notes") == "Names &amp; places"
    assert re.search(
        r'name="all-of".*?<option value="0" selected>.*?name="are-of".*?<option value="1" selected>', page, re.DOTALL
    )
