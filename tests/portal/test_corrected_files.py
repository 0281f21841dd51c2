"""What is downloaded of a job that people corrected: texts as they are now, sounds as they were made."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from accounts.models import APIKey
from jobs import correcting, files, lifecycle, naming, revisions, transcripts
from jobs.models import Job, Track
from jobs.options import TranscriptionOptions
from jobs.revisions import Edit
from tests.api.programs import Program
from tests.api.transcripts import succeed

if TYPE_CHECKING:
    from accounts.models import User
    from jobs.models import Media

pytestmark = pytest.mark.django_db
STORED = b"as the engine made it"


def unpacked(answer: Any) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    return {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def program(alice: User) -> Program:
    return Program(APIKey.issue(alice, "tests")[1])


def with_texts(job: Job, folder: Path, *kinds: Track.Kind) -> Job:
    for kind in kinds:
        name = {Track.Kind.RTTM: f"{job.task}.rttm", Track.Kind.JSON: "result.json"}.get(kind, f"transcript.{kind}")
        (folder / "text").write_bytes(STORED)
        job.tracks.create(kind=kind, file=files.store(folder / "text", job.folder() / name), bytes=len(STORED))
    return job


@pytest.fixture
def extracted(finished: Job, tmp_path: Path) -> Job:
    return with_texts(finished, tmp_path, Track.Kind.RTTM, Track.Kind.JSON)


@pytest.fixture
def transcribed(media: Media, tmp_path: Path) -> Job:
    job = succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path)
    return with_texts(job, tmp_path, Track.Kind.RTTM, Track.Kind.TXT, Track.Kind.SRT, Track.Kind.VTT)


def test_what_nobody_changed_is_downloaded_as_it_was_made(alices: Client, extracted: Job, transcribed: Job) -> None:
    found = unpacked(alices.get(f"/jobs/{extracted.uuid}/all.zip"))
    assert (found["extraction.rttm"], found["result.json"]) == (STORED, STORED)
    assert unpacked(alices.get(f"/jobs/{transcribed.uuid}/all.zip"))["transcript.txt"] == STORED


def test_corrected_turns_and_names_are_in_the_zip(alices: Client, extracted: Job, recording: Path) -> None:
    naming.call(extracted, 0, "Ana")
    assert b" Ana " in unpacked(alices.get(f"/jobs/{extracted.uuid}/all.zip"))["extraction.rttm"]
    correcting.merge(extracted, 1, 1, 0)
    found = unpacked(alices.get(f"/jobs/{extracted.uuid}/all.zip"))
    assert {line.split()[7] for line in found["extraction.rttm"].decode().splitlines()} == {"Ana"}
    assert [figures["speaker"] for figures in json.loads(found["result.json"])["speakers"]] == [0]
    assert found["speaker_0 Ana.wav"] == recording.read_bytes()
    page = alices.get(f"/jobs/{extracted.uuid}").content.decode()
    assert "These are as the engine made them." in page


def test_a_corrected_transcript_is_in_the_zip_with_its_names(alices: Client, transcribed: Job) -> None:
    naming.call(transcribed, 1, "Mary")
    said = transcripts.read(transcribed).sentences
    edits = [Edit(place, s.start, s.end, s.text, s.speaker) for place, s in enumerate(said)]
    revisions.revise(transcribed, [Edit(0, edits[0].start, edits[0].end, "Who wrote it?", 0), *edits[1:]])
    found = unpacked(alices.get(f"/jobs/{transcribed.uuid}/all.zip"))
    assert found["transcript.txt"].decode() == "Speaker 1: Who wrote it?\n\nMary: <Lincoln> did.\n"
    assert json.loads(found["transcript.json"])["sentences"][0]["text"] == "Who wrote it?"
    assert b"Mary: " in found["transcript.srt"]
    assert found["transcript.vtt"].startswith(b"WEBVTT")


def test_our_own_archive_has_names_and_audiopods_has_labels(program: Program, extracted: Job) -> None:
    naming.call(extracted, 0, "Ana")
    ours = unpacked(program.send("get", f"jobs/archive?ids={extracted.number}"))
    assert b" Ana " in ours["extraction.rttm"]
    assert "speaker_0 Ana.wav" in ours
    theirs = unpacked(program.send("get", f"speaker/jobs/{extracted.number}/download"))
    assert theirs["extraction.rttm"] == STORED
    correcting.remove(extracted, 1, [0])
    theirs = unpacked(program.send("get", f"speaker/jobs/{extracted.number}/download"))
    assert b"SPEAKER_00" in theirs["extraction.rttm"]
    assert b"Ana" not in theirs["extraction.rttm"]


def test_a_transcript_whose_file_is_gone_keeps_nothing_else_from_coming(alices: Client, transcribed: Job) -> None:
    naming.call(transcribed, 0, "Ana")
    files.delete(transcribed.tracks.get(kind=Track.Kind.TRANSCRIPT).file)
    transcribed.tracks.filter(kind=Track.Kind.TRANSCRIPT).delete()
    found = unpacked(alices.get(f"/jobs/{transcribed.uuid}/all.zip"))
    assert b" Ana " in found["transcription.rttm"]
    assert found["transcript.txt"] == STORED
