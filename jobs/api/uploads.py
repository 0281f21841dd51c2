"""/api/v1/uploads: recordings by parts, as tus 1.0.0 has it (https://tus.io/protocols/resumable-upload).

The core with creation, expiration, checksum and termination. An upload's id is that of the recording it becomes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import http_date
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from jobs import files, ingest, uploads
from jobs.errors import JobError
from jobs.models import Media, Upload
from jobs.uploads import MOST_PART_BYTES

from . import own_schema
from .problems import OwnView
from .render import moment

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
ALGORITHMS = ("sha1", "sha256", "md5")
PART_TYPE = "application/offset+octet-stream"
LONGEST_METADATA = 4000
LARGEST_LENGTH = 1 << 62
CHUNK = 1 << 18


class TusView(OwnView):
    address = "api-upload"  # where an upload is found; the portal has its own, for sessions

    def dispatch(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        override = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == "POST" and override in ("PATCH", "DELETE"):
            request.method = override
        response = super().dispatch(request, *args, **options)
        response["Tus-Resumable"] = VERSION
        if response.status_code == 412:
            response["Tus-Version"] = VERSION
        return response

    def initial(self, request: Request, *args: Any, **options: Any) -> None:
        super().initial(request, *args, **options)
        if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
            raise JobError("TUS_VERSION")

    def get_authenticators(self) -> Any:
        asked = getattr(self, "request", None)  # none while the OpenAPI document is made
        return [] if asked and asked.method == "OPTIONS" else super().get_authenticators()

    def get_permissions(self) -> Any:
        return [AllowAny()] if self.request.method == "OPTIONS" else super().get_permissions()

    def get_throttles(self) -> Any:
        """Not for parts: a large recording has more than a hundred, and how much there may be is limited otherwise."""
        return [] if self.request.method == "PATCH" else super().get_throttles()

    def options(self, _request: Request, *_: Any, **__: Any) -> Response:
        """What the server can do."""
        told = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            "Tus-Max-Size": str(settings.MAX_RESUMABLE_BYTES),
        }
        return Response(status=204, headers=told)


class Uploads(TusView):
    @own_schema.START_UPLOAD
    def post(self, request: Request) -> Response:
        length, metadata = _length(request), request.headers.get("Upload-Metadata", "")
        name = _file_name(metadata)
        with idempotency.reserve(request, {"length": length, "metadata": metadata}) as reservation:
            answer = reservation.answer or reservation.complete(
                render(uploads.create(request.user, length, name, metadata)), 201
            )
        answer["Location"] = reverse(self.address, args=[answer.data["id"]])
        answer["Upload-Expires"] = http_date(uploads.expiry(uploads.find(request.user, answer.data["id"])).timestamp())
        return answer

    @own_schema.TUS_ABILITIES
    def options(self, request: Request, *args: Any, **options: Any) -> Response:
        return super().options(request, *args, **options)


class UploadDetail(TusView):
    @own_schema.UPLOAD_STATE
    def head(self, request: Request, upload: UUID) -> Response:
        """How much is here."""
        found = uploads.find(request.user, upload)
        headers = {**_state(found), "Upload-Length": str(found.length), "Cache-Control": "no-store"}
        return Response(headers=headers | ({"Upload-Metadata": found.metadata} if found.metadata else {}))

    @own_schema.SEND_PART
    def patch(self, request: Request, upload: UUID) -> Response:
        found = uploads.find(request.user, upload)
        if request._request.content_type != PART_TYPE:
            raise UnsupportedMediaType(request._request.content_type or "none")
        offset = _number(request, "Upload-Offset")
        with _received(request) as part:
            return Response(status=204, headers=_state(uploads.append(found, offset, part)))

    @own_schema.CANCEL_UPLOAD
    def delete(self, request: Request, upload: UUID) -> Response:
        """With the recording, where the upload became one."""
        found = uploads.find(request.user, upload)
        if found.complete and Media.objects.filter(uuid=found.uuid).exists():
            ingest.remove(request.user, found.uuid)
        uploads.remove(found)
        return Response(status=204)


def render(upload: Upload) -> dict[str, Any]:
    expires = moment(uploads.expiry(upload))
    return {"id": str(upload.uuid), "name": upload.name, "length": upload.length, "offset": 0, "expires_at": expires}


def _state(upload: Upload) -> dict[str, str]:
    return {"Upload-Offset": str(upload.offset), "Upload-Expires": http_date(uploads.expiry(upload).timestamp())}


# --- what is sent


def _length(request: Request) -> int:
    if "Upload-Defer-Length" in request.headers:
        raise JobError("INVALID_INPUT", "Upload-Defer-Length is not supported: send Upload-Length.")
    return _number(request, "Upload-Length")


def _number(request: Request, header: str) -> int:
    value = request.headers.get(header, "")
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and int(value) < LARGEST_LENGTH):
        raise JobError("INVALID_INPUT", f"The header {header} has to be a number of bytes.")
    return int(value)


def _file_name(metadata: str) -> str:
    """Raises JobError for metadata that are none; names may say anything."""
    if len(metadata) > LONGEST_METADATA:
        raise JobError("INVALID_INPUT", f"Upload-Metadata is longer than {LONGEST_METADATA} characters.")
    told = {}
    for pair in filter(None, (pair.strip() for pair in metadata.split(","))):
        key, _, value = pair.partition(" ")
        try:
            told[key] = base64.b64decode(value, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError) as error:
            raise JobError("INVALID_INPUT", "Upload-Metadata has keys with values in Base64.") from error
    return told.get("filename") or told.get("name") or ""


@contextmanager
def _received(request: Request) -> Iterator[Path]:
    """The part that a request carries, as a file, whole and as it was sent. Raises JobError."""
    digest, expected = _checksum(request)
    size = 0
    with files.scratch() as folder, files.disk_errors():
        part = folder / "part"
        with part.open("wb") as out:
            while chunk := request._request.read(CHUNK):
                size += len(chunk)
                if size > MOST_PART_BYTES:
                    raise part_too_large()
                digest.update(chunk)
                out.write(chunk)
        if expected is not None and digest.digest() != expected:
            raise JobError("CHECKSUM_MISMATCH")
        yield part


def _checksum(request: Request) -> tuple[Any, bytes | None]:
    """Of which kind, and what it has to be where the client says so."""
    algorithm, _, encoded = request.headers.get("Upload-Checksum", "").partition(" ")
    if not algorithm:
        return hashlib.sha1(usedforsecurity=False), None
    if algorithm not in ALGORITHMS:
        raise JobError("INVALID_INPUT", f"Upload-Checksum: {', '.join(ALGORITHMS)} are supported.")
    try:
        return hashlib.new(algorithm, usedforsecurity=False), base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise JobError("INVALID_INPUT", "Upload-Checksum is not in Base64.") from error


def part_too_large() -> JobError:
    most = f"{MOST_PART_BYTES >> 20} MiB"
    return JobError("FILE_TOO_LARGE", f"Send parts of up to {most}.", details={"limit_bytes": MOST_PART_BYTES})
