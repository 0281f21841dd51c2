"""What is answered before any view, or where none was reached: bodies too large, strange hosts, defects."""

from __future__ import annotations

import io
from collections.abc import Callable

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.module_loading import import_string
from django.views import defaults

from jobs.errors import JobError
from jobs.files import check_size
from jobs.uploads import MOST_PART_BYTES

from .uploads import PART_TYPE, part_too_large

LONGEST_ADDRESS = 8_000  # characters, as RFC 9110 wants servers to take at least
FORM_OVERHEAD = 100_000  # bytes that the fields and boundaries around a file may take
# What tells an error under an address. Other vendors' surfaces stand above this module, so they are named, not
# imported.
SURFACES = {
    "/api/": "jobs.api.problems.response",
    "/pyannoteai/": "jobs.compat.pyannoteai.errors.before_any_view",
    "/timbr/": "jobs.compat.timbr.errors.before_any_view",
    "/neuralspace/": "jobs.compat.neuralspace.errors.before_any_view",
}


def bounded(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuses what is too long of the API before any of it is parsed, and has uploads written to the disk."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if surface := surface_of(request):
            try:
                check_address(request)
                check_length(request)
            except JobError as error:
                return refuse(surface, request, error)
            request.upload_handlers = [TemporaryFileUploadHandler(request)]
        return get_response(request)

    return answer


def surface_of(request: HttpRequest) -> str | None:
    """Which of SURFACES an address belongs to."""
    return next((prefix for prefix in SURFACES if request.path.startswith(prefix)), None)


def refuse(surface: str, request: HttpRequest, error: JobError) -> HttpResponse:
    answer: HttpResponse = import_string(SURFACES[surface])(request, error)
    return answer


def check_address(request: HttpRequest) -> None:
    if len(request.get_full_path()) > LONGEST_ADDRESS:
        raise JobError("ADDRESS_TOO_LONG", details={"limit": LONGEST_ADDRESS})


def check_length(request: HttpRequest) -> None:
    length = body_length(request)
    if request.content_type == "multipart/form-data":
        check_size(length - FORM_OVERHEAD)
    elif takes_bare_file(request):
        check_size(length)
    elif request.content_type == PART_TYPE:
        if length > MOST_PART_BYTES:
            raise part_too_large()
    elif length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise JobError("FILE_TOO_LARGE", "The request is too large for one without a file.")


def takes_bare_file(request: HttpRequest) -> bool:
    """Whether a file is the whole body, for the view of this address."""
    if request.method != "PUT":
        return False
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return bool(getattr(getattr(view, "cls", None), "takes_bare_file", False))


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


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, as for a host name that this server does not answer to."""
    if surface := surface_of(request):
        return refuse(surface, request, JobError("INVALID_INPUT"))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    if surface := surface_of(request):
        return refuse(surface, request, JobError("INTERNAL_ERROR"))
    return defaults.server_error(request)
