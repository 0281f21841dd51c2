"""Who may use the server, with which keys, and what they have spent."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **fields, is_staff=True, is_superuser=True)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []
    objects = UserManager()  # type: ignore[misc]

    def __str__(self) -> str:
        return self.email


class APIKey(models.Model):
    """A secret for programs. Only its SHA-256 is kept: the key has 190 bits of its own, so no salt is needed."""

    PREFIX_LENGTH = 11  # "ap_" and eight characters, enough to recognise a key by

    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=PREFIX_LENGTH)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(cls, user: User, name: str, *, expires_at: datetime | None = None) -> tuple[APIKey, str]:
        """A new key and its secret, which nobody can read again."""
        secret = "ap_" + secrets.token_urlsafe(24)
        shown = {"prefix": secret[: cls.PREFIX_LENGTH], "digest": cls.digest_of(secret)}
        return cls.objects.create(user=user, name=name, expires_at=expires_at, **shown), secret

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()

    @staticmethod
    def letting_in(prefix: str = "") -> Q:
        """What holds of keys that are neither revoked nor expired; `prefix` leads to them from another model."""
        unrevoked = Q(**{f"{prefix}revoked_at": None})
        return unrevoked & (Q(**{f"{prefix}expires_at": None}) | Q(**{f"{prefix}expires_at__gt": timezone.now()}))

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def active(self) -> bool:
        return self.revoked_at is None and not self.expired

    def revoke(self) -> None:
        APIKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now())


class CreditBalance(models.Model):
    """What an account may spend and what is held for jobs under way. Written by ledger.py only."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="credits")
    available = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(available__gte=0), name="available_not_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.available} available, {self.held} held"


class CreditEntry(models.Model):
    """One line of the append-only ledger. The sums of both changes are the account's balance."""

    class Kind(models.TextChoices):
        GRANT = "grant"
        ADJUST = "adjust"
        HOLD = "hold"
        CAPTURE = "capture"
        RELEASE = "release"

    CLOSING = (Kind.CAPTURE, Kind.RELEASE)

    user = models.ForeignKey(User, models.CASCADE, related_name="credit_entries")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    available_change = models.BigIntegerField()
    held_change = models.BigIntegerField(default=0)
    job = models.UUIDField(null=True, blank=True)  # no foreign key: the entry outlives the job
    reason = models.CharField(max_length=200, blank=True)
    service = models.CharField(max_length=40, blank=True)  # the job's task, for usage reports
    audio_seconds = models.FloatField(null=True, blank=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "credit entries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["job"], condition=Q(kind="hold"), name="one_hold_a_job"),
            models.UniqueConstraint(
                fields=["job"], condition=Q(kind__in=["capture", "release"]), name="one_closing_entry_a_job"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.available_change:+d}"

    @property
    def spent(self) -> int:
        """Credits that left the account with this entry; negative for credits that came."""
        return -(self.available_change + self.held_change)


class RequestCount(models.Model):
    """Requests of one key to one endpoint in one minute, for the rate limit."""

    bucket = models.CharField(max_length=200, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.bucket}: {self.count}"


class IdempotentRequest(models.Model):
    """The first answer to a request that carried an Idempotency-Key, to be given again to its repetitions."""

    user = models.ForeignKey(User, models.CASCADE)
    key = models.CharField(max_length=255)
    endpoint = models.CharField(max_length=200)  # method and path
    fingerprint = models.CharField(max_length=64)  # of the parameters
    status = models.PositiveSmallIntegerField(null=True)  # None while the first request runs
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(F("user"), F("endpoint"), F("key"), name="one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.key}"
