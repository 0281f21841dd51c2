"""Whatever under /api/ no other route takes."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

from jobs.errors import JobError

from . import problems

NOTHING_HERE = "There is nothing at this address; /api/v1/docs lists what there is."

# What clients of AudioPod can ask for and is not done here, by the beginning of its address.
OUT_OF_SCOPE = {
    "/api/v1/music": "Music generation",
    "/api/v1/voice": "Speech synthesis",
    "/api/v1/translation": "Speech translation",
    "/api/v1/audiobook": "Audiobook production",
    "/api/v1/podcast": "Podcast production",
    "/api/v1/reader": "Reading texts aloud",
    "/api/v1/midi": "Conversion to MIDI",
    "/api/v2/video": "Video production",
    "/api/v1/transcription/stream": "Live transcription",
    "/api/v1/auth/initiate-registration": "Registration by programs",
    "/api/v1/auth/verify-registration": "Registration by programs",
    "/api/v1/auth/forgot-password": "Changing passwords by programs",
    "/api/v1/auth/reset-password": "Changing passwords by programs",
    "/api/v1/auth/change-password": "Changing passwords by programs",
    "/api/v1/api-wallet/topup": "Buying credits",
    "/api/v1/credits/payg": "Buying credits",
}


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponseBase:
    """Takes a trailing slash for a slip: a redirect would make a POST a GET."""
    path = request.path_info.rstrip("/")
    try:
        match = resolve(path)
    except Resolver404:
        match = None
    if match is None or match.func is nowhere:
        return _nothing(path)
    request.resolver_match = match
    return match.func(request, *match.args, **match.kwargs)


def _nothing(path: str) -> JsonResponse:
    if error := not_offered(path):
        return JsonResponse(error.body(), status=error.status)
    body = {"detail": NOTHING_HERE}
    if _would_be_ours(path):
        return JsonResponse(problems.of_status(404, body), status=404, content_type=problems.MEDIA_TYPE)
    return JsonResponse(body, status=404)


def not_offered(path: str) -> JobError | None:
    """What is to be said of an address that is out of scope."""
    for prefix, service in OUT_OF_SCOPE.items():
        if f"{path}/".startswith(f"{prefix}/"):
            message = f"{service} is not part of this server; /api/v1/docs lists what is."
            return JobError("NOT_OFFERED", message, details={"service": service})
    return None


def _would_be_ours(path: str) -> bool:
    """Whether it is like an address of our own, but for ids that are none."""
    return next((ours for address, ours in _addresses() if address.fullmatch(path)), False)


@cache
def _addresses() -> list[tuple[re.Pattern[str], bool]]:
    """What addresses look like and whether their errors are problems, the most particular first."""
    routes = [(str(entry.pattern), entry.callback) for entry in import_module("jobs.api.urls").urlpatterns]
    routes.sort(key=lambda route: len(route[0]), reverse=True)
    return [
        (re.compile("/api/v1/" + re.sub("<.+?>", ".+", route), re.DOTALL), problems.are_of(view))
        for route, view in routes
    ]
