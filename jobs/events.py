"""Rows that tell what happened to a job, for live progress, reconnects and the admin."""

from __future__ import annotations

from typing import Any

from django.db.models import F

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
    return list(JobEvent.objects.filter(job=job, seq__gt=seq).order_by("seq"))
