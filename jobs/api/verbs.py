"""Listing jobs of some tasks, looking at one, running it again, stopping, removing it: alike on all of AudioPod's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import BigIntegerField, Q
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.models import User
from accounts.validation import validated
from audio_engine.types import TASKS, Task
from jobs import deleting, lifecycle
from jobs.errors import JobError
from jobs.models import Job, owned_by

from . import render
from .serializers import PageQuery

LONGEST_PAUSE = 15  # seconds
LARGEST_ID = BigIntegerField.MAX_BIGINT  # SQLite's driver refuses larger numbers

Body = Callable[[Job, Request], dict[str, Any]]


def own_job(user: User, job_id: int, tasks: tuple[Task, ...] = TASKS) -> Job:
    """The latest run under an id. Raises JobError JOB_NOT_FOUND, for other people's and other tasks' too."""
    mine = owned_by(user).filter(task__in=tasks).select_related("media").prefetch_related("tracks")
    job = mine.filter(Q(pk=job_id, origin=None) | Q(origin_id=job_id)).first() if job_id <= LARGEST_ID else None
    if job is None:
        raise JobError("JOB_NOT_FOUND")
    return job


def answer(job: Job, request: Request, body: Body = render.job) -> Response:
    """A job, and while it goes on a hint when to ask again."""
    return Response(body(job, request), headers=pause(job))


def pause(job: Job) -> dict[str, str]:
    """The header that says when to ask again, while the job goes on: after about a tenth of the time so far."""
    if job.finished:
        return {}
    taken = timezone.now() - (job.started_at or job.queued_at or job.created_at)
    return {"Retry-After": str(min(max(1, round(taken.total_seconds() / 10)), LONGEST_PAUSE))}


class JobView(APIView):
    """A view of a job of one of `tasks`, told as `body` tells it."""

    tasks: ClassVar[tuple[Task, ...]]
    body: ClassVar[Body]

    def own(self, request: Request, job_id: int) -> Job:
        return own_job(request.user, job_id, self.tasks)


class Listed(JobView):
    def get(self, request: Request) -> Response:
        page = validated(PageQuery, request.query_params.dict())
        mine = owned_by(request.user).filter(task__in=self.tasks).select_related("media").prefetch_related("tracks")
        return Response([self.body(job, request) for job in mine[page["skip"] : page["skip"] + page["limit"]]])


class Detail(JobView):
    def get(self, request: Request, job_id: int) -> Response:
        return answer(self.own(request, job_id), request, self.body)

    def delete(self, request: Request, job_id: int) -> Response:
        deleting.delete(self.own(request, job_id), actor=request.user)
        return Response(status=204)


class Retry(JobView):
    def post(self, request: Request, job_id: int) -> Response:
        with idempotency.reserve(request, {}) as reservation:
            if reservation.answer:
                return reservation.answer
            failed = self.own(request, job_id)
            with transaction.atomic():
                job = lifecycle.retry(failed, actor=request.user)
                return reservation.complete(self.body(job, request))


class Cancel(JobView):
    def post(self, request: Request, job_id: int) -> Response:
        """Cancelling what is canceled already succeeds, since clients repeat requests."""
        job = self.own(request, job_id)
        if job.status != Job.Status.CANCELED:
            job = lifecycle.cancel(job, actor=request.user)
        return Response(self.body(job, request))
