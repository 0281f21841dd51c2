"""A new secret on its way from the form that made it to the page that shows it, where it is seen once.

In between only the browser has it, in a cookie for that page: nothing on the server keeps a secret in clear.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

COOKIE = "shown-once"
SECONDS = 300  # until the page is loaded


def lead(request: HttpRequest, secret: str, page: str) -> HttpResponse:
    """To the address of the page that shows it."""
    answer = redirect(page)
    answer.set_signed_cookie(
        COOKIE,
        secret,
        salt=_salt(request, page),
        max_age=SECONDS,
        path=page,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def show(request: HttpRequest, page: Callable[[str], HttpResponse]) -> HttpResponse:
    """The page of the secret that led to it, empty where none did; next time there is none."""
    secret = request.get_signed_cookie(COOKIE, default="", salt=_salt(request, request.path), max_age=SECONDS)
    answer = page(secret or "")
    if secret:
        answer.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return answer


def _salt(request: HttpRequest, page: str) -> str:
    return f"accounts.shown_once {request.user.pk} {page}"
