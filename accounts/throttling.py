"""So many requests a minute for each key and endpoint, counted by one statement that no two requests can pass at once.

DRF's own throttles read, compare and write: parallel requests slip through, and each process counts for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from .guessing import client_address
from .models import APIKey, RequestCount

WINDOW = timedelta(minutes=1)

# A window starts with the first request after the last one's end; the same row serves them all.
COUNT = """
INSERT INTO accounts_requestcount (bucket, count, expires_at) VALUES (%(bucket)s, 1, %(end)s)
ON CONFLICT (bucket) DO UPDATE SET
    count = CASE WHEN accounts_requestcount.expires_at <= %(now)s THEN 1 ELSE accounts_requestcount.count + 1 END,
    expires_at = CASE WHEN accounts_requestcount.expires_at <= %(now)s
        THEN excluded.expires_at ELSE accounts_requestcount.expires_at END
RETURNING bucket, count, expires_at
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a client stands with one endpoint."""

    limit: int
    count: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.count)

    @property
    def seconds_left(self) -> int:
        return max(1, math.ceil((self.resets_at - timezone.now()).total_seconds()))


class KeyEndpointThrottle(BaseThrottle):
    usage: Usage

    def allow_request(self, request: Request, _view: object) -> bool:
        self.usage = count(f"{client(request)}:{endpoint(request)}")
        request._request.rate_limit = self.usage  # for the headers, which errors carry too
        return self.usage.count <= self.usage.limit

    def wait(self) -> float:
        return self.usage.seconds_left


def count(bucket: str) -> Usage:
    now = timezone.now()
    adapt = connection.ops.adapt_datetimefield_value
    values = {"bucket": bucket[:200], "now": adapt(now), "end": adapt(now + WINDOW)}
    with _not_waiting_for_the_disk():
        [row] = RequestCount.objects.raw(COUNT, values)
    return Usage(settings.RATE_LIMIT, row.count, row.expires_at)


@contextmanager
def _not_waiting_for_the_disk() -> Iterator[None]:
    """For a count that a power failure may take back. What is committed afterwards waits again, and this with it."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:  # where it cannot be changed
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            cursor.execute("PRAGMA synchronous=FULL")  # as in the settings


def client(request: Request) -> str:
    if isinstance(request.auth, APIKey):
        return f"key:{request.auth.pk}"
    if request.user:
        return f"user:{request.user.pk}"
    return f"address:{client_address(request._request)}"


def endpoint(request: Request) -> str:
    match = request.resolver_match
    return f"{request.method} {match.route if match else request.path}"


def rate_limit_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: tells a client where it stands, in whatever answer it gets."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if usage := getattr(request, "rate_limit", None):
            response["X-RateLimit-Limit"] = str(usage.limit)
            response["X-RateLimit-Remaining"] = str(usage.remaining)
            response["X-RateLimit-Reset"] = str(math.ceil(usage.resets_at.timestamp()))  # Unix time
        return response

    return answer
