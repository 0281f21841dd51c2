"""What people call the speakers of a job. Who is not named is numbered."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from . import turns
from .errors import JobError
from .models import Job, SpeakerName

LONGEST = SpeakerName.LONGEST


def numbered(speaker: int) -> str:
    return f"Speaker {speaker + 1}"


def given(job: Job) -> dict[int, str]:
    """The names that people gave, by speaker: those that came with the job's turns, unless there is a later one."""
    return _sent(job) | dict(job.speaker_names.values_list("speaker", "name"))


def name_of(job: Job) -> Callable[[int], str]:
    """How each speaker of the job is called."""
    names = given(job)
    return lambda speaker: names.get(speaker) or numbered(speaker)


def call(job: Job, speaker: int, name: str) -> None:
    """Give a speaker a name; with an empty one they are numbered again.

    Raises JobError JOB_HAS_NO_TURNS, INVALID_OPTION for a speaker who is not in the job, and for a name that is too
    long or another's.
    """
    speakers = turns.speakers(job)
    if not speakers:
        raise JobError("JOB_HAS_NO_TURNS")
    if speaker not in speakers:
        raise _refused("There is no such speaker in this recording.")
    name = " ".join(name.replace("\0", "").split())
    if len(name) > LONGEST:
        raise _refused(f"A name has at most {LONGEST} characters.")
    if not name or name == (_sent(job).get(speaker) or numbered(speaker)):
        job.speaker_names.filter(speaker=speaker).delete()
        return
    called = name_of(job)
    if taken := next((called(other) for other in speakers if other != speaker and _same(called(other), name)), None):
        raise _refused(f"“{taken}” is another speaker of this recording. Give each a name of their own.")
    try:
        with transaction.atomic():
            job.speaker_names.filter(name=name).exclude(speaker__in=speakers).delete()  # of somebody corrected away
            job.speaker_names.update_or_create(speaker=speaker, defaults={"name": name})
    except IntegrityError as error:  # given to another in the same moment
        raise JobError("JOB_CHANGED") from error


def _sent(job: Job) -> dict[int, str]:
    return {speaker: name for speaker, name in enumerate(job.options.get("speaker_names", ())) if name}


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _refused(words: str) -> JobError:
    return JobError("INVALID_OPTION", words, details={"field": "name"})
