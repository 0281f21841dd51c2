"""A recording, the work asked for on it, what happened meanwhile and what came out."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .naming import SpeakerName as SpeakerName  # models of this app
from .turns import TurnVersion as TurnVersion


class Media(models.Model):
    """A stored recording. The file's name is the server's; the user's own name is only shown."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="media")
    file = models.CharField(max_length=200)  # name in the default storage, under media/<uuid>/
    name = models.CharField(max_length=255)
    source_url = models.URLField(max_length=2000, blank=True)
    bytes = models.BigIntegerField()
    seconds = models.FloatField()
    container = models.CharField(max_length=60)
    codec = models.CharField(max_length=40)
    sample_rate = models.PositiveIntegerField()
    channels = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=255, blank=True)  # what programs of its owner call it; the newest one counts
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "media"
        indexes = [models.Index(fields=["owner", "key", "-id"], name="media_by_key", condition=~Q(key=""))]

    def __str__(self) -> str:
        return self.name


class Upload(models.Model):
    """A recording on its way in by parts or to the bucket. With its last byte it becomes the Media of the same uuid."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)
    metadata = models.TextField(blank=True)  # as its client sent it
    length = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)  # bytes that are here
    direct = models.BooleanField(default=False)  # it is sent whole and straight to the bucket; `length` is the most
    key = models.CharField(max_length=255, blank=True)  # as the Media is to have it
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.offset} of {self.length} bytes"

    @property
    def complete(self) -> bool:
        return self.offset == self.length


class UploadPart(models.Model):
    """Bytes of an upload that are here, as a file of their own until they all are."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="parts")
    offset = models.BigIntegerField()
    file = models.CharField(max_length=200)  # name in the default storage, under uploads/<uuid>/

    class Meta:
        ordering = ["offset"]
        constraints = [models.UniqueConstraint(fields=["upload", "offset"], name="one_part_an_offset")]

    def __str__(self) -> str:
        return self.file


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


class TranscriptVersion(models.Model):
    """A transcript as somebody corrected it. The engine's own is version 1 and has no row."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="transcript_versions")
    number = models.PositiveIntegerField()
    file = models.CharField(max_length=200)  # name in the default storage
    notes = models.TextField(blank=True)
    changes = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["job", "number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_row_a_transcript_version")]

    def __str__(self) -> str:
        return f"Version {self.number}"


class Voiceprint(models.Model):
    """A voice that its owner keeps under a name, to be known again. Biometric data, so no page of staff's shows it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="voiceprints")
    name = models.CharField(max_length=100)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+")  # the first run of the one it is from
    engine = models.CharField(max_length=40, blank=True)  # this and the next two are empty until it is learned
    model = models.CharField(max_length=100, blank=True)
    text = models.TextField(blank=True)  # as audio_engine.formats writes it
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_voiceprint_a_name")]

    def __str__(self) -> str:
        return self.name


class SigningSecret(models.Model):
    """Signs webhooks. The secret is made from the server's own (signatures.py), so no copy of the database has it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    secret_version = models.PositiveIntegerField(default=1)
    previous_secret_until = models.DateTimeField(null=True, blank=True)  # until then both sign

    class Meta:
        abstract = True


class JobWebhookSecret(SigningSecret):
    """Signs what an account's single jobs send to URLs of their own."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="job_webhook_secret")

    def __str__(self) -> str:
        return f"Version {self.secret_version}"


class WebhookEndpoint(SigningSecret):
    """An address of a user's that is told how each of their jobs ended."""

    class Off(models.TextChoices):
        OWNER = "owner", "switched off by its owner"
        GONE = "gone", "switched off: it answered 410 Gone"
        FAILING = "failing", "switched off: nothing arrived there for days"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="webhook_endpoints")
    url = models.URLField(max_length=2000)
    events = models.JSONField(default=list)
    description = models.CharField(max_length=200, blank=True)
    off = models.CharField(max_length=7, choices=Off.choices, blank=True)  # empty while it is active
    failing_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url

    @property
    def active(self) -> bool:
        return not self.off


class WebhookDelivery(models.Model):
    """One event on its way to one address: the outbox, and afterwards the log. The body is fixed from the start."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"  # under a lease, which ends at due_at
        DELIVERED = "delivered"
        FAILED = "failed"

    UNSENT = (State.WAITING, State.SENDING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="webhook_deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, null=True, blank=True, related_name="deliveries")
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="webhook_deliveries")
    url = models.URLField(max_length=2000)  # as it was at the last attempt
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=20)
    body = models.TextField()

    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)  # rises at each claim: the fencing token
    failures = models.PositiveIntegerField(default=0)  # since it was made, or was last sent anew
    started_at = models.DateTimeField(default=timezone.now)  # when it was made, or was last sent anew
    attempted_at = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_excerpt = models.TextField(blank=True)
    error = models.CharField(max_length=20, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "endpoint"], name="one_delivery_an_endpoint"),
            models.UniqueConstraint(fields=["event_id"], condition=Q(endpoint=None), name="one_delivery_a_job_url"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="delivery_unsent", condition=Q(state__in=["waiting", "sending"])),
            models.Index(fields=["owner", "-id"], name="delivery_by_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} to {self.url}"


def owned_by(user: Any) -> models.QuerySet[Job]:
    """The jobs a user sees: their own, each only in its latest run."""
    return Job.objects.filter(owner=user, retry__isnull=True)
