"""What is stored, and what is on its way in."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


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
