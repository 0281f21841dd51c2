"""`Idempotency-Key`: a repeated POST gets the first one's answer instead of doing the work again.

The answer is stored in the transaction that does the work, so both are there or neither is. Whatever fails is therefore
safe to repeat under the same key, and no failure is stored. Requests without a key are never taken for repetitions:
two equal ones can be meant.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from django.db import IntegrityError
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from .models import IdempotentRequest, User

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
KEPT = timedelta(hours=72)
# A request still unanswered after this may have died: another may take its place, and one that did not die after all
# undoes its work. Longer than a large upload is looked at and stored.
ABANDONED = timedelta(minutes=1)


class IdempotencyError(Exception):
    """`retry_after` is in seconds, where waiting helps."""

    def __init__(self, code: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


class Repeated(Exception):
    """`body` is what was noted of the first time."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(body)
        self.body = body


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to do the work of a request. `row` is None for a request without a key."""

    row: IdempotentRequest | None = None

    @property
    def answer(self) -> Response | None:
        """What the first request was answered."""
        if self.row is None or self.row.status is None:
            return None
        return Response(self.row.body, status=self.row.status, headers={REPLAYED: "true"})

    def complete(self, body: Mapping[str, Any], status: int = 200) -> Response:
        """Store the answer; to be called in the transaction that does the work. Raises IdempotencyError (and so undoes
        the work) where another request has taken this one for dead."""
        if self.row is not None:
            mine = {"pk": self.row.pk, "status": None, "created_at": self.row.created_at}
            if not IdempotentRequest.objects.filter(**mine).update(status=status, body=body):
                raise IdempotencyError("IDEMPOTENCY_KEY_IN_USE")
        return Response(body, status=status)


@contextmanager
def reserve(request: Request, parameters: Mapping[str, Any]) -> Iterator[Reservation]:
    """Raises IdempotencyError for a key that is no key, in use, or of a request with other parameters."""
    key = request.headers.get(HEADER)
    if key is None:
        yield Reservation()
        return
    if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise IdempotencyError("IDEMPOTENCY_KEY_INVALID")
    row = _reserve(request, key, fingerprint(parameters))
    try:
        yield Reservation(row)
    finally:
        # Answered rows stay; one without an answer is in nobody's way any longer.
        IdempotentRequest.objects.filter(pk=row.pk, status=None, created_at=row.created_at).delete()


def note(user: User, endpoint: str, key: str, body: Mapping[str, Any]) -> None:
    """For the forms of our pages: note, in the transaction that does the work, what came of it. Raises Repeated, which
    undoes the work, where that was done before."""
    answer = {"fingerprint": "", "status": 200, "body": body}
    row, new = IdempotentRequest.objects.get_or_create(user=user, endpoint=endpoint, key=key, defaults=answer)
    if not new:
        raise Repeated(row.body)


def fingerprint(parameters: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def prune() -> None:
    """Forget what is older than any repetition."""
    IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _reserve(request: Request, key: str, parameters: str) -> IdempotentRequest:
    identity = {"user": request.user, "endpoint": f"{request.method} {request.path}"[:200], "key": key}
    now = timezone.now()
    IdempotentRequest.objects.filter(**identity, created_at__lt=now - KEPT).delete()
    try:
        row, new = IdempotentRequest.objects.get_or_create(
            **identity, defaults={"fingerprint": parameters, "created_at": now}
        )
    except IntegrityError as error:  # the other request failed and went in this very moment
        raise IdempotencyError("IDEMPOTENCY_KEY_IN_USE") from error
    if row.fingerprint != parameters:
        raise IdempotencyError("IDEMPOTENCY_KEY_REUSED")
    if new or row.status is not None:
        return row
    return _take_over(row)


def _take_over(row: IdempotentRequest) -> IdempotentRequest:
    seen, now = row.created_at, timezone.now()
    if (wait := seen + ABANDONED - now) > timedelta(0):
        raise IdempotencyError("IDEMPOTENCY_KEY_IN_USE", ceil(wait.total_seconds()))
    if not IdempotentRequest.objects.filter(pk=row.pk, status=None, created_at=seen).update(created_at=now):
        raise IdempotencyError("IDEMPOTENCY_KEY_IN_USE")
    row.created_at = now
    return row
