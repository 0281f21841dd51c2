"""Who is told how jobs end, and what is on its way there."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .jobs import Job


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
