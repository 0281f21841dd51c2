"""/api/v1/jobs/estimate: what a job will cost, before anything is sent."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ledger
from accounts.validation import validated
from audio_engine.types import TURN_TASKS
from jobs import ingest, outbound, pricing
from jobs.errors import JobError

from . import own_schema
from .problems import OwnView
from .requests import merged
from .serializers import EstimateSerializer

SOURCES = ("seconds", "media", "url")


class Estimate(OwnView):
    @own_schema.ESTIMATE
    def post(self, request: Request) -> Response:
        given = validated(EstimateSerializer, merged(request))
        seconds, exact = _length(request, given)
        ingest.check_length(seconds)
        job_type = given["job_type"]
        gives_turns = given["given_turns"] and job_type in TURN_TASKS
        credits, available = pricing.price(job_type, seconds, gives_turns=gives_turns), ledger.available(request.user)
        body = {"job_type": job_type, "seconds": round(seconds, 3), "exact": exact, "credits": credits}
        return Response(body | {"available": available, "affordable": credits <= available})


def _length(request: Request, given: dict[str, Any]) -> tuple[float, bool]:
    """Seconds, and whether they are more than an estimate."""
    named = [source for source in SOURCES if source in given]
    if not named:
        raise JobError("MISSING_INPUT", "Provide seconds, a media or a URL.")
    if len(named) > 1:
        raise JobError("CONFLICTING_INPUT", f"Provide only one of {', '.join(named)}.")
    if "seconds" in given:
        return given["seconds"], True
    if "media" in given:
        with transaction.atomic():
            return ingest.stored(request.user, given["media"]).seconds, True
    outbound.check_url(given["url"])
    return ingest.length_of(given["url"])
