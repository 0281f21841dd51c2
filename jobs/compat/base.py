"""What the surfaces of other vendors share. Each is a translation of requests and answers, over the same jobs.

A surface has its own view class below `VendorView`, with the envelope that its errors come in, and is named with it in
jobs/api/gate.py for what is refused before any view. Who asks and how often they may is decided as everywhere.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, JsonResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts.authentication import KeyOrTokenAuthentication, by_key, by_token
from accounts.models import User
from accounts.validation import validated
from jobs.api import errors
from jobs.errors import JobError
from jobs.models import Job

Body = dict[str, Any]
logger = logging.getLogger(__name__)


# --- errors


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error before a vendor's words for it: our status, code (of jobs.errors or the framework's) and message."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong with which member of the request, where that is known."""
        if rules := self.details.get("errors"):
            return dict(rules)
        if "field" in self.details:
            return {self.details["field"]: self.message}
        return {}


class VendorView(APIView):
    """A view of another vendor's surface."""

    envelope: Callable[[Refusal], tuple[int, Body]]  # the status and body that the vendor's clients expect of an error

    def get_exception_handler(self) -> Any:
        return self._refuse

    def _refuse(self, error: Exception, _context: Mapping[str, Any]) -> Response:
        refusal, headers = _as_refusal(error)
        if refusal.code == "INTERNAL_ERROR":
            logger.error("%s failed (%s)", type(self).__name__, refusal.id, exc_info=error)
        status, body = self.envelope(refusal)
        return Response(body, status, headers=headers)

    @classmethod
    def before_any_view(cls, _request: HttpRequest, error: JobError) -> JsonResponse:
        """For jobs/api/gate.py."""
        status, body = cls.envelope(Refusal(error.status, error.code, error.message, error.details))
        return JsonResponse(body, status=status)


class NowhereView(VendorView):
    """Whatever no other route of a surface takes."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *_: Any, **__: Any) -> None:
        raise exceptions.NotFound(f"There is nothing at {request.path}.")


def _as_refusal(error: Exception) -> tuple[Refusal, dict[str, str]]:
    """With the headers that belong to it, as Retry-After."""
    if framework := errors.as_framework_error(error):
        answer = errors.of_framework(framework)
        code = answer.data.get("error_code") or str(framework.get_codes()).upper()
        headers = {name: value for name, value in answer.items() if name != "Content-Type"}
        return Refusal(answer.status_code, code, answer.data["detail"]), headers
    told = errors.as_job_error(error)
    return Refusal(told.status, told.code, told.message, told.details), {}


# --- who asks


class KeyWithOrWithoutBearer(KeyOrTokenAuthentication):
    """For vendors whose clients send a bare key as Authorization."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        header = request.headers.get("Authorization", "").strip()
        if not header or " " in header or header.lower() == "bearer":
            return super().authenticate(request)
        return by_key(header) if header.startswith("ap_") else by_token(header)


class KeyWithOrWithoutBearerScheme(OpenApiAuthenticationExtension):
    target_class = KeyWithOrWithoutBearer
    name = "bareKey"

    def get_security_definition(self, _schema: Any) -> dict[str, str]:
        meaning = "An API key, `ap_…`, with or without `Bearer ` before it."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": meaning}


# --- what is asked


def checked(fields: type[Serializer[Any]], given: Any) -> Body:
    """The members of a request that say something: nulls do not, and those without a meaning here are refused by name.

    Raises ValidationError, ParseError.
    """
    if not isinstance(given, Mapping):
        raise exceptions.ParseError("The JSON must be an object.")
    return validated(fields, {name: value for name, value in given.items() if value is not None})


# --- its jobs


def own_job(user: User, task_id: str, *tasks: str) -> Job:
    """By its UUID, in whichever run. Raises JobError JOB_NOT_FOUND, for other people's and other tasks' too."""
    try:
        wanted = uuid.UUID(task_id)
    except ValueError as error:
        raise JobError("JOB_NOT_FOUND") from error
    found = Job.objects.filter(owner=user, uuid=wanted, task__in=tasks)
    job = found.select_related("media").prefetch_related("tracks").first()
    if job is None:
        raise JobError("JOB_NOT_FOUND")
    return job
