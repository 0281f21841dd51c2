"""The only place that writes credits. Every verb is one transaction: a guarded change of the balance and its entry."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum

from .models import CreditBalance, CreditEntry, User

Kind = CreditEntry.Kind


class InsufficientCredits(Exception):
    def __init__(self, required: int, available: int) -> None:
        super().__init__(f"Insufficient credits for processing. Required: {required}, Available: {available}")
        self.required = required
        self.available = available


def available(user: User) -> int:
    """Credits the account may spend now."""
    return CreditBalance.objects.filter(user=user).values_list("available", flat=True).first() or 0


def grant(user: User, credits: int, *, reason: str, actor: User | None = None) -> CreditEntry:
    """Give credits. Raises ValueError unless `credits` is positive."""
    if credits <= 0:
        raise ValueError("A grant is a positive number of credits.")
    return _write(user, Kind.GRANT, credits, 0, reason=reason, actor=actor)


def adjust(user: User, credits: int, *, reason: str, actor: User) -> CreditEntry:
    """Correct a balance in either direction. Raises InsufficientCredits if it would fall below zero."""
    return _write(user, Kind.ADJUST, credits, 0, reason=reason, actor=actor)


def hold(user: User, credits: int, job: UUID, *, service: str, audio_seconds: float) -> CreditEntry:
    """Set credits aside for a job. Raises InsufficientCredits; a second hold for one job is an IntegrityError."""
    return _write(user, Kind.HOLD, -credits, credits, job=job, service=service, audio_seconds=audio_seconds)


def capture(job: UUID) -> CreditEntry:
    """Take what was held for a job. Raises CreditEntry.DoesNotExist without a hold."""
    held = CreditEntry.objects.get(job=job, kind=Kind.HOLD)
    return _close(held, Kind.CAPTURE, given_back=0)


def release(job: UUID) -> CreditEntry | None:
    """Give back what was held for a job; None where nothing was held (it ended before its length was known)."""
    held = CreditEntry.objects.filter(job=job, kind=Kind.HOLD).first()
    return _close(held, Kind.RELEASE, given_back=held.held_change) if held else None


def recount(user: User) -> tuple[int, int]:
    """Available and held credits as the entries sum up, to compare with the balance."""
    sums = CreditEntry.objects.filter(user=user).aggregate(a=Sum("available_change"), h=Sum("held_change"))
    return sums["a"] or 0, sums["h"] or 0


def _close(held: CreditEntry, kind: str, *, given_back: int) -> CreditEntry:
    return _write(
        held.user,
        kind,
        given_back,
        -held.held_change,
        job=held.job,
        service=held.service,
        audio_seconds=held.audio_seconds,
    )


@transaction.atomic
def _write(
    user: User,
    kind: str,
    available_change: int,
    held_change: int,
    *,
    job: UUID | None = None,
    reason: str = "",
    service: str = "",
    audio_seconds: float | None = None,
    actor: User | None = None,
) -> CreditEntry:
    CreditBalance.objects.get_or_create(user=user)
    changed = CreditBalance.objects.filter(user=user, available__gte=-available_change, held__gte=-held_change).update(
        available=F("available") + available_change, held=F("held") + held_change
    )
    if not changed:
        raise InsufficientCredits(-available_change, available(user))
    return CreditEntry.objects.create(
        user=user,
        kind=kind,
        available_change=available_change,
        held_change=held_change,
        job=job,
        reason=reason,
        service=service,
        audio_seconds=audio_seconds,
        actor=actor,
    )
