"""Errors of our own addresses, those that no other vendor's contract describes, as Problem Details of RFC 9457."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import Resolver404, resolve, reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.errors import ERRORS, JobError

from . import errors, own_schema

MEDIA_TYPE = "application/problem+json"


class OwnView(APIView):
    """A view of an address of our own."""

    def get_exception_handler(self) -> Any:
        return handle


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """What errors.handle answers, told as a problem."""
    answer = errors.handle(error, context)
    if errors.as_framework_error(error):
        body = of_status(answer.status_code, answer.data)
    else:
        body = problem(context["request"], errors.as_job_error(error))
    headers = {name: value for name, value in answer.items() if name != "Content-Type"}
    return Response(body, answer.status_code, headers=headers, content_type=MEDIA_TYPE)


def problem(request: HttpRequest | Request, error: JobError, at: str = "") -> dict[str, Any]:
    """`code` and `details` are ours; `errors` points to each wrong member of the body (RFC 6901), below `at`."""
    told = {
        "type": reverse("api-problem", args=[error.code]),
        "title": ERRORS[error.code].message,
        "status": error.status,
        "detail": error.message,
        "instance": request.path,
        "code": error.code,
        "details": error.details,
    }
    wrong = [{"pointer": f"#{at}/{pointer}", "detail": rule} for pointer, rule in _wrong(error.details)]
    return told | ({"errors": wrong} if wrong else {})


def of_status(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """An error that its status says all about, as the rate limit."""
    title = HTTPStatus(status).phrase
    code = body.get("error_code") or title.upper().replace(" ", "_")
    return {"type": "about:blank", "title": title, "status": status, "detail": body["detail"], "code": code}


def response(request: HttpRequest, error: JobError) -> JsonResponse:
    """An error before any view, in the terms of the address it was for."""
    if _is_ours(request.path_info):
        return JsonResponse(problem(request, error), status=error.status, content_type=MEDIA_TYPE)
    return JsonResponse(error.body(), status=error.status)


def _is_ours(path: str) -> bool:
    try:
        return are_of(resolve(path.rstrip("/")).func)
    except Resolver404:
        return False


def are_of(view: Callable[..., Any]) -> bool:
    """Whether a view's errors are problems."""
    return issubclass(getattr(view, "cls", object), OwnView)


def _wrong(details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, rule in details.get("errors", {}).items():
        yield field.replace("~", "~0").replace("/", "~1").replace(".", "/"), rule
    if "rule" in details:
        yield details["field"], details["rule"]


class Problem(APIView):
    """Where the `type` of a problem leads."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @own_schema.PROBLEM
    def get(self, _request: Request, code: str) -> Response:
        if code not in ERRORS:
            return Response({"detail": "There is no error of this code."}, status=404)
        return Response({"code": code, "status": ERRORS[code].status, "title": ERRORS[code].message})
