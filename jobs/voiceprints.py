"""Voices that their owners keep under names, to be known again in other recordings.

One is taken from what a finished job found out about a speaker, or learned from a sample by a job of its own, whose end
fills it in, in the same transaction. Only voiceprints of one model can be compared, so each says which made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from audio_engine import types
from audio_engine.formats import voiceprint_to_text

from .errors import JobError
from .models import Job, Voiceprint

MOST = 1_000  # of an account


def find(owner: User, uuid: UUID) -> Voiceprint:
    """Raises JobError VOICEPRINT_NOT_FOUND, for other people's too."""
    found = owner.voiceprints.filter(uuid=uuid).first()
    if found is None:
        raise JobError("VOICEPRINT_NOT_FOUND")
    return found


def take(name: str, job: Job, speaker: str, name_of: Callable[[int], str]) -> Voiceprint:
    """Keep the voice of one of a job's speakers, who are called as `name_of` says; of a job that learned a voice, that.

    Raises JobError JOB_HAS_NO_RESULT, JOB_HAS_NO_VOICEPRINT, INVALID_OPTION, VOICEPRINT_EXISTS, TOO_MANY_VOICEPRINTS.
    """
    if job.result is None:
        raise JobError("JOB_HAS_NO_RESULT")
    return _create(name, job, **_columns(job.result, _made(job.result, speaker, name_of)))


def learn(name: str, job: Job) -> Voiceprint:
    """Reserve a name for the voice that a job is to learn. Raises JobError VOICEPRINT_EXISTS, TOO_MANY_VOICEPRINTS."""
    return _create(name, job)


def learned(job: Job) -> None:
    """A job has succeeded: if it was to learn a voice that is kept, here that is. To be called in its transaction."""
    if job.task == "voiceprint" and job.result is not None:
        waiting = Voiceprint.objects.filter(job=job.number, text="")
        waiting.update(**_columns(job.result, job.result["voiceprint"]))


def rename(voiceprint: Voiceprint, name: str) -> Voiceprint:
    """Raises JobError VOICEPRINT_EXISTS."""
    voiceprint.name = name
    try:
        with transaction.atomic():
            voiceprint.save(update_fields=["name"])
    except IntegrityError as error:
        raise JobError("VOICEPRINT_EXISTS", details={"field": "name"}) from error
    return voiceprint


def latest_runs(kept: Iterable[Voiceprint]) -> dict[int | None, Job]:
    """Of the jobs that they are from, by number, as far as these are not deleted."""
    numbers = [voiceprint.job_id for voiceprint in kept if voiceprint.job_id]
    runs = Job.objects.filter(Q(pk__in=numbers) | Q(origin_id__in=numbers)).order_by("pk").defer("result")
    return {run.number: run for run in runs}


def known(owner: User, voices: Sequence[str]) -> list[Voiceprint]:
    """Those of these names or ids, in that order, to compare speakers with.

    Raises JobError VOICEPRINT_NOT_FOUND, VOICEPRINT_NOT_LEARNED, VOICEPRINTS_DIFFER.
    """
    named = Q(name__in=voices) | Q(uuid__in=[uuid for uuid in map(_uuid, voices) if uuid])
    kept = list(owner.voiceprints.filter(named))
    by_call = {str(voiceprint.uuid): voiceprint for voiceprint in kept} | {its.name: its for its in kept}
    found = {}
    for voice in voices:
        voiceprint = by_call.get(voice) or by_call.get(voice.lower())  # as some write a UUID
        if voiceprint is None:
            raise JobError("VOICEPRINT_NOT_FOUND", f"You have no voiceprint {voice!r}.", details={"voice": voice})
        if not voiceprint.text:
            raise JobError("VOICEPRINT_NOT_LEARNED", details={"voice": voice})
        found[voiceprint.pk] = voiceprint
    _check_comparable({its.name: its.model for its in found.values()})
    return list(found.values())


def _made(result: Mapping[str, Any], speaker: str, name_of: Callable[[int], str]) -> Mapping[str, Any]:
    if "voiceprint" in result:
        return dict(result["voiceprint"])
    made = dict(zip(map(name_of, count()), result.get("voiceprints") or [], strict=False))
    if not made:
        raise JobError("JOB_HAS_NO_VOICEPRINT")
    if speaker not in made:
        rule = f"must be one of {', '.join(made)}"
        raise JobError("INVALID_OPTION", f"speaker {rule}.", details={"field": "speaker", "rule": rule})
    if made[speaker] is None:
        raise JobError("JOB_HAS_NO_VOICEPRINT", f"Too little was heard of {speaker} alone to make a voiceprint.")
    return dict(made[speaker])


def _check_comparable(models: Mapping[str, str]) -> None:
    if len(set(models.values())) > 1:
        told = ", ".join(f"{name!r} was made by {model}" for name, model in models.items())
        message = f"Only voiceprints of one model can be compared: {told}."
        raise JobError("VOICEPRINTS_DIFFER", message, details={"models": dict(models)})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _columns(result: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, str]:
    text = voiceprint_to_text(types.Voiceprint(made["model"], tuple(made["vector"])))
    return {"engine": result["engine"], "model": made["model"], "text": text}


def _create(name: str, job: Job, **columns: str) -> Voiceprint:
    with transaction.atomic():
        User.objects.select_for_update().get(pk=job.owner_id)  # no two at once into the last place
        if job.owner.voiceprints.count() >= MOST:
            raise JobError("TOO_MANY_VOICEPRINTS", details={"limit": MOST})
        try:
            with transaction.atomic():
                return Voiceprint.objects.create(owner=job.owner, name=name, job_id=job.number, **columns)
        except IntegrityError as error:
            raise JobError("VOICEPRINT_EXISTS", details={"field": "name"}) from error
