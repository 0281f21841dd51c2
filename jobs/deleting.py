"""Deleting a job, with everything that was stored for it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction
from django.db.models import Q

from . import files, lifecycle
from .errors import JobError
from .models import Job, Media


def delete(job: Job, *, actor: Any = None) -> None:
    """Cancel where needed, then remove the job, its earlier runs and their files. Repeating it after a crash is safe.

    The ledger keeps its entries, which carry the job's UUID and no reference.
    """
    runs = Job.objects.filter(Q(pk=job.number) | Q(origin_id=job.number))
    for run in runs:
        if not run.finished:
            with suppress(JobError):  # it finished meanwhile
                lifecycle.cancel(run, actor=actor)
        files.delete_folder(PurePosixPath("jobs", str(run.uuid)))
    media = Media.objects.filter(jobs__in=runs).distinct()
    unshared = [m for m in media if not m.jobs.exclude(pk__in=runs).exists()]
    for recording in unshared:
        files.delete(recording.file)
    with transaction.atomic():
        runs.delete()
        Media.objects.filter(pk__in=[m.pk for m in unshared]).delete()
