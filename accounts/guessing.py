"""Slows down whoever tries passwords, floods sign-up or has mails sent: so many attempts in a window, then a wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from .models import RequestCount


@dataclass(frozen=True, slots=True)
class Limit:
    """`attempts` of one purpose by one subject within `window`."""

    purpose: str
    attempts: int
    window: timedelta


# A person's own slips never reach the first; a list of passwords from one address, or of accounts, soon reaches one.
PASSWORD_PER_ACCOUNT_AND_ADDRESS = Limit("password-pair", 10, timedelta(minutes=15))
PASSWORD_PER_ADDRESS = Limit("password-address", 100, timedelta(minutes=15))
PASSWORD_PER_ACCOUNT = Limit("password-account", 200, timedelta(hours=1))
SIGN_UP_PER_ADDRESS = Limit("sign-up", 30, timedelta(hours=1))
RESET_MAIL_PER_ACCOUNT = Limit("reset-account", 3, timedelta(hours=1))
RESET_MAIL_PER_ADDRESS = Limit("reset-address", 30, timedelta(hours=1))


class TooManyAttempts(Exception):
    def __init__(self, wait: timedelta) -> None:
        self.minutes = max(1, math.ceil(wait.total_seconds() / 60))
        unit = "minute" if self.minutes == 1 else "minutes"
        super().__init__(f"Too many attempts. Wait {self.minutes} {unit} and try again.")


def client_address(request: HttpRequest) -> str:
    """The address of whoever asks; behind a proxy, the one that our own proxy wrote down last."""
    if settings.BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For")):
        return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def count_password(request: HttpRequest, email: str) -> None:
    """Count an attempt before the password is looked at, so that parallel guesses cannot slip through."""
    address, account = client_address(request), email.lower()
    count(PASSWORD_PER_ACCOUNT_AND_ADDRESS, f"{account}|{address}")
    count(PASSWORD_PER_ADDRESS, address)
    count(PASSWORD_PER_ACCOUNT, account)


def forgive_password(request: HttpRequest, email: str) -> None:
    """A right password wipes the slips before it."""
    bucket = _bucket(PASSWORD_PER_ACCOUNT_AND_ADDRESS, f"{email.lower()}|{client_address(request)}")
    RequestCount.objects.filter(bucket=bucket).delete()


def count(limit: Limit, subject: str) -> None:
    """Count one attempt. Raises TooManyAttempts past the limit, without prolonging the wait."""
    bucket, now = _bucket(limit, subject), timezone.now()
    RequestCount.objects.filter(bucket=bucket, expires_at__lte=now).delete()
    RequestCount.objects.get_or_create(bucket=bucket, defaults={"expires_at": now + limit.window})
    within = RequestCount.objects.filter(bucket=bucket, count__lt=limit.attempts).update(count=F("count") + 1)
    if not within:
        expires = RequestCount.objects.filter(bucket=bucket).values_list("expires_at", flat=True).first()
        raise TooManyAttempts((expires or now) - now)


def _bucket(limit: Limit, subject: str) -> str:
    return f"{limit.purpose}:{subject}"[:200]
