"""/api/v1/voiceprints: voices that are kept under names."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from accounts.validation import validated
from jobs import deleting, voiceprints
from jobs.errors import JobError
from jobs.models import Job, Voiceprint

from . import results, submission
from . import voiceprint_schema as schema
from .listing import before, cursor
from .problems import OwnView
from .render import moment
from .requests import merged
from .verbs import own_job
from .voiceprint_schema import NameFields, SampleFields, SourceFields, VoiceprintsQuery

SAMPLES = ("file", "url", "media")
SAMPLE = SampleFields().fields.keys()


class Voiceprints(OwnView):
    @schema.LIST
    def get(self, request: Request) -> Response:
        wanted = validated(VoiceprintsQuery, request.query_params.dict())
        limit = wanted["limit"]
        found = request.user.voiceprints.order_by("-pk")
        if "model" in wanted:
            found = found.filter(model=wanted["model"])
        if "cursor" in wanted:
            found = found.filter(pk__lt=before(wanted["cursor"]))
        page = list(found[: limit + 1])
        following = cursor(page[limit - 1].pk) if len(page) > limit else None
        return Response({"items": rendered(page[:limit]), "next_cursor": following})

    @schema.CREATE
    def post(self, request: Request) -> Response:
        given = merged(request)
        source = validated(SourceFields, {name: value for name, value in given.items() if name not in SAMPLE})
        name = source["name"]
        if "job" not in source:
            return _learn(request, name)
        if any(given.get(sample) for sample in SAMPLES):
            raise JobError("CONFLICTING_INPUT", "Provide either a job or a sample, not both.")
        return _take(request, name, source["job"], source["speaker"])


class VoiceprintDetail(OwnView):
    @schema.GET
    def get(self, request: Request, voiceprint: UUID) -> Response:
        return Response(render(voiceprints.find(request.user, voiceprint)))

    @schema.RENAME
    def patch(self, request: Request, voiceprint: UUID) -> Response:
        found = voiceprints.find(request.user, voiceprint)
        name = validated(NameFields, request.data)["name"]
        return Response(render(voiceprints.rename(found, name)))

    @schema.DELETE
    def delete(self, request: Request, voiceprint: UUID) -> Response:
        found = voiceprints.find(request.user, voiceprint)
        job = voiceprints.latest_runs([found]).get(found.job_id)
        if job and job.task == "voiceprint":  # which has the same in its result
            deleting.delete(job, actor=request.user)
        found.delete()
        return Response(status=204)


def _learn(request: Request, name: str) -> Response:
    wanted = submission.read(request, "voiceprint", SampleFields, besides=("name", "speaker"))
    return submission.accept(request, wanted, lambda job: render(voiceprints.learn(name, job)), status=201, name=name)


def _take(request: Request, name: str, number: int, speaker: str) -> Response:
    with idempotency.reserve(request, {"name": name, "job": number, "speaker": speaker}) as reservation:
        if reservation.answer:
            return reservation.answer
        job = own_job(request.user, number)
        with transaction.atomic():
            made = voiceprints.take(name, job, speaker, partial(results.label, job))
            return reservation.complete(render(made), 201)


def render(voiceprint: Voiceprint) -> dict[str, Any]:
    return rendered([voiceprint])[0]


def rendered(kept: list[Voiceprint]) -> list[dict[str, Any]]:
    """Those that are not learned yet say how the job goes that is to learn them."""
    runs = voiceprints.latest_runs(voiceprint for voiceprint in kept if not voiceprint.text)
    return [_body(voiceprint, runs.get(voiceprint.job_id)) for voiceprint in kept]


def _body(voiceprint: Voiceprint, run: Job | None) -> dict[str, Any]:
    return {
        "id": str(voiceprint.uuid),
        "name": voiceprint.name,
        "status": _status(voiceprint, run),
        "model": voiceprint.model or None,
        "engine": voiceprint.engine or None,
        "job_id": voiceprint.job_id,
        "error_code": (run and run.error_code) or None,
        "error_message": (run and run.error_message) or None,
        "created_at": moment(voiceprint.created_at),
    }


def _status(voiceprint: Voiceprint, run: Job | None) -> str:
    """`run` is the latest of the job that it waits for."""
    if voiceprint.text:
        return "ready"
    return "failed" if run is None or run.finished else "learning"
