"""/api/v1/speaker/…: work on speakers, asked for and looked after."""

from __future__ import annotations

from django.db import transaction
from django.db.models import BigIntegerField, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.models import User
from audio_engine.types import SPEAKER_TASKS, TASKS, Task
from jobs import archive, lifecycle
from jobs.errors import JobError
from jobs.models import Job, owned_by

from . import render, schema
from .serializers import DiarizeSerializer, ExtractSerializer, JobsQuery
from .submission import submit

LONGEST_PAUSE = 15  # seconds
LARGEST_ID = BigIntegerField.MAX_BIGINT  # SQLite's driver refuses larger numbers


def own_job(user: User, job_id: int, tasks: tuple[Task, ...] = TASKS) -> Job:
    """The latest run under an id. Raises JobError JOB_NOT_FOUND, for other people's and other tasks' too."""
    mine = owned_by(user).filter(task__in=tasks).select_related("media").prefetch_related("tracks")
    job = mine.filter(Q(pk=job_id, origin=None) | Q(origin_id=job_id)).first() if job_id <= LARGEST_ID else None
    if job is None:
        raise JobError("JOB_NOT_FOUND")
    return job


def answer(job: Job, request: Request) -> Response:
    """A job, and while it goes on a hint when to ask again: after about a tenth of the time it has taken so far."""
    return Response(render.job(job, request), headers=pause(job))


def pause(job: Job) -> dict[str, str]:
    """The header that says when to ask again, while the job goes on."""
    if job.finished:
        return {}
    taken = timezone.now() - (job.started_at or job.queued_at or job.created_at)
    return {"Retry-After": str(min(max(1, round(taken.total_seconds() / 10)), LONGEST_PAUSE))}


class Extract(APIView):
    @schema.EXTRACT
    def post(self, request: Request) -> Response:
        return submit(request, "extraction", ExtractSerializer)


class Diarize(APIView):
    @schema.DIARIZE
    def post(self, request: Request) -> Response:
        return submit(request, "diarization", DiarizeSerializer)


class Jobs(APIView):
    @schema.LIST
    def get(self, request: Request) -> Response:
        query = JobsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        skip, limit = query.validated_data["skip"], query.validated_data["limit"]
        found = self._filtered(request.user, query.validated_data)
        total = found.count()
        page = found.select_related("media").prefetch_related("tracks").defer("result")[skip : skip + limit]
        items = [render.item(job) for job in page]
        return Response({"items": items, "total": total, "hasMore": skip + len(items) < total})

    def _filtered(self, user: User, wanted: dict[str, str]) -> QuerySet[Job]:
        found = owned_by(user).filter(task__in=SPEAKER_TASKS)
        if task := wanted.get("job_type"):
            found = found.filter(task=task)
        if word := wanted.get("status"):
            found = found.filter(status__in=[status for status, its in render.STATUS_WORDS.items() if its == word])
        return found


class JobDetail(APIView):
    @schema.GET
    def get(self, request: Request, job_id: int) -> Response:
        return answer(own_job(request.user, job_id, SPEAKER_TASKS), request)

    @schema.DELETE
    def delete(self, request: Request, job_id: int) -> Response:
        lifecycle.delete(own_job(request.user, job_id, SPEAKER_TASKS), actor=request.user)
        return Response(status=204)


class Retry(APIView):
    @schema.RETRY
    def post(self, request: Request, job_id: int) -> Response:
        with idempotency.reserve(request, {}) as reservation:
            if reservation.answer:
                return reservation.answer
            failed = own_job(request.user, job_id, SPEAKER_TASKS)
            with transaction.atomic():
                job = lifecycle.retry(failed, actor=request.user)
                return reservation.complete(render.job(job, request))


class Cancel(APIView):
    @schema.CANCEL
    def post(self, request: Request, job_id: int) -> Response:
        """Cancelling what is canceled already succeeds, since clients repeat requests."""
        job = own_job(request.user, job_id, SPEAKER_TASKS)
        if job.status != Job.Status.CANCELED:
            job = lifecycle.cancel(job, actor=request.user)
        return Response(render.job(job, request))


class Download(APIView):
    @schema.DOWNLOAD
    def get(self, request: Request, job_id: int) -> StreamingHttpResponse:
        job = own_job(request.user, job_id, SPEAKER_TASKS)
        tracks = list(job.tracks.all())
        if not tracks:
            raise JobError("JOB_HAS_NO_FILES")
        return archive.response(request._request, job, tracks)
