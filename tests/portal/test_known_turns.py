"""A recording sent with who speaks when: as RTTM or as an export of ours, checked before anything is charged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import ledger
from jobs import naming
from jobs.models import Job, Media

if TYPE_CHECKING:
    from accounts.models import User

JSON = {"Accept": "application/json"}
RTTM = b"""; who speaks in the tones
SPEAKER tones 1 0.5 1.0 <NA> <NA> Ana <NA> <NA>
SPEAKER tones 1 1.2 0.8 <NA> <NA> Ben <NA> <NA>
"""
BROKEN = RTTM + b"SPEAKER tones 1 2.5 <NA> <NA> <NA> Ana <NA> <NA>\n"
LINES = b"1\n00:00:00,600 --> 00:00:01,000\nHello\n"
pytestmark = pytest.mark.django_db


def turns(content: bytes = RTTM, name: str = "tones.rttm") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def send(client: Client, recording: Path, **fields: Any) -> Any:
    with recording.open("rb") as file:
        return client.post("/jobs/submit", {"file": file, **fields}, headers=JSON)


@pytest.mark.parametrize("task", ["extraction", "diarization", "transcription"])
def test_turns_come_with_a_recording_and_nobody_is_told_apart(alices: Client, recording: Path, task: str) -> None:
    lines = {"subtitles": SimpleUploadedFile("lines.srt", LINES)} if task == "transcription" else {}
    assert send(alices, recording, task=task, turns=turns(), **lines).status_code == 201
    job = Job.objects.get()
    assert [(start, end, speaker) for start, end, speaker, _ in job.options["turns"]] == [(0.5, 1.5, 0), (1.2, 2.0, 1)]
    assert naming.given(job) == {0: "Ana", 1: "Ben"}
    assert job.credits == 4  # 3 seconds at 1.1


def test_what_a_page_exports_can_be_sent_with_names(alices: Client, finished: Job, recording: Path) -> None:
    naming.call(finished, 1, "Ben")
    told = alices.get(f"/jobs/{finished.uuid}/export/json").json()
    for turn in told["turns"]:  # of a longer recording
        turn |= {"start": turn["start"] / 100, "end": turn["end"] / 100}
    assert send(alices, recording, turns=turns(json.dumps(told).encode(), "tones.json")).status_code == 201
    assert naming.given(Job.objects.latest("created_at")) == {1: "Ben"}


def test_turns_go_with_a_stored_recording_and_with_a_link(alices: Client, media: Media) -> None:
    assert alices.post("/jobs/submit", {"media": media.uuid, "turns": turns()}, headers=JSON).status_code == 201
    link = {"url": "https://example.org/tones.mp3", "turns": turns()}
    assert alices.post("/jobs/submit", link, headers=JSON).status_code == 201
    assert [len(job.options["turns"]) for job in Job.objects.all()] == [2, 2]


def test_another_task_has_no_use_for_turns(alices: Client, recording: Path) -> None:
    assert send(alices, recording, task="denoising", turns=turns()).status_code == 201
    assert "turns" not in Job.objects.get().options


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"turns": BROKEN}, "line 4 has no start, duration and speaker"),
        ({"turns": RTTM.replace(b"0.8", b"-0.8")}, "line 3 is from 1.2 to 0.4 s, in which nobody can speak"),
        ({"turns": b""}, "There is no turn"),
        ({"turns": b"RIFF\xff\xfe"}, "no text in UTF-8"),
        ({"turns": b"[" * 100_000}, "This is no JSON"),
        ({"turns": b'{"turns": 7}'}, "Give a list of turns"),
        ({"turns": b'[{"start": 0, "end": 1' + b"0" * 400 + b', "speaker": 0}]'}, "Turn 1 needs a start and an end"),
        ({"turns": RTTM.replace(b"0.5", b"3.5")}, "The turns must lie in the recording of 3.000 s"),
        ({"turns": RTTM, "num_speakers": 2}, "“Exactly” is for an engine that tells who speaks; with turns, leave it"),
        ({"turns": RTTM, "engine": "embedded"}, "“Engine” tells who speaks when, which turns do"),
    ],
)
def test_turns_that_do_not_do_cost_nothing(
    alices: Client, alice: User, recording: Path, fields: dict[str, Any], words: str
) -> None:
    answer = send(alices, recording, **fields | {"turns": turns(fields["turns"])})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_OPTION")
    assert words in answer.json()["message"]
    assert "Nothing was charged." in answer.json()["message"]
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert ledger.available(alice) == 1_000_000


def test_a_page_says_that_no_engine_told_who_spoke_when(alices: Client, finished: Job) -> None:
    assert "was given" not in alices.get(f"/jobs/{finished.uuid}").content.decode()
    Job.objects.filter(pk=finished.pk).update(result={**(finished.result or {}), "engine": "given", "models": []})
    assert "Who spoke when <strong>was given</strong>" in alices.get(f"/jobs/{finished.uuid}").content.decode()


def test_a_file_is_looked_at_before_its_recording_is_sent(alices: Client) -> None:
    assert alices.post("/jobs/turns", {"turns": turns()}).json() == {"turns": 2, "speakers": 2, "last": 1.2}
    assert "line 4 has no start" in alices.post("/jobs/turns", {"turns": turns(BROKEN)}).json()["wrong"]
    assert alices.post("/jobs/turns").json() == {"wrong": "This field is required."}
    assert Client().post("/jobs/turns", {"turns": turns()})["Location"].startswith("/login")


def test_the_price_of_each_recording_is_told_with_or_without_turns(alices: Client) -> None:
    asked = "seconds=100&seconds=100&turns=1"
    assert alices.get(f"/jobs/price?task=transcription&{asked}").json()["credits"] == [550, 110]
    assert alices.get(f"/jobs/price?task=dialogue&{asked}").json()["credits"] == [550, 550]
    assert alices.get("/jobs/price?seconds=1&turns=some").status_code == 400
