"""Whatever under /api/ no other route takes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

NOTHING_HERE = "There is nothing at this address; /api/v1/docs lists what there is."


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponseBase:
    """Takes a trailing slash for a slip: a redirect would make a POST a GET."""
    try:
        match = resolve(request.path_info.rstrip("/"))
    except Resolver404:
        match = None
    if match is None or match.func is nowhere:
        return JsonResponse({"detail": NOTHING_HERE}, status=404)
    request.resolver_match = match
    return match.func(request, *match.args, **match.kwargs)
