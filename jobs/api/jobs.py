"""/api/v1/jobs/…: any job, whatever its task. Waiting SDKs poll here; what lies below an id is our own."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.validation import validated
from audio_engine.types import TASKS
from jobs import deleting, exports, naming
from jobs.errors import JobError
from jobs.lingering import linger
from jobs.models import Job

from . import events, own_schema, render, results, schema, verbs
from .problems import OwnView
from .serializers import ExportQuery, WaitQuery
from .verbs import answer, own_job


class AnyJob(APIView):
    @schema.GET_ANY
    def get(self, request: Request, job_id: int) -> HttpResponseBase:
        query = validated(WaitQuery, request.query_params.dict())
        job = own_job(request.user, job_id)
        seen = _seen(query.get("after"), job)
        seconds = query["wait"]
        if not seconds or job.finished or job.event_seq > seen:
            return answer(job, request)
        rest = events.when_changed(job, seen, seconds, partial(_now, request, job))
        if not linger(request._request, request.user.pk, rest):
            return answer(job, request)
        return HttpResponse(content_type="application/json")

    @schema.DELETE_ANY
    def delete(self, request: Request, job_id: int) -> Response:
        deleting.delete(own_job(request.user, job_id), actor=request.user)
        return Response(status=204)


def _seen(version: str | None, job: Job) -> int:
    if version is None:
        return job.event_seq
    seq = render.seq_of(version, job)
    if seq is None:
        raise ValidationError({"after": "This is not the version of a job."})
    return seq


def _now(request: Request, job: Job) -> render.Body:
    """The job as it is now; as it was where it has been deleted meanwhile, which the next request will say."""
    with suppress(JobError):
        job = own_job(request.user, job.number)
    return render.job(job, request)


class Any:
    tasks = TASKS
    body = staticmethod(render.job)


@extend_schema_view(post=own_schema.RETRY)
class Retry(Any, OwnView, verbs.Retry):
    pass


@extend_schema_view(post=own_schema.CANCEL)
class Cancel(Any, OwnView, verbs.Cancel):
    pass


class Export(OwnView):
    @own_schema.EXPORT
    def get(self, request: Request, job_id: int) -> HttpResponse:
        format = validated(ExportQuery, request.query_params.dict())["format"]
        job = own_job(request.user, job_id)
        called = results.names_or_labels(job, naming.given(job))
        return exports.response(job, format, called)
