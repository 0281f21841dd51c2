"""Asking before what cannot be undone: by a page of its own, or, where scripts run, by a dialog before it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from .models import APIKey


@dataclass(frozen=True, slots=True)
class Question:
    """A GET of `address` asks and changes nothing, a POST does it; who would rather not goes to `back`."""

    address: str
    back: str
    words: str
    told: str
    verb: str
    otherwise: str = "Keep it"


def ask(request: HttpRequest, question: Question) -> HttpResponse:
    return render(request, "question.html", {"question": question})


def revoking(key: APIKey) -> Question:
    return Question(
        reverse("account-key-revoke", args=[key.pk]),
        reverse("account-keys"),
        f"Revoke “{key.name}”?",
        "Programs that use it are refused at once. This cannot be undone.",
        "Revoke",
    )
