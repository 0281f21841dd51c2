"""/api/v1/jobs/…: any job, whatever its task. Waiting SDKs poll here; what lies below an id is our own."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import exports

from . import own_schema, render, schema
from .problems import OwnView
from .serializers import ExportQuery
from .speaker import own_job


class AnyJob(APIView):
    @schema.GET_ANY
    def get(self, request: Request, job_id: int) -> Response:
        return Response(render.job(own_job(request.user, job_id), request))


class Export(OwnView):
    @own_schema.EXPORT
    def get(self, request: Request, job_id: int) -> HttpResponse:
        query = ExportQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        job = own_job(request.user, job_id)
        return exports.response(job, query.validated_data["format"], partial(render.label, job))
