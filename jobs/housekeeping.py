"""Removing what nobody needs any more. Whatever is cut short here is done by the next round, on any host."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from pathlib import PurePosixPath
from shutil import rmtree

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import idempotency
from accounts.models import RequestCount

from . import deleting, files, ingest, uploads
from .models import Job, JobEvent, Media, Upload, Voiceprint, WebhookDelivery

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
SCRATCH_LIFE = 2 * DAY
UNUSED_KEPT = ingest.UNUSED_LIFE + timedelta(hours=1)  # who takes it up in the last moment has its job by then


def tidy() -> None:
    delete_old_jobs()
    delete_old_outputs()
    delete_voiceprints()
    delete_unused_media()
    delete_expired_uploads()
    delete_lost_attempts()
    delete_unknown_folders()
    delete_progress()
    delete_old_deliveries()
    delete_expired_requests()
    delete_stale_scratch()


def delete_old_jobs() -> None:
    """Jobs that finished longer ago than files are to be kept, with their files."""
    if not settings.RETENTION_DAYS:
        return
    limit = timezone.now() - timedelta(days=settings.RETENTION_DAYS)
    for job in Job.objects.filter(status__in=Job.TERMINAL, finished_at__lt=limit, retry__isnull=True).iterator():
        deleting.delete(job)


def delete_old_outputs() -> None:
    """What jobs of other vendors' surfaces were made of and what came out, after as long as those promise to keep it.

    The jobs stay, and so do webhooks that are still to be sent.
    """
    for surface, hours in settings.OUTPUT_HOURS.items():
        if hours:
            limit = timezone.now() - timedelta(hours=hours)
            old = Job.objects.filter(surface=surface, status__in=Job.TERMINAL, finished_at__lt=limit)
            for job in old.exclude(media=None, result=None).defer("result").iterator():
                delete_output(job)
            WebhookDelivery.objects.filter(job__in=old).exclude(state__in=WebhookDelivery.UNSENT).delete()


def delete_output(job: Job) -> None:
    """Of a finished job, with the recording where no other job uses it."""
    files.delete_folder(PurePosixPath("jobs", str(job.uuid)))
    with transaction.atomic():
        media = Media.objects.select_for_update().filter(pk=job.media_id).first()
        job.tracks.all().delete()
        job.transcript_versions.all().delete()
        options = {name: value for name, value in job.options.items() if name != "known"}  # people's voiceprints
        Job.objects.filter(pk=job.pk).update(result=None, media=None, options=options)
        unused = media if media and not media.jobs.exists() else None
        if unused:
            unused.delete()
    if unused:
        files.delete(unused.file)


def delete_voiceprints() -> None:
    """Of accounts that are closed, which means deactivated: what tells people apart is not kept for nobody."""
    Voiceprint.objects.filter(owner__is_active=False).delete()


def delete_unused_media() -> None:
    """Recordings that came in but whose job was never made: nobody asked for one, or the server ended in between."""
    for media in Media.objects.filter(jobs__isnull=True, created_at__lt=timezone.now() - UNUSED_KEPT).iterator():
        files.delete(media.file)
        media.delete()


def delete_expired_uploads() -> None:
    """Those that never came to their end, and the traces of those that did."""
    for upload in Upload.objects.filter(created_at__lt=timezone.now() - UNUSED_KEPT).iterator():
        uploads.remove(upload)


def delete_lost_attempts() -> None:
    """Files of attempts that did not finish a job, left by workers that were killed while they stored them."""
    recent = Job.objects.filter(status__in=Job.TERMINAL, finished_at__gt=timezone.now() - 2 * DAY, attempt__gt=0)
    for job in recent.exclude(status=Job.Status.SUCCEEDED, attempt=1).iterator():
        folder = PurePosixPath("jobs", str(job.uuid))
        kept = job.folder() if job.status == Job.Status.SUCCEEDED else None
        for attempt in files.folders(folder):
            if attempt != kept:
                files.delete_folder(attempt)


def delete_unknown_folders() -> None:
    """Folders of the storage that no row knows, left where a process was killed between a file and its row."""
    found = [folder for kind in ("media", "jobs", "uploads") for folder in files.folders(PurePosixPath(kind))]
    known = {PurePosixPath(file).parent.name for file in Media.objects.values_list("file", flat=True)}
    known |= {str(uuid) for uuid in Job.objects.values_list("uuid", flat=True)}
    known |= {str(uuid) for uuid in Upload.objects.values_list("uuid", flat=True)}
    for folder in found:
        if folder.name not in known and files.last_change(folder) < timezone.now() - DAY:
            files.delete_folder(folder)


def delete_progress() -> None:
    """Progress is of use while somebody watches; the changes of state stay."""
    limit = timezone.now() - DAY
    JobEvent.objects.filter(
        kind=JobEvent.Kind.PROGRESS, job__status__in=Job.TERMINAL, job__finished_at__lt=limit
    ).delete()


def delete_old_deliveries() -> None:
    """What arrived, or was given up, longer ago than the log of webhooks is to reach."""
    limit = timezone.now() - timedelta(days=settings.WEBHOOK_LOG_DAYS)
    WebhookDelivery.objects.exclude(state__in=WebhookDelivery.UNSENT).filter(finished_at__lt=limit).delete()


def delete_expired_requests() -> None:
    RequestCount.objects.filter(expires_at__lt=timezone.now()).delete()
    idempotency.prune()


def delete_stale_scratch() -> None:
    """Folders of processes that were killed; no work takes as long as these are old."""
    limit = time.time() - SCRATCH_LIFE.total_seconds()
    for path in settings.SCRATCH_DIR.iterdir():
        if path.is_dir() and path.stat().st_mtime < limit:
            rmtree(path, ignore_errors=True)
        elif path.is_file() and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
