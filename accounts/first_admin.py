"""The one-time link by which a new server gets its first admin: good only while there is none."""

from __future__ import annotations

from datetime import timedelta

from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone

from .models import RequestCount, User
from .registration import register

SALT = "accounts.first_admin"
LIFETIME = timedelta(days=7)
CLAIM = "first-admin"


class LinkExpired(Exception):
    """The link is not ours, too old, or there is an admin by now."""


def token() -> str:
    """For /welcome/<token>; printed where only the operator reads it."""
    return signing.dumps("first admin", salt=SALT)


def needed() -> bool:
    return not User.objects.filter(is_staff=True).exists()


def valid(token: str) -> bool:
    try:
        signing.loads(token, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return False
    return needed()


def create(token: str, email: str, password: str) -> User:
    """Make the first admin. Raises LinkExpired, also for the second of two who open the link at once."""
    if not valid(token):
        raise LinkExpired
    try:
        with transaction.atomic():
            # Two transactions can both see no admin; only one of them can write this row.
            RequestCount.objects.filter(bucket=CLAIM).delete()
            RequestCount.objects.create(bucket=CLAIM, expires_at=timezone.now() + LIFETIME)
            if not needed():
                raise LinkExpired
            return register(email, password, staff=True)
    except IntegrityError as taken:
        raise LinkExpired from taken
