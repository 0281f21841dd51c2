"""/api/v1/media: recordings that are stored before anything is asked of them, as for a batch."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from accounts.validation import validated
from jobs import direct, files, ingest
from jobs.errors import JobError
from jobs.models import Media

from . import addresses, own_schema, render
from .problems import OwnView
from .serializers import AddressSerializer
from .submission import digest, sent_file, take

PUT = "api-media-put"


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


class Addresses(OwnView):
    @own_schema.OFFER_ADDRESS
    def post(self, request: Request) -> Response:
        given = validated(AddressSerializer, request.data)
        name, size = given["name"], given["bytes"]
        files.check_size(size)
        if direct.possible():
            upload, url = direct.offer(request.user, name, bytes=size)
            new = upload.uuid
        else:
            ingest.check_room(request.user, size)
            new = uuid4()
            url = addresses.address(request, PUT, request.user, media=str(new), name=name, bytes=size)
        expires = timezone.now() + timedelta(seconds=settings.LINK_SECONDS)
        return Response({"id": str(new), "url": url, "expires_at": render.moment(expires)}, status=201)


class Put(addresses.PutView, OwnView):
    """Good for one recording, since an id exists only once."""

    @own_schema.PUT
    def put(self, request: Request, token: str) -> Response:
        owner, said = addresses.read(token, PUT, seconds=settings.LINK_SECONDS)
        if int(request.META.get("CONTENT_LENGTH") or 0) != said["bytes"]:
            raise JobError("INVALID_INPUT", f"This address is for {said['bytes']} bytes.")
        if Media.objects.filter(uuid=said["media"]).exists():
            raise JobError("UPLOAD_USED")
        try:
            addresses.take(request, owner, said["name"], uuid=UUID(said["media"]))
        except IntegrityError as error:  # another request was faster
            raise JobError("UPLOAD_USED") from error
        return Response()


class Complete(OwnView):
    @own_schema.COMPLETE
    def post(self, request: Request, media: UUID) -> Response:
        return Response(render.upload(direct.take(request.user, media)))


class Upload(OwnView):
    @own_schema.DISCARD
    def delete(self, request: Request, media: UUID) -> Response:
        ingest.remove(request.user, media)
        return Response(status=204)
