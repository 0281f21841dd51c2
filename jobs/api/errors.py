"""Whatever goes wrong under /api/ is told as JSON, in the words and bodies of the contract."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as Forbidden
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from accounts.guessing import TooManyAttempts
from accounts.idempotency import IdempotencyError
from accounts.ledger import InsufficientCredits
from jobs.errors import JobError
from jobs.lifecycle import Conflict

BAD_INPUT = (serializers.ValidationError, exceptions.ParseError)
RATE_LIMITED = "Rate limit exceeded. Try again later."
logger = logging.getLogger(__name__)


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER."""
    if framework := as_framework_error(error):
        return of_framework(framework)
    told = as_job_error(error)
    if told.code == "INTERNAL_ERROR":
        logger.error("%s failed", type(context["view"]).__name__, exc_info=error)
    headers = {}
    if isinstance(error, IdempotencyError) and error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    return Response(told.body(), status=told.status, headers=headers)


def as_framework_error(error: Exception) -> exceptions.APIException | None:
    """An error that its status says all about: credentials, methods, the rate limit."""
    match error:
        case Http404():
            return exceptions.NotFound()
        case Forbidden():
            return exceptions.PermissionDenied()
        case TooManyAttempts():
            return exceptions.Throttled(error.minutes * 60)
        case exceptions.APIException() if not isinstance(error, BAD_INPUT):
            return error
        case _:
            return None


def as_job_error(error: Exception) -> JobError:
    """Any error in the terms of the one table of codes."""
    match error:
        case JobError():
            return error
        case InsufficientCredits():
            return JobError("INSUFFICIENT_CREDITS", str(error))
        case Conflict():
            return JobError("JOB_CHANGED")
        case IdempotencyError():
            return JobError(error.code)
        case serializers.ValidationError():
            return invalid_fields(error.detail)
        case exceptions.ParseError():
            return JobError("INVALID_INPUT", str(error.detail))
        case RecursionError():  # JSON nested thousands deep
            return JobError("INVALID_INPUT", "The JSON is nested too deeply.")
        case UnreadablePostError():
            return JobError("UPLOAD_INCOMPLETE")
        case RequestDataTooBig():
            return JobError("FILE_TOO_LARGE", "The request is too large for one without a file.")
        case SuspiciousOperation():  # thousands of fields
            return JobError("INVALID_INPUT", str(error))
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return JobError("DISK_FULL")
        case _:
            return JobError("INTERNAL_ERROR")


def invalid_fields(detail: Any) -> JobError:
    """A message that names the first wrong field, with all of them in the details."""
    rules = dict(_rules(detail if isinstance(detail, dict) else {"body": detail}))
    wrong, rule = next(iter(rules.items()))
    return JobError("INVALID_OPTION", f"{wrong}: {rule}", details={"field": wrong.partition(".")[0], "errors": rules})


def _rules(wrong: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """What is wrong by the dotted path of the member that it is wrong with, as `voices.0.label`."""
    for name, told in wrong.items():
        if isinstance(told, Mapping):
            yield from _rules(told, f"{path}{name}.")
        else:
            yield f"{path}{name}", str(told) if isinstance(told, str) else " ".join(map(str, told))


def of_framework(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(int(error.wait or 60))
        return Response({"detail": RATE_LIMITED}, status=error.status_code, headers=headers)
    body = {"detail": str(error.detail)}
    if error.status_code != 404:
        body["error_code"] = str(error.get_codes()).upper()
    return Response(body, status=error.status_code, headers=headers)
