"""/api/v1/jobs/…: any job, whatever its task. Waiting SDKs poll here."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import render, schema
from .speaker import own_job


class AnyJob(APIView):
    @schema.GET_ANY
    def get(self, request: Request, job_id: int) -> Response:
        return Response(render.job(own_job(request.user, job_id), request))
