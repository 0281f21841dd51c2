"""Correcting a transcript by /api/v1/transcription/jobs/{id}/edit."""

from __future__ import annotations

from typing import Any

import pytest
import srt

from jobs import lifecycle, revisions, transcripts
from jobs.errors import JobError
from jobs.models import Job, TranscriptVersion
from jobs.options import TranscriptionOptions
from tests.api.test_schema import conforms
from tests.api.transcripts import SPOKEN, succeed


@pytest.fixture
def transcribed(media, tmp_path) -> Job:
    return succeed(lifecycle.submit(media, "transcription", TranscriptionOptions()), tmp_path)


@pytest.fixture
def edit(api, transcribed):
    """The segments as they are, and a way to send them back."""
    address = f"transcription/jobs/{transcribed.number}/edit"
    segments = api.get(f"/api/v1/{address}").json()["segments"]

    def put(changed: list[dict[str, Any]], **others: Any) -> Any:
        return api.send("put", address, {"segments": changed, **others})

    return segments, put


def test_a_corrected_text_is_what_everything_tells(api, transcribed, edit):
    segments, put = edit
    segments[1]["text"] = "Abraham Lincoln did."
    answer = put(segments, edit_notes="His whole name.")
    assert (answer.status_code, answer.json()) == (
        200,
        {"job_id": transcribed.number, "version": 2, "changes_count": 1},
    )
    address = f"/api/v1/transcription/jobs/{transcribed.number}/transcript"
    first, second = api.get(address).json()["segments"]
    assert (second["text"], second["words"], second["speaker_label"]) == ("Abraham Lincoln did.", [], "SPEAKER_01")
    assert [word["word"] for word in first["words"]] == ["Who", "wrote?"]
    captions = list(srt.parse(api.get(f"{address}?format=srt").content.decode()))
    assert captions[1].content == "SPEAKER_01: Abraham Lincoln did."
    assert api.get(f"{address}?version=1").json()["segments"][1]["text"] == "<Lincoln> did."
    assert b"did." in api.get(f"{address}?format=txt&version=1").content
    assert api.get(f"{address}?version=3").status_code == 404


def test_versions_tell_what_was_changed_and_why(api, transcribed, edit):
    segments, put = edit
    put([{**segments[0], "text": "Who?"}, segments[1]], edit_notes="Shorter.")
    put([segments[1]])
    versions = api.get(f"/api/v1/transcription/jobs/{transcribed.number}/versions").json()
    told = [(version["version"], version["edit_notes"], version["changes_count"]) for version in versions]
    assert told == [(1, "", 0), (2, "Shorter.", 1), (3, "", 1)]


def test_the_same_again_makes_no_version(edit):
    segments, put = edit
    assert put(segments).json()["changes_count"] == 0
    assert not TranscriptVersion.objects.exists()


@pytest.mark.parametrize("change", [{"speaker_label": "SPEAKER_00"}, {"speaker_id": 0}])
def test_a_segment_gets_another_speaker(api, transcribed, edit, change):
    segments, put = edit
    assert put([segments[0], {**segments[1], **change}]).json()["changes_count"] == 1
    transcript = transcripts.read(transcribed)
    assert [sentence.speaker for sentence in transcript.sentences] == [0, 0]
    assert transcript.sentences[1].words == SPOKEN.sentences[1].words


def test_segments_come_and_go_in_order_of_time(transcribed, edit):
    segments, put = edit
    new = {"start": 1.0, "end": 1.1, "text": "Hm.", "speaker_label": "SPEAKER_01"}
    assert put([segments[1], new]).json()["changes_count"] == 2
    assert [sentence.text for sentence in transcripts.read(transcribed).sentences] == ["Hm.", "<Lincoln> did."]


@pytest.mark.parametrize(
    "wrong",
    [
        {"speaker_label": "SPEAKER_07"},
        {"speaker_id": 9},
        {"start": 2.0, "end": 1.0},
        {"end": 99.0},
        {"start": "nan"},
        {"start": -1},
        {"text": ""},
        {"text": None},
        {"id": 5},
        {"id": 0},
    ],
)
def test_what_makes_no_sense_is_refused(edit, wrong):
    segments, put = edit
    answer = put([segments[0], {**segments[1], **wrong}])
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "segments")
    assert not TranscriptVersion.objects.exists()


def test_speakers_stay_where_the_transcript_leaves_them_out(api, media, tmp_path):
    job = lifecycle.submit(media, "transcription", TranscriptionOptions(speaker_labels=False))
    job = succeed(job, tmp_path)
    address = f"transcription/jobs/{job.number}/edit"
    segments = api.get(f"/api/v1/{address}").json()["segments"]
    segments[0]["text"] = "Who wrote it?"
    assert api.send("put", address, {"segments": segments}).status_code == 200
    assert [sentence.speaker for sentence in transcripts.read(job).sentences] == [0, 1]


def test_of_two_revisions_at_once_one_counts(transcribed, monkeypatch):
    edits = [revisions.Edit(0, 0.1, 1.0, "Who?", 0)]
    monkeypatch.setattr(transcripts, "latest", lambda _: 1)  # as the slower one read it
    assert revisions.revise(transcribed, edits) == (2, 2)
    with pytest.raises(JobError) as refused:
        revisions.revise(transcribed, [revisions.Edit(1, 1.2, 2.5, "Lincoln.", 1)])
    assert refused.value.code == "JOB_CHANGED"
    assert TranscriptVersion.objects.count() == 1


def test_a_deleted_job_leaves_no_version(api, transcribed, edit):
    segments, put = edit
    put(segments[:1])
    file = TranscriptVersion.objects.get().file
    assert api.delete(f"/api/v1/transcription/jobs/{transcribed.number}").status_code == 204
    from django.core.files.storage import default_storage

    assert not TranscriptVersion.objects.exists()
    assert not default_storage.exists(file)


def test_the_page_shows_the_latest(client, alice, transcribed, edit):
    segments, put = edit
    put([{**segments[0], "text": "Who wrote the speech?"}])
    client.force_login(alice)
    assert "Who wrote the speech?" in client.get(f"/jobs/{transcribed.uuid}").content.decode()


def test_answers_are_as_described(api, nobody, transcribed, edit):
    document = nobody.get("/api/v1/schema").json()
    address = "/api/v1/transcription/jobs/{job_id}"
    base = f"/api/v1/transcription/jobs/{transcribed.number}"
    segments, put = edit
    conforms(document, f"{address}/edit", "put", put(segments[:1]))
    conforms(document, f"{address}/edit", "get", api.get(f"{base}/edit"))
    conforms(document, f"{address}/versions", "get", api.get(f"{base}/versions"))
