"""Voices that are kept, to be known again."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from .jobs import Job


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
