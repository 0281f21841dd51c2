"""Correcting what was said: lines of a transcript and whose they are. Each time it is saved there is a new version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audio_engine.transcription.transcript import Sentence
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS
from jobs import naming, revisions, transcripts, turns
from jobs.errors import JobError
from jobs.models import Job
from jobs.revisions import LONGEST_NOTES, LONGEST_TEXT, Edit

from . import views
from .figures import colour_of

LINES_A_PAGE = 50
STALE = "Somebody saved another version meanwhile. Nothing of yours is lost: copy what you changed, then open it again."


@dataclass(frozen=True, slots=True)
class Correction:
    """A line as its form shows it."""

    number: int
    start: float
    text: str
    speaker: int | None

    @property
    def colour(self) -> int:
        return 0 if self.speaker is None else colour_of(self.speaker)


@login_required
@require_safe
def transcript(request: HttpRequest, job: UUID, format: str) -> HttpResponse:
    found = views.own(request, job)
    if format not in TRANSCRIPT_FORMATS:
        raise Http404
    version = views.version_asked(request)
    try:
        return transcripts.response(found, format, naming.name_of(found), words="words" in request.GET, version=version)
    except JobError as error:
        raise Http404 from error


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: HttpRequest, job: UUID) -> HttpResponse:
    found = views.own(request, job)
    try:
        version = transcripts.latest(found)
        sentences = transcripts.read(found, version).sentences
    except JobError as error:
        raise Http404 from error
    if request.method != "POST":
        return _form(request, found, version, _lines(sentences))
    try:
        base = int(request.POST["version"])
        before = transcripts.read(found, base).sentences
    except (KeyError, ValueError, JobError) as error:  # no form of ours
        raise Http404 from error
    try:
        edits = _edits(request.POST, before, _speakers(found))
        _, changes = revisions.revise(found, edits, request.POST.get("notes", "")[:LONGEST_NOTES], base)
    except JobError as error:
        told = STALE if error.code == "JOB_CHANGED" else error.message
        return _form(request, found, base, _sent(request.POST, before), error.status, told)
    messages.success(request, f"Saved: {changes} line{'' if changes == 1 else 's'}." if changes else "Nothing changed.")
    return redirect(_next(request, found))


@login_required
@require_POST
def restore(request: HttpRequest, job: UUID, version: int) -> HttpResponse:
    found = views.own(request, job)
    try:
        revisions.restore(found, version)
        messages.success(request, f"Version {version} counts again. The one before is kept.")
    except JobError as error:
        messages.error(request, error.message)
    return redirect("job", found.uuid)


# --- the form


def _form(
    request: HttpRequest, job: Job, version: object, lines: Sequence[Correction], status: int = 200, error: str = ""
) -> HttpResponse:
    page = Paginator(lines, LINES_A_PAGE).get_page(request.GET.get("page") if not error else 1)
    name_of = transcripts.names(job, naming.name_of(job))
    context = views.results(job) | {
        "job": job,
        "page": page,
        "version": version,
        "error": error,
        "notes": request.POST.get("notes", ""),
        "all_of": request.POST.get("all-of", ""),
        "are_of": request.POST.get("are-of", ""),
        "people": [(speaker, name_of(speaker)) for speaker in _speakers(job)] if name_of else [],
        "longest": LONGEST_TEXT,
    }
    return render(request, "portal/correct.html", context, status=status)


def _next(request: HttpRequest, job: Job) -> str:
    """The lines after those that were saved, where that was asked for; else the job's page."""
    page = request.POST.get("on", "")
    if page.isdecimal():
        return f"{reverse('job-correct', args=[job.uuid])}?page={page}"
    return reverse("job", args=[job.uuid])


def _speakers(job: Job) -> list[int]:
    return turns.speakers(job)


def _lines(sentences: Sequence[Sentence]) -> list[Correction]:
    return [Correction(number, round(s.start, 2), s.text, s.speaker) for number, s in enumerate(sentences)]


def _sent(given: QueryDict, before: Sequence[Sentence]) -> list[Correction]:
    """What somebody wrote, to be shown again where it could not be saved."""
    lines = []
    for line in _lines(before):
        if (text := given.get(f"text-{line.number}")) is not None:
            chosen = given.get(f"speaker-{line.number}", "")
            lines.append(replace(line, text=text, speaker=int(chosen) if chosen.isdecimal() else None))
    return lines


# --- what was sent


def _edits(given: QueryDict, sentences: Sequence[Sentence], speakers: Sequence[int]) -> list[Edit]:
    """All lines as they are to be; those that the form did not show stay. Raises JobError INVALID_OPTION."""
    edits = []
    for number, sentence in enumerate(sentences):
        edit = Edit(number, sentence.start, sentence.end, sentence.text, sentence.speaker)
        if f"text-{number}" in given:
            edit = _edited(edit, given, speakers)
        if edit.text:
            edits.append(_reassigned(edit, given, speakers))
    return edits


def _edited(edit: Edit, given: QueryDict, speakers: Sequence[int]) -> Edit:
    number = edit.number
    text = given[f"text-{number}"].replace("\r\n", "\n").strip()
    speaker = _speaker(given, number, edit.speaker)
    if speaker is not None and speaker not in speakers:
        raise _wrong("A line is given to somebody who is not in this recording.")
    return replace(edit, text=edit.text if text == edit.text.strip() else text, speaker=speaker)


def _reassigned(edit: Edit, given: QueryDict, speakers: Sequence[int]) -> Edit:
    """Where all lines of one speaker are said to be another's."""
    one, other = given.get("all-of", ""), given.get("are-of", "")
    if not one or not other or str(edit.speaker) != one:
        return edit
    if not other.isdecimal() or int(other) not in speakers:
        raise _wrong("The lines are given to somebody who is not in this recording.")
    return replace(edit, speaker=int(other))


def _speaker(given: QueryDict, number: int | None, otherwise: int | None) -> int | None:
    """Empty says that nobody knows; a form without a choice of speakers leaves them."""
    chosen: Any = given.get(f"speaker-{number}")
    if chosen is None:
        return otherwise
    if chosen and not chosen.isdecimal():
        raise _wrong("A line is given to nobody that is known here.")
    return int(chosen) if chosen else None


def _wrong(words: str) -> JobError:
    return JobError("INVALID_OPTION", words, details={"field": "segments"})
