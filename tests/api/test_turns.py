"""Correcting who spoke when by a program: all turns at once, against the version that was read."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import correcting, lifecycle, naming, turns
from jobs.models import Job
from tests.api.programs import TURNS
from tests.api.test_schema import conforms

WANTED = [
    {"start": 0.1, "end": 1.0, "speaker": "SPEAKER_1", "confidence": 90},
    {"start": 1.0, "end": 2.0, "speaker": "Ana"},
    {"start": 2.0, "end": 2.5, "speaker": "SPEAKER_1"},
]


@pytest.fixture
def document(nobody: Any) -> Any:
    return nobody.get("/api/v1/schema").json()


def put(api: Any, job: Job, **body: Any) -> Any:
    return api.send("put", f"jobs/{job.number}/turns", body)


def test_turns_are_read_and_sent_back_and_nothing_changes(api, finished):
    told = api.send("get", f"jobs/{finished.number}/turns").json()
    assert (told["version"], told["versions"], told["tracks_follow"], told["remade_as"]) == (1, [], True, None)
    assert told["speakers"] == [
        {"id": 0, "label": "SPEAKER_0", "name": "Speaker 1"},
        {"id": 1, "label": "SPEAKER_1", "name": "Speaker 2"},
    ]
    assert [(turn["start"], turn["end"]) for turn in told["turns"]] == [(turn.start, turn.end) for turn in TURNS]
    assert put(api, finished, version=1, turns=told["turns"]).json() == told


def test_a_correction_is_a_version_with_new_speakers_and_their_names(api, document, finished):
    before = api.send("get", f"jobs/{finished.number}").json()["result"]
    answer = put(api, finished, version=1, turns=WANTED)
    conforms(document, "/api/v1/jobs/{job_id}/turns", "put", answer)
    told = answer.json()
    assert [turn["speaker"] for turn in told["turns"]] == ["SPEAKER_1", "SPEAKER_2", "SPEAKER_1"]
    assert told["speakers"][1] == {"id": 2, "label": "SPEAKER_2", "name": "Ana"}
    assert (told["version"], told["versions"][0]["what"]) == (2, "Replaced by 3 turns")
    assert told["tracks_follow"] is False
    exported = api.send("get", f"jobs/{finished.number}/export?format=rttm").content.decode()
    assert [line.split()[7] for line in exported.splitlines()] == ["SPEAKER_1", "Ana", "SPEAKER_1"]
    assert api.send("get", f"jobs/{finished.number}").json()["result"]["timeline"] == before["timeline"]


def test_an_export_as_rttm_can_be_corrected_and_sent_back(api, finished):
    naming.call(finished, 0, 'Ana "Mia" Lee')
    text = api.send("get", f"jobs/{finished.number}/export?format=rttm").content.decode()
    assert put(api, finished, version=1, turns=text).json()["version"] == 1  # nothing changed
    told = put(api, finished, version=1, turns=text.replace(" SPEAKER_1 ", " Ben ")).json()
    assert [speaker["name"] for speaker in told["speakers"]] == ['Ana "Mia" Lee', "Ben"]


def test_speakers_may_be_called_as_in_the_portal(api, finished):
    told = put(api, finished, version=1, turns=[{"start": 0, "end": 1, "speaker": "Speaker 2"}]).json()
    assert [speaker["id"] for speaker in told["speakers"]] == [1]


def test_of_two_programs_the_later_is_told(api, finished):
    assert put(api, finished, version=1, turns=WANTED).status_code == 200
    answer = put(api, finished, version=1, turns=WANTED[:1])
    assert (answer.status_code, answer.json()["code"]) == (409, "JOB_CHANGED")
    assert len(turns.current(finished)) == 3


def test_an_earlier_version_is_had_again(api, finished):
    put(api, finished, version=1, turns=WANTED)
    told = put(api, finished, version=2, restore=1).json()
    assert (told["version"], told["tracks_follow"]) == (3, True)
    assert turns.current(finished) == turns.current(finished, 1)


def test_the_tracks_are_made_anew_by_another_job(api, document, finished):
    put(api, finished, version=1, turns=WANTED)
    answer = api.send("post", f"jobs/{finished.number}/remake")
    conforms(document, "/api/v1/jobs/{job_id}/remake", "post", answer)
    job = answer.json()
    assert (job["credits_required"], job["options"]["speaker_names"]) == (4, ["", "Ana"])
    assert api.send("post", f"jobs/{finished.number}/remake").json()["id"] == job["id"]
    assert api.send("get", f"jobs/{finished.number}/turns").json()["remade_as"] == job["id"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"turns": WANTED}, 400, "version"),
        ({"version": 1}, 400, "either turns or restore"),
        ({"version": 1, "turns": WANTED, "restore": 1}, 400, "either turns or restore"),
        ({"version": 1, "turns": []}, 400, "There is no turn"),
        ({"version": 1, "restore": 1}, 404, "no such version"),
        ({"version": 7, "turns": WANTED}, 409, "changed in the meantime"),
        ({"version": 1, "turns": [{"start": 3.5, "end": 4, "speaker": 0}]}, 422, "must lie in the recording"),
        ({"version": 1, "turns": [{"start": 0, "end": 1, "speaker": 0, "confidence": 101}]}, 400, "confidence"),
    ],
)
def test_what_cannot_be_done_is_a_problem(api, finished, body, status, words):
    answer = put(api, finished, **body)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code in (status, 422) if status == 400 else answer.status_code == status
    assert words in answer.content.decode()
    assert turns.latest(finished) == 1


def test_only_what_has_turns_is_corrected_and_only_by_its_owner(api, bobs, queued):
    assert api.send("get", f"jobs/{queued.number}/turns").json()["code"] == "JOB_HAS_NO_RESULT"
    assert put(api, queued, version=1, turns=WANTED).status_code == 409
    assert put(bobs, queued, version=1, turns=WANTED).status_code == 404
    assert bobs.send("post", f"jobs/{queued.number}/remake").status_code == 404


def test_what_was_not_corrected_is_not_made_anew(api, finished):
    assert api.send("post", f"jobs/{finished.number}/remake").json()["code"] == "NOTHING_TO_REMAKE"
    correcting.remove(finished, 1, [0])
    again = api.send("post", f"jobs/{finished.number}/remake").json()["id"]
    lifecycle.cancel(Job.objects.get(pk=again))
    assert api.send("post", f"jobs/{finished.number}/remake").json()["id"] != again
