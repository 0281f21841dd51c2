"""Rows that tell what happened to a job, for live progress, reconnects and the admin."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q

from . import hints
from .models import Job, JobEvent


def record(job: Job, kind: JobEvent.Kind, data: dict[str, Any], actor: Any = None) -> JobEvent:
    """Write the event whose seq the caller has just given to `job.event_seq` in the same transaction."""
    hints.send_on_commit()
    return JobEvent.objects.create(job=job, seq=job.event_seq, kind=kind, data=data, actor=actor)


def next_seq() -> F:
    """For the guarded UPDATE of a job: the row lock it takes is what makes seq dense."""
    return F("event_seq") + 1


def after(job: Job, seq: int) -> list[JobEvent]:
    return between(job.pk, seq, job.event_seq)


def between(job: int, after: int, newest: int) -> list[JobEvent]:
    """What happened to the job of that primary key, to be told to somebody who saw the event `after`.

    Of progress only what is as new as `newest`: whoever comes late needs no more.
    """
    missed = JobEvent.objects.filter(job=job, seq__gt=after).order_by("seq")
    return list(missed.filter(Q(kind=JobEvent.Kind.STATE) | Q(seq__gte=newest)))
