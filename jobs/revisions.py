"""Transcripts that people corrected: each correction is a version of its own, and the engine's stays the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction

from audio_engine.transcription.transcript import Sentence, Transcript, transcript_json

from . import files, transcripts
from .errors import JobError
from .models import Job, TranscriptVersion

LONGEST_TEXT = 5000  # characters of a sentence
LONGEST_NOTES = 2000


@dataclass(frozen=True, slots=True)
class Edit:
    """A sentence as somebody wants it. `number` is that of the sentence it was, None for a new one."""

    number: int | None
    start: float
    end: float
    text: str
    speaker: int | None


def revise(job: Job, edits: Sequence[Edit], notes: str = "", base: int | None = None) -> tuple[int, int]:
    """Replace the transcript by `edits`; what is not among them goes. `base` is the version that they were made of,
    the latest if None. Returns the number of the version that counts now and how many sentences changed, came or
    went: without any there is no new version.

    A sentence whose text changed keeps no words, since nobody knows their times. Raises JobError as `transcripts.read`
    does, INVALID_OPTION for a number that there is not or twice and for a new text that is too long, JOB_CHANGED where
    another revision was faster.
    """
    number = transcripts.latest(job)
    if base not in (None, number):
        raise JobError("JOB_CHANGED")
    present = transcripts.read(job, number)
    before = dict(enumerate(present.sentences))
    known = [edit.number for edit in edits if edit.number is not None]
    if len(known) != len(set(known)) or not before.keys() >= set(known):
        raise JobError(
            "INVALID_OPTION", "segments: An id is no segment's, or is there twice.", details={"field": "segments"}
        )
    if any(len(edit.text) > LONGEST_TEXT and edit.text != _text(edit, before) for edit in edits):
        raise JobError(
            "INVALID_OPTION", f"A line has more than {LONGEST_TEXT:,} characters.", details={"field": "segments"}
        )
    sentences = [_revised(edit, before) for edit in edits]
    changes = len(before) - len(known) + sum(before.get(e.number) != s for e, s in zip(edits, sentences, strict=True))
    if not changes:
        return number, 0
    revised = replace(present, sentences=tuple(sorted(sentences, key=lambda its: (its.start, its.end))))
    return _keep(job, number + 1, revised, notes, changes), changes


def restore(job: Job, version: int) -> int:
    """Make an earlier version the one that counts, as a version of its own, so that this too can be taken back.
    Returns its number. Raises JobError as `transcripts.read` does, JOB_CHANGED where another revision was faster.
    """
    number = transcripts.latest(job)
    earlier, present = (transcripts.read(job, its).sentences for its in (version, number))
    changes = len(set(earlier) ^ set(present))
    if not changes:
        return number
    return _keep(job, number + 1, transcripts.read(job, version), f"Version {version} again", changes)


@contextmanager
def stored(job: Job, number: int, revised: Transcript, notes: str, changes: int) -> Iterator[Callable[[], None]]:
    """Stores the file of a version and gives what makes its row. Where that raises, the file is removed again."""
    with files.scratch() as folder, files.disk_errors():
        local = folder / "transcript.json"
        local.write_text(transcript_json(revised), encoding="utf-8")
        name = files.store(local, job.folder() / f"transcript.{number}.json")

    def keep() -> None:
        TranscriptVersion.objects.create(job=job, number=number, file=name, notes=notes, changes=changes)

    try:
        yield keep
    except BaseException:  # whatever it was: no row leads to the file, so nobody would remove it
        files.delete(name)
        raise


def _keep(job: Job, number: int, revised: Transcript, notes: str, changes: int) -> int:
    try:
        with stored(job, number, revised, notes, changes) as keep, transaction.atomic():
            keep()
    except IntegrityError as error:
        raise JobError("JOB_CHANGED") from error
    return number


def _text(edit: Edit, before: Mapping[int | None, Sentence]) -> str | None:
    """What the sentence said that is edited; None for a new one."""
    old = before.get(edit.number)
    return old.text if old else None


def _revised(edit: Edit, before: Mapping[int | None, Sentence]) -> Sentence:
    words = before[edit.number].words if edit.text == _text(edit, before) else ()
    return Sentence(edit.start, edit.end, edit.text, edit.speaker, words)
