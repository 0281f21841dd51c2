"""Correcting who spoke when in the portal: turns that are another's or nobody's, and speakers who are one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from jobs import correcting, remaking, turns
from jobs.errors import JobError
from jobs.models import Job

from . import views

STALE = "The turns were corrected meanwhile, perhaps in another tab. Yours was not saved: this is how they are now."


@login_required
@require_POST
def correct(request: HttpRequest, job: UUID) -> HttpResponse:
    """Every correction of turns: `action` says which."""
    return _corrected(request, job, lambda found, given: ACTIONS[_action(given)](found, given))


@login_required
@require_POST
def merge(request: HttpRequest, job: UUID, speaker: int) -> HttpResponse:
    def work(found: Job, given: QueryDict) -> int:
        return correcting.merge(found, _version(given), speaker, _number(given, "into"))

    return _corrected(request, job, work, "panel-speakers")


@login_required
@require_POST
def remake(request: HttpRequest, job: UUID) -> HttpResponse:
    return views.again(request, views.own(request, job), remaking.remake)


def _corrected(
    request: HttpRequest, job: UUID, work: Callable[[Job, QueryDict], int], panel: str = "panel-turns"
) -> HttpResponse:
    found = views.own(request, job)
    before = turns.latest(found)
    try:
        version = work(found, request.POST)
        messages.success(request, _said(found, version) if version != before else "Nothing changed.")
    except JobError as error:
        if error.code != "JOB_CHANGED":
            messages.error(request, error.message)
            return views.job_page(request, found, error.status, chosen=_chosen(request.POST), sent=request.POST)
        messages.error(request, STALE)
    return redirect(f"{reverse('job', args=[found.uuid])}#{panel}")


def _said(job: Job, version: int) -> str:
    return f"{job.turn_versions.get(number=version).what}."


# --- what the forms send


def _give(job: Job, given: QueryDict) -> int:
    speaker = correcting.NEW if given.get("speaker") == "new" else _number(given, "speaker")
    return correcting.give(job, _version(given), _places(given), speaker)


def _remove(job: Job, given: QueryDict) -> int:
    return correcting.remove(job, _version(given), _places(given))


def _adjust(job: Job, given: QueryDict) -> int:
    places = sorted(_places(given))
    if len(places) != 1:
        raise _wrong("turns", "Choose one turn to set its times.")
    return correcting.adjust(job, _version(given), places[0], _seconds(given, "start"), _seconds(given, "end"))


def _undo(job: Job, given: QueryDict) -> int:
    return correcting.undo(job, _version(given))


def _restore(job: Job, given: QueryDict) -> int:
    return correcting.restore(job, _version(given), _number(given, "to"))


ACTIONS: dict[str, Callable[[Job, QueryDict], int]] = {
    "give": _give,
    "remove": _remove,
    "adjust": _adjust,
    "undo": _undo,
    "restore": _restore,
}


def _action(given: QueryDict) -> str:
    action = given.get("action", "")
    if action not in ACTIONS:
        raise _wrong("action", "Choose what to do with the turns.")
    return action


def _version(given: QueryDict) -> int:
    return _number(given, "version")


def _chosen(given: QueryDict) -> list[str]:
    """The turns: each in a field of its own, as boxes are sent, or all in one with commas in between."""
    return [part for sent in given.getlist("turn") for part in sent.split(",") if part]


def _places(given: QueryDict) -> set[int]:
    chosen = _chosen(given)
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in chosen):
        raise _wrong("turns", "There is no such turn.")
    return {int(part) for part in chosen}


def _number(given: QueryDict, field: str) -> int:
    text = given.get(field, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        words = {"speaker": "Choose a speaker to give the turns to.", "into": "Choose a speaker to merge with."}
        raise _wrong(field, words.get(field, "This page is too old; open it again."))
    return int(text)


def _seconds(given: QueryDict, field: str) -> float:
    """12.5, or 1:02:09.5 as people read times."""
    seconds = 0.0
    parts = given.get(field, "").strip().replace(",", ".").split(":")
    if len(parts) > 3:
        raise _wrong(field, "Give a time as 12.5 or 1:02.5.")
    for part in parts:
        try:
            seconds = 60 * seconds + float(part)
        except ValueError as error:
            raise _wrong(field, "Give a time as 12.5 or 1:02.5.") from error
    return seconds


def _wrong(field: str, words: str) -> JobError:
    return JobError("INVALID_OPTION", words, details={"field": field})
