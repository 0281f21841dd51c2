"""The work asked for on a recording, what happened meanwhile and what came out."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .recordings import Media


class Job(models.Model):
    """One run of the engine over one recording. Only lifecycle.py changes a status; a finished row never changes."""

    class Status(models.TextChoices):
        PENDING = "pending"  # waits to be fetched from its URL
        FETCHING = "fetching"
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    TERMINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)
    LEASED = (Status.FETCHING, Status.RUNNING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="jobs")
    media = models.ForeignKey(Media, models.SET_NULL, null=True, blank=True, related_name="jobs")
    name = models.CharField(max_length=255)
    source_url = models.URLField(max_length=2000, blank=True)
    task = models.CharField(max_length=20)  # one of audio_engine.types.TASKS
    options = models.JSONField(default=dict)  # as its JobOptions.to_json
    priority = models.SmallIntegerField(default=0)
    webhook_url = models.URLField(max_length=2000, blank=True)  # told of the job's end, besides the account's endpoints
    webhook_form = models.CharField(max_length=40, blank=True)  # one of webhooks.FORMS
    surface = models.CharField(max_length=20, blank=True)  # the other vendor's API that it came by
    asked = models.JSONField(default=dict, blank=True)  # there, that only its answers depend on

    # A retry is a new row, so that finished rows stand; it keeps the number that clients know the work by.
    origin = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="+")
    retry_of = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="retry")

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stage = models.CharField(max_length=20, blank=True)
    progress = models.FloatField(default=0)  # 0 to 1
    attempt = models.PositiveIntegerField(default=0)  # rises at each claim: the fencing token
    losses = models.PositiveIntegerField(default=0)  # times a worker was lost or failed while it held the job
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    event_seq = models.PositiveIntegerField(default=0)

    credits = models.PositiveIntegerField(null=True, blank=True)  # held or captured; None until the length is known
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    error_details = models.JSONField(default=dict, blank=True)
    result = models.JSONField(null=True, blank=True)  # audio_engine's Result of the task, as JSON

    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["owner", "-id"], name="job_by_owner"),
            models.Index(
                fields=["status", "-priority", "id"],
                name="job_waiting_or_leased",
                condition=Q(status__in=["pending", "fetching", "queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"Job {self.number}: {self.name}"

    @property
    def number(self) -> int:
        """The integer that API clients know this work by; the same for a job and its retries."""
        return self.origin_id or self.pk

    @property
    def finished(self) -> bool:
        return self.status in self.TERMINAL

    def folder(self) -> PurePosixPath:
        """Where the files of this attempt go in the default storage; a lost worker's files never meet the winner's."""
        return PurePosixPath("jobs", str(self.uuid), str(self.attempt))


class JobEvent(models.Model):
    """What happened to a job, in order. `seq` is dense for each job: ids become visible out of order on PostgreSQL."""

    class Kind(models.TextChoices):
        STATE = "state"
        PROGRESS = "progress"

    job = models.ForeignKey(Job, models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    data = models.JSONField(default=dict)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["job", "seq"]
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="one_event_a_seq")]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Track(models.Model):
    """A file that a job left: one speaker's audio, the RTTM, the JSON, how sure the engine is of each moment, what was
    said.
    """

    class Kind(models.TextChoices):
        AUDIO = "audio"
        RTTM = "rttm"
        JSON = "json"
        CONFIDENCE = "confidence"
        TRANSCRIPT = "transcript"
        TXT = "txt"
        SRT = "srt"
        VTT = "vtt"

    job = models.ForeignKey(Job, models.CASCADE, related_name="tracks")
    kind = models.CharField(max_length=10)  # one of Kind
    speaker = models.PositiveSmallIntegerField(null=True, blank=True)
    file = models.CharField(max_length=200)  # name in the default storage
    bytes = models.BigIntegerField()

    class Meta:
        ordering = ["job", "kind", "speaker"]
        constraints = [models.UniqueConstraint(fields=["job", "file"], name="one_row_a_file")]

    def __str__(self) -> str:
        return self.file

    @property
    def name(self) -> str:
        return PurePosixPath(self.file).name


def owned_by(user: Any) -> models.QuerySet[Job]:
    """The jobs a user sees: their own, each only in its latest run."""
    return Job.objects.filter(owner=user, retry__isnull=True)
