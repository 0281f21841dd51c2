"""Making a job's tracks anew from corrected turns: by a job of its own on the same recording, so nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction

from audio_engine.registry import AUTO

from . import given, lifecycle, naming, pricing, turns
from .errors import JobError
from .models import Job, TurnVersion
from .options import SpeakerOptions, stored

TASK = "extraction"  # the one that makes tracks of turns


def remake(job: Job, *, actor: Any = None) -> Job:
    """The job that makes the tracks of the latest turns, which is the same however often it is asked for.

    Raises JobError NOTHING_TO_REMAKE, MEDIA_NOT_FOUND; ledger.InsufficientCredits.
    """
    version = wanting(job)
    if version is None:
        raise JobError("NOTHING_TO_REMAKE")
    if job.media is None:
        raise JobError("MEDIA_NOT_FOUND", "The job's recording has been deleted.")
    made = under_way(version)
    if made is not None:
        return made
    assert job.result is not None
    heard = job.result["media"]["seconds"]
    with transaction.atomic():
        again = lifecycle.submit(job.media, TASK, options(job), decoded_seconds=heard, actor=actor)
        if TurnVersion.objects.filter(pk=version.pk, remade=version.remade).update(remade=again):
            return again
        transaction.set_rollback(True)  # another request was faster
    version.refresh_from_db()
    return version.remade or remake(job, actor=actor)


def wanting(job: Job) -> TurnVersion | None:
    """The correction that the job's own tracks do not follow; None where there is none, or there are no such tracks."""
    version = job.turn_versions.order_by("number").last()
    if version is None or job.task != TASK or version.like == turns.FIRST:
        return None
    return version


def under_way(version: TurnVersion) -> Job | None:
    """The job that makes the tracks of a correction, or made them. One that came to nothing is none."""
    made = version.remade
    return None if made is None or made.status in (Job.Status.FAILED, Job.Status.CANCELED) else made


def price(job: Job) -> int:
    """What `remake` will cost."""
    assert job.media is not None
    return pricing.price(TASK, job.media.seconds, gives_turns=True)


def options(job: Job) -> SpeakerOptions:
    """The job's own, with the latest turns and the names of those who speak in them."""
    present = turns.current(job)
    number = {speaker: index for index, speaker in enumerate(sorted({turn.speaker for turn in present}))}
    before = stored(job.task, job.options)
    assert isinstance(before, SpeakerOptions)
    names = naming.given(job)
    return replace(
        before,
        engine=AUTO,
        num_speakers=None,
        min_speakers=None,
        max_speakers=None,
        speech_threshold=None,
        voiceprints=False,
        turns=given.rows(replace(turn, speaker=number[turn.speaker]) for turn in present),
        speaker_names=tuple(names.get(speaker, "") for speaker in number),
    )
