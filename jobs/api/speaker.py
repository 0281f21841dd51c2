"""/api/v1/speaker/…: work on speakers, asked for and looked after."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.validation import validated
from audio_engine.types import SPEAKER_TASKS
from jobs import archive
from jobs.errors import JobError
from jobs.models import Job, owned_by

from . import own_schema, render, results, schema, verbs
from .problems import OwnView
from .serializers import DiarizeSerializer, ExtractSerializer, IdentifySerializer, JobsQuery
from .submission import submit
from .verbs import own_job


class Extract(APIView):
    @schema.EXTRACT
    def post(self, request: Request) -> Response:
        return submit(request, "extraction", ExtractSerializer)


class Diarize(APIView):
    @schema.DIARIZE
    def post(self, request: Request) -> Response:
        return submit(request, "diarization", DiarizeSerializer)


class Identify(OwnView):
    @own_schema.IDENTIFY
    def post(self, request: Request) -> Response:
        return submit(request, "identification", IdentifySerializer)


class Jobs(APIView):
    @schema.LIST
    def get(self, request: Request) -> Response:
        wanted = validated(JobsQuery, request.query_params.dict())
        skip, limit = wanted["skip"], wanted["limit"]
        found = self._filtered(request.user, wanted)
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


class Speakers:
    tasks = SPEAKER_TASKS
    body = staticmethod(render.job)


@extend_schema_view(get=schema.GET, delete=schema.DELETE)
class JobDetail(Speakers, verbs.Detail):
    pass


@extend_schema_view(post=schema.RETRY)
class Retry(Speakers, verbs.Retry):
    pass


@extend_schema_view(post=schema.CANCEL)
class Cancel(Speakers, verbs.Cancel):
    pass


class Download(APIView):
    @schema.DOWNLOAD
    def get(self, request: Request, job_id: int) -> StreamingHttpResponse:
        job = own_job(request.user, job_id, SPEAKER_TASKS)
        tracks = list(job.tracks.all())
        if not tracks:
            raise JobError("JOB_HAS_NO_FILES")
        return archive.response(request._request, job, tracks, results.labels, {})
