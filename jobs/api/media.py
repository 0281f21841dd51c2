"""/api/v1/media: recordings that are stored before anything is asked of them, as for a batch."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from jobs import ingest
from jobs.errors import JobError

from . import own_schema, render
from .problems import OwnView
from .submission import digest, sent_file, take


class Uploads(OwnView):
    @own_schema.UPLOAD
    def post(self, request: Request) -> Response:
        upload = sent_file(request)
        if upload is None:
            raise JobError("MISSING_INPUT", "Send a file as multipart/form-data, in the field `file`.")
        parameters = {"file": digest(upload)} if idempotency.HEADER in request.headers else {}
        with idempotency.reserve(request, parameters) as reservation:
            if reservation.answer:
                return reservation.answer
            ingest.check_room(request.user, upload.size)
            media = take(request.user, upload)
            try:
                return reservation.complete(render.upload(media), 201)
            except idempotency.IdempotencyError:
                ingest.discard(media)
                raise


class Upload(OwnView):
    @own_schema.DISCARD
    def delete(self, request: Request, media: UUID) -> Response:
        ingest.remove(request.user, media)
        return Response(status=204)
