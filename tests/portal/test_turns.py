"""Correcting who spoke when in the portal: turns, speakers who are one, versions, and the tracks made anew."""

from __future__ import annotations

import csv
import io
import re
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from accounts import ledger
from audio_engine.transcription.transcript import Sentence, Transcript, Word
from jobs import correcting, deleting, lifecycle, naming, remaking, transcripts, turns
from jobs.errors import JobError
from jobs.models import Job, TurnVersion
from jobs.options import SpeakerOptions, TranscriptionOptions, stored
from tests.api.transcripts import succeed
from tests.racing import race

if TYPE_CHECKING:
    from jobs.models import Media

pytestmark = pytest.mark.django_db


def correct(client: Client, job: Job, action: str, **sent: Any) -> str:
    sent = {"version": turns.latest(job), "action": action} | sent
    answer = client.post(f"/jobs/{job.uuid}/turns", sent, follow=True)
    page = answer.content.decode()
    assert answer.status_code == 200 or "message error" in page
    return page


def exported(client: Client, job: Job) -> list[tuple[float, float, str]]:
    rows = csv.DictReader(io.StringIO(client.get(f"/jobs/{job.uuid}/export/csv").content.decode()))
    return [(float(row["start"]), float(row["end"]), row["speaker"]) for row in rows]


def whose(job: Job) -> list[int]:
    return [turn.speaker for turn in turns.current(job)]


def test_a_turn_is_given_to_another_and_everything_follows(alices: Client, finished: Job) -> None:
    before = exported(alices, finished)
    place = next(place for place, turn in enumerate(turns.current(finished)) if turn.speaker == 0)
    page = correct(alices, finished, "give", turn=place, speaker=1)
    assert "1 turn given to Speaker 2." in page
    assert "tracks not yet re-made" in page
    assert exported(alices, finished)[place] == (*before[place][:2], "Speaker 2")
    shown = alices.get(re.search(r'data-timeline="([^"]+)"', page)[1]).json()  # type: ignore[index]
    assert shown["turns"][place][2] == 1
    assert shown["tracks"] == []  # neither track has the turns that its speaker has now
    talk = {figures["speaker"]: figures for figures in turns.result(finished)["speakers"]}  # type: ignore[index]
    assert talk[1]["talk_seconds"] > {f["speaker"]: f for f in finished.result["speakers"]}[1]["talk_seconds"]  # type: ignore[index]
    assert talk[1]["loudness_lufs"] is None  # which only the engine can measure


def test_several_turns_become_a_new_speakers(alices: Client, finished: Job) -> None:
    page = correct(alices, finished, "give", turn=["0", "2"], speaker="new")
    assert "2 turns given to a new speaker." in page
    assert "<h3>Speaker 3</h3>" in page
    assert [whose(finished)[place] for place in (0, 2)] == [2, 2]
    correct(alices, finished, "undo")
    correct(alices, finished, "give", turn="0,1", speaker="new")
    assert whose(finished)[0] == 3  # a name that the first one got is not this one's


def test_a_turn_without_speech_is_removed(alices: Client, finished: Job) -> None:
    before = turns.current(finished)
    correct(alices, finished, "remove", turn=1)
    assert turns.current(finished) == (before[0], *before[2:])


@pytest.mark.parametrize(("start", "end"), [("0:01.5", "2,25"), ("1.5", "0:0:2.25")])
def test_a_turn_begins_and_ends_elsewhere(alices: Client, finished: Job, start: str, end: str) -> None:
    last = len(turns.current(finished)) - 1
    correct(alices, finished, "adjust", turn=last, start=start, end=end)
    assert any((turn.start, turn.end) == (1.5, 2.25) for turn in turns.current(finished))


def test_times_that_are_only_rounded_change_nothing(alices: Client, finished: Job) -> None:
    turn = turns.current(finished)[0]
    page = correct(alices, finished, "adjust", turn=0, start=f"{turn.start:.3f}", end=f"{turn.end:.3f}")
    assert "Nothing changed." in page
    assert turns.latest(finished) == 1


def test_two_speakers_become_one(alices: Client, finished: Job) -> None:
    naming.call(finished, 0, "Ana")
    page = alices.post(
        f"/jobs/{finished.uuid}/speakers/1/merge", {"version": 1, "into": 0}, follow=True
    ).content.decode()
    assert "Speaker 2 merged into Ana." in page
    assert "1 speaker<" in page
    assert set(whose(finished)) == {0}
    found = turns.current(finished)
    assert all(one.end <= other.start for one, other in pairwise(found))  # nobody overlaps themselves


def test_corrections_are_undone_one_by_one_and_none_is_lost(alices: Client, finished: Job) -> None:
    original = turns.current(finished)
    correct(alices, finished, "remove", turn=0)
    once = turns.current(finished)
    correct(alices, finished, "remove", turn=0)
    assert "Undone: 1 turn removed." in correct(alices, finished, "undo")
    assert turns.current(finished) == once
    page = correct(alices, finished, "undo")
    assert turns.current(finished) == original
    assert 'value="undo"' not in page
    assert "<strong>As the engine heard it</strong>" in page
    assert "There is no correction to undo." in correct(alices, finished, "undo")
    correct(alices, finished, "restore", to=3)
    assert len(turns.current(finished)) == len(original) - 2
    assert finished.result == Job.objects.get(pk=finished.pk).result


def test_what_was_made_of_an_older_version_is_told_and_not_saved(alices: Client, finished: Job) -> None:
    correct(alices, finished, "remove", turn=0)
    before = turns.current(finished)
    assert "corrected meanwhile" in correct(alices, finished, "remove", turn=3, version=1)
    assert turns.current(finished) == before


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_who_correct_at_once_one_is_told(finished: Job) -> None:
    outcomes = race([partial(correcting.remove, finished, 1, [place]) for place in (0, 1)], expected=JobError)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["JobError", "int"]
    assert finished.turn_versions.count() == 1


@pytest.mark.parametrize(
    ("action", "sent", "words"),
    [
        ("give", {"speaker": 1}, "Choose a turn first."),
        ("give", {"turn": 0}, "Choose a speaker to give the turns to."),
        ("give", {"turn": 0, "speaker": 7}, "There is no such speaker"),
        ("give", {"turn": 999, "speaker": 1}, "There is no such turn."),
        ("give", {"turn": "x", "speaker": 1}, "There is no such turn."),
        ("adjust", {"turn": 0, "start": "2", "end": "1"}, "A turn ends after it starts."),
        ("adjust", {"turn": 0, "start": "soon", "end": "1"}, "Give a time as"),
        ("adjust", {"turn": 0, "start": "nan", "end": "1"}, "must have times that are numbers"),
        ("adjust", {"turn": 0, "start": "1e6", "end": "2e6"}, "must lie in the recording"),
        ("adjust", {"turn": "0,1", "start": "1", "end": "2"}, "Choose one turn"),
        ("remove", {"turn": ",".join(map(str, range(99)))}, "There is no such turn."),
        ("restore", {"to": 5}, "There is no such version."),
        ("dance", {}, "Choose what to do"),
        ("remove", {"turn": 0, "version": "old"}, "This page is too old"),
    ],
)
def test_what_cannot_be_done_is_said(
    alices: Client, finished: Job, action: str, sent: dict[str, Any], words: str
) -> None:
    assert words in correct(alices, finished, action, **sent)
    assert turns.latest(finished) == 1


def test_all_turns_cannot_go(finished: Job) -> None:
    with pytest.raises(JobError, match="At least one turn has to stay"):
        correcting.remove(finished, 1, range(len(turns.current(finished))))


def test_nobody_else_corrects(bobs: Client, finished: Job) -> None:
    for path in ("turns", "speakers/0/merge", "remake"):
        assert bobs.post(f"/jobs/{finished.uuid}/{path}", {"version": 1, "into": 1}).status_code == 404


# --- the tracks


def test_tracks_are_made_anew_by_a_job_that_is_given_the_turns(alices: Client, finished: Job) -> None:
    naming.call(finished, 1, "Ben")
    correct(alices, finished, "give", turn="0,1,2", speaker="new")
    correcting.merge(finished, 2, 0, 1)
    available = ledger.available(finished.owner)
    again = alices.post(f"/jobs/{finished.uuid}/remake", follow=True).context["job"]
    options = stored(again.task, again.options)
    assert isinstance(options, SpeakerOptions)
    assert {row[2] for row in options.turns} == {0, 1}
    assert naming.given(again) == {0: "Ben"}
    assert (again.media, again.credits) == (finished.media, available - ledger.available(finished.owner))
    assert again.credits == 4  # 3 seconds at 1.1
    assert (
        f'from the corrected turns of <a href="/jobs/{finished.uuid}">'
        in alices.get(f"/jobs/{again.uuid}").content.decode()
    )
    assert "are being re-made" in alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert alices.post(f"/jobs/{finished.uuid}/remake", follow=True).context["job"] == again  # asked for twice
    lifecycle.cancel(again)
    assert "tracks not yet re-made" in alices.get(f"/jobs/{finished.uuid}").content.decode()
    assert alices.post(f"/jobs/{finished.uuid}/remake", follow=True).context["job"] != again


@pytest.mark.race
@pytest.mark.money
@pytest.mark.django_db(transaction=True)
def test_new_tracks_asked_for_twice_at_once_are_made_and_paid_once(finished: Job) -> None:
    correcting.remove(finished, 1, [0])
    available = ledger.available(finished.owner)
    one, other = race([partial(remaking.remake, finished)] * 2)
    assert one == other
    assert Job.objects.count() == 2
    assert available - ledger.available(finished.owner) == one.credits
    assert ledger.recount(finished.owner)[1] == one.credits


def test_what_was_not_corrected_needs_no_new_tracks(alices: Client, finished: Job) -> None:
    told = "The tracks are those of the turns as they are"
    assert told in alices.post(f"/jobs/{finished.uuid}/remake", follow=True).content.decode()
    correcting.remove(finished, 1, [0])
    correcting.undo(finished, 2)
    assert told in alices.post(f"/jobs/{finished.uuid}/remake", follow=True).content.decode()
    assert Job.objects.count() == 1


def test_who_cannot_pay_for_new_tracks_is_told(alices: Client, finished: Job) -> None:
    correcting.remove(finished, 1, [0])
    ledger.adjust(finished.owner, 1 - ledger.available(finished.owner), reason="tests", actor=finished.owner)
    page = alices.post(f"/jobs/{finished.uuid}/remake", follow=True).content.decode()
    assert "This costs 4 credits; you have 1." in page
    assert finished.turn_versions.get().remade is None


# --- names and what was said


def test_a_name_that_a_merged_speaker_left_can_be_given_again(finished: Job) -> None:
    naming.call(finished, 1, "Ana")
    correcting.merge(finished, 1, 1, 0)
    naming.call(finished, 0, "Ana")
    assert naming.given(finished) == {0: "Ana"}
    with pytest.raises(JobError, match="no such speaker"):
        naming.call(finished, 1, "Ben")


SAID = (
    Sentence(
        0.2,
        2.4,
        "Who wrote it? Lincoln.",
        0,
        (Word(0.2, 0.5, " Who", 0.9, 0), Word(0.5, 0.9, " wrote it?", 0.9, 0), Word(1.4, 2.4, " Lincoln.", 0.9, 0)),
    ),
    Sentence(2.4, 2.5, "A subtitle.", 0),
)


@pytest.fixture
def transcribed(media: Media, tmp_path: Path) -> Job:
    job = lifecycle.submit(media, "transcription", TranscriptionOptions())
    return succeed(job, tmp_path, Transcript("en", 0.9, SAID))


def lines(job: Job) -> list[tuple[str, int | None]]:
    return [(sentence.text, sentence.speaker) for sentence in transcripts.read(job).sentences]


def test_a_transcript_follows_where_turns_changed(alices: Client, transcribed: Job) -> None:
    assert [(turn.start, turn.speaker) for turn in turns.current(transcribed)] == [(0.1, 0), (1.2, 1)]
    page = correct(alices, transcribed, "give", turn=1, speaker="new")
    assert lines(transcribed) == [("Who wrote it?", 0), ("Lincoln.", 2), ("A subtitle.", 2)]
    assert "Version 2: Follows correction 1" in page
    assert "Re-make tracks" not in page  # there are none
    correct(alices, transcribed, "undo")
    assert [speaker for _, speaker in lines(transcribed)] == [0, 1, 1]  # as the turns say


def test_a_correction_that_came_too_late_leaves_no_transcript(
    transcribed: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.files.storage import default_storage

    correcting.give(transcribed, 1, [1], correcting.NEW)
    folder = str(transcribed.folder())
    kept = default_storage.listdir(folder)[1]
    monkeypatch.setattr(turns, "latest", lambda _: 1)  # as another request saw it a moment ago
    with pytest.raises(JobError) as refused:
        correcting.give(transcribed, 1, [1], correcting.NEW)
    assert refused.value.code == "JOB_CHANGED"
    assert default_storage.listdir(folder)[1] == kept


def test_corrections_go_with_their_job(finished: Job) -> None:
    correcting.remove(finished, 1, [0])
    deleting.delete(finished)
    assert not TurnVersion.objects.exists()
