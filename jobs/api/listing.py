"""GET /api/v1/jobs: one's jobs, newest first, page by page. Jobs that come meanwhile move no page."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.validation import validated
from jobs.models import Job, owned_by

from . import own_schema, render
from .problems import OwnView
from .serializers import ListQuery

CURSOR = b"before:"


class Listing(OwnView):
    @own_schema.LIST
    def get(self, request: Request) -> Response:
        wanted = validated(ListQuery, request.query_params.dict())
        limit = wanted["limit"]
        found = filtered(by_number(request), wanted)
        page = list(found.select_related("media").prefetch_related("tracks").defer("result")[: limit + 1])
        more = len(page) > limit
        following = cursor(page[limit - 1].number) if more else None
        return Response({"items": [render.item(job) for job in page[:limit]], "next_cursor": following})


def by_number(request: Request) -> QuerySet[Job]:
    """By the number that stays with a retry: a job that is run again keeps its place."""
    return owned_by(request.user).annotate(stable=Coalesce("origin_id", "pk")).order_by("-stable")


def filtered(found: QuerySet[Job], wanted: Mapping[str, Any]) -> QuerySet[Job]:
    conditions = Q()
    if "cursor" in wanted:
        conditions &= Q(stable__lt=before(wanted["cursor"]))
    if "status" in wanted:
        conditions &= Q(status__in=[s for s, word in render.STATUS_WORDS.items() if word == wanted["status"]])
    if "engine" in wanted:  # the one that did it; before that the one that is asked for
        conditions &= Q(result__engine=wanted["engine"]) | Q(result__isnull=True, options__engine=wanted["engine"])
    columns = {
        "job_type": "task",
        "name": "name__icontains",
        "created_after": "created_at__gte",
        "created_before": "created_at__lt",
    }
    return found.filter(conditions, **{columns[name]: wanted[name] for name in columns.keys() & wanted.keys()})


def cursor(number: int) -> str:
    return urlsafe_b64encode(CURSOR + str(number).encode()).decode().rstrip("=")


def before(cursor: str) -> int:
    """Raises ValidationError."""
    try:
        told = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if not (told.startswith(CURSOR) and len(told) < 30):
            raise ValueError
        return int(told.removeprefix(CURSOR))
    except ValueError as error:
        raise ValidationError({"cursor": "This is not the next_cursor of an earlier answer."}) from error
