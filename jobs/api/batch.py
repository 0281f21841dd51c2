"""/api/v1/jobs/batch and /api/v1/jobs/archive: many jobs by one request, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts import idempotency
from accounts.ledger import InsufficientCredits
from accounts.models import User
from accounts.validation import validated
from jobs import archive, ingest, webhooks
from jobs.errors import JobError
from jobs.models import Job, Media, owned_by
from jobs.options import asked_for

from . import errors, own_schema, problems, render, results
from .problems import OwnView
from .requests import merged
from .serializers import ArchiveQuery, BatchItem, BatchSerializer
from .submission import Submission, queue, with_voices

REFUSALS = (JobError, InsufficientCredits, ValidationError)


class Batch(OwnView):
    @own_schema.BATCH
    def post(self, request: Request) -> Response:
        """Each item stands for itself, and all of them, with the answer, are stored at once."""
        given = validated(BatchSerializer, merged(request))
        items: list[Any] = given["items"]
        defaults = given["defaults"]
        with idempotency.reserve(request, {"items": items, "defaults": defaults}) as reservation:
            if reservation.answer:
                return reservation.answer
            with transaction.atomic():
                results = [_result(request, index, item, defaults) for index, item in enumerate(items)]
                accepted = sum("job" in result for result in results)
                body = {"items": results, "accepted": accepted, "refused": len(results) - accepted}
                return reservation.complete(body)


def _result(request: Request, index: int, item: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with transaction.atomic():
            return {"index": index, "job": render.job(_submit(request.user, item, defaults), request)}
    except REFUSALS as error:
        told = problems.problem(request, errors.as_job_error(error), at=f"/items/{index}")
        return {"index": index, "error": told}


def _submit(owner: User, item: Any, defaults: Mapping[str, Any]) -> Job:
    if not isinstance(item, Mapping):
        raise JobError("INVALID_INPUT", "An item of a batch is an object.")
    said = {name: value for name, value in {**defaults, **item}.items() if value not in (None, "")}
    options = validated(BatchItem, said)
    url, uuid = options.pop("url", ""), options.pop("media", None)
    task, webhook_url = options.pop("job_type"), options.pop("webhook_url", "")
    if url and uuid:
        raise JobError("CONFLICTING_INPUT", "Provide either media or a URL, not both.")
    if not url and not uuid:
        raise JobError("MISSING_INPUT", "Provide either media or a URL.")
    media: Media | None = ingest.stored(owner, uuid) if uuid else None
    webhook = webhooks.for_job(webhook_url) if webhook_url else None
    wanted = asked_for(task, **with_voices(owner, task, options))
    return queue(Submission(owner, task, wanted, None, url, webhook), media)


class Archive(OwnView):
    @own_schema.ARCHIVE
    def get(self, request: Request) -> StreamingHttpResponse:
        ids: list[int] = validated(ArchiveQuery, request.query_params.dict())["ids"]
        found = owned_by(request.user).filter(Q(pk__in=ids, origin=None) | Q(origin_id__in=ids))
        jobs = {job.number: job for job in found.prefetch_related("tracks").defer("result")}
        if missing := [number for number in ids if number not in jobs]:
            raise JobError("JOB_NOT_FOUND", details={"ids": missing})
        if empty := [number for number in ids if not jobs[number].tracks.all()]:
            raise JobError("JOB_HAS_NO_FILES", details={"ids": empty})
        return archive.response_of_many(request._request, [jobs[number] for number in ids], results.names_or_labels)
