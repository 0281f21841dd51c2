"""What people made of a finished job, which itself never changes."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from .jobs import Job


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


class TurnVersion(models.Model):
    """A correction of who spoke when: the turns that it takes out of the version before and puts in, so that it can be
    undone. The engine's own turns are version 1 and have no row.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="turn_versions")
    number = models.PositiveIntegerField()
    removed = models.JSONField()  # as given.Row
    added = models.JSONField()
    what = models.CharField(max_length=300)  # in words, for people
    like = models.PositiveIntegerField(null=True, blank=True)  # the version that it brings back
    remade = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="made_from")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["job", "number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_row_a_turn_version")]

    def __str__(self) -> str:
        return f"Version {self.number}: {self.what}"


class SpeakerName(models.Model):
    """The name of a speaker of one job."""

    LONGEST = 80  # characters

    job = models.ForeignKey(Job, models.CASCADE, related_name="speaker_names")
    speaker = models.PositiveSmallIntegerField()  # from 0
    name = models.CharField(max_length=LONGEST)

    class Meta:
        ordering = ["job", "speaker"]
        constraints = [
            models.UniqueConstraint(fields=["job", "speaker"], name="one_name_a_speaker"),
            models.UniqueConstraint(fields=["job", "name"], name="one_speaker_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
