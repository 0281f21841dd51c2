"""How requests are read: JSON answers whatever is accepted, and bodies that are too large or cut off are refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.request import Request

from jobs.errors import JobError

FORM_OVERHEAD = 100_000  # bytes that the fields and boundaries around a file may take


class JSONWhateverAccepted(DefaultContentNegotiation):
    """Who accepts something else gets JSON nevertheless: an error that can be read beats a 406."""

    def select_renderer(self, _request: Request, renderers: Any, _suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class WholeMultiPartParser(MultiPartParser):
    """Django takes a body that ends early for a complete one; the closing boundary tells."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles:
        ending = _Ending(stream)
        try:
            parsed = super().parse(ending, media_type, parser_context)
        except OSError:  # the disk is full, or the client left: Django would keep what came so far
            for handler in (parser_context or {})["request"].upload_handlers:
                handler.upload_interrupted()
            raise
        _, parameters = parse_header_parameters(media_type or "")
        if f"--{parameters['boundary']}--".encode() not in ending.last:
            for file in parsed.files.values():
                file.close()
            raise JobError("UPLOAD_INCOMPLETE")
        return parsed


class _Ending(io.RawIOBase):
    """A stream that remembers the last bytes read from it."""

    KEPT = 200  # a boundary has at most 70 characters; some clients send a line or two behind it

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self.stream.read(size)
        self.last = (self.last + chunk)[-self.KEPT :]
        return chunk


def too_large() -> JobError:
    limit = settings.MAX_UPLOAD_BYTES
    message = f"The file is larger than {limit // 1_000_000} MB."
    return JobError("FILE_TOO_LARGE", message, details={"limit_bytes": limit})


def merged(request: Request) -> dict[str, Any]:
    """The parameters of a request, from its query and its body; the body counts where both name one, blanks nowhere."""
    body = request.data
    if isinstance(body, QueryDict):
        body = body.dict()
    if not isinstance(body, Mapping):
        raise ParseError("The JSON must be an object.")
    given = {**request.query_params.dict(), **body}
    return {name: value for name, value in given.items() if value not in (None, "")}


# --- before any view: middleware


def bounded(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuses bodies of the API by their length before any of them is parsed, and has uploads written to the disk."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/api/"):
            try:
                check_length(request)
            except JobError as error:
                return JsonResponse(error.body(), status=error.status)
            request.upload_handlers = [TemporaryFileUploadHandler(request)]
        return get_response(request)

    return answer


def check_length(request: HttpRequest) -> None:
    length = body_length(request)
    if request.content_type == "multipart/form-data":
        if length > settings.MAX_UPLOAD_BYTES + FORM_OVERHEAD:
            raise too_large()
    elif length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise JobError("FILE_TOO_LARGE", "Send a file as multipart/form-data, in the field `file`.")


def body_length(request: HttpRequest) -> int:
    """As the client says; of a chunked body, which says nothing and which Django would ignore, as it turned out."""
    if isinstance(request, ASGIRequest) and not request.META.get("CONTENT_LENGTH"):
        body = request._stream
        request.META["CONTENT_LENGTH"] = str(body.seek(0, io.SEEK_END))
        body.seek(0)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise JobError("INVALID_INPUT", "Content-Length is not a number of bytes.")
    return int(length)
