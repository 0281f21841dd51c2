"""The pages of the portal. Everything is looked up among the user's own jobs: another's is not found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Func, IntegerField, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.asking import ask
from accounts.ledger import InsufficientCredits
from audio_engine.exports import FORMATS
from audio_engine.types import TURN_TASKS
from jobs import archive, deleting, downloads, exports, lifecycle, naming, ranges, turns
from jobs.errors import JobError
from jobs.models import Job, JobEvent, Media, Track, owned_by
from jobs.uploads import MOST_PART_BYTES
from jobs.wording import state_words, steps, time_left

from . import corrections, demonstration, figures, questions, reading
from .forms import FilterForm, SubmitForm
from .words import contents, failure, history, too_dear

JOBS_A_PAGE = 25
Status = Job.Status
STATES: dict[str, Q] = {
    "active": ~Q(status__in=Job.TERMINAL),
    "succeeded": Q(status=Status.SUCCEEDED),
    "failed": Q(status__in=[Status.FAILED, Status.CANCELED]),
}


class ArrayLength(Func):
    function = "jsonb_array_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **context)


# --- pages


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("jobs")
    return render(request, "portal/home.html", demonstration.context())


@require_safe
def demonstration_timeline(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(demonstration.timeline())


@require_safe
def demonstration_recording(request: HttpRequest) -> HttpResponse:
    sound = demonstration.recording().read_bytes()
    try:
        part = ranges.parse(request.headers.get("Range", ""), len(sound)) or ranges.ByteRange(0, len(sound) - 1)
    except ranges.Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(sound)}"})
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {part.first}-{part.last}/{len(sound)}"}
    return HttpResponse(sound[part.first : part.last + 1], status=206, content_type="audio/wav", headers=headers)


@login_required
@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    return jobs_page(request, SubmitForm(initial={"media": request.GET.get("again")}))


def jobs_page(request: HttpRequest, form: SubmitForm, status: int = 200) -> HttpResponse:
    """The form and below it the list."""
    filters = FilterForm(request.GET)
    filters.is_valid()
    found = _listed(request)
    if name := filters.cleaned_data.get("q"):
        found = found.filter(Q(name__icontains=name) | Q(source_url__icontains=name))
    if state := STATES.get(filters.cleaned_data.get("state", "")):
        found = found.filter(state)
    context = {
        "form": form,
        "filters": filters,
        "page": Paginator(found, JOBS_A_PAGE).get_page(request.GET.get("page")),
        "any": owned_by(request.user).exists(),
        "rates": [(offer.name, settings.CREDITS_PER_SECOND[offer.task]) for offer in form.offers],
        "most_bytes": max(settings.MAX_UPLOAD_BYTES, settings.MAX_RESUMABLE_BYTES),
        "part_bytes": MOST_PART_BYTES,
        "again": _again(request, form["media"].value()),
    }
    return render(request, "portal/jobs.html", context, status=status)


@login_required
@require_safe
def row(request: HttpRequest, job: UUID) -> HttpResponse:
    """One line of the list, for a page whose job has changed its state."""
    return render(request, "portal/job_row.html", {"job": get_object_or_404(_listed(request), uuid=job)})


@login_required
@require_safe
def job(request: HttpRequest, job: UUID) -> HttpResponse:
    return job_page(request, own(request, job))


def job_page(request: HttpRequest, found: Job, status: int = 200, **sent: Any) -> HttpResponse:
    """`sent` is what a form of it was refused with, to be shown there again."""
    newest = found.events.filter(kind=JobEvent.Kind.PROGRESS).last()
    context: dict[str, Any] = {
        "job": found,
        "words": state_words(found.status, found.stage),
        "percent": int(found.progress * 100),
        "left": time_left(found.started_at, newest.created_at, found.progress) if newest else "",
        "events": history(found.events.filter(kind=JobEvent.Kind.STATE).select_related("actor")),
        "steps": steps(found),
        "seq": found.event_seq,
        "made_from": found.made_from.select_related("job").first(),
        "canceling": questions.canceling(found),
        "deleting": questions.deleting(found),
        **sent,
    }
    if found.result is not None:
        try:
            context |= results(found, version_asked(request))
        except JobError as error:
            raise Http404 from error
    if found.status == Status.FAILED:
        context["failure"] = failure(found)
    return render(request, "portal/job.html", context, status=status)


@login_required
@require_safe
def timeline(request: HttpRequest, job: UUID) -> HttpResponse:
    found = own(request, job)
    if found.result is None:
        raise Http404
    shown = turns.result(found)
    assert shown is not None
    fitting = turns.unchanged(found.result, turns.current(found)) if found.task in TURN_TASKS else None
    # These addresses stay good as long as the session does; the signed ones they lead to run out.
    tracks = {
        card.number: f"{reverse('job-file', args=[found.uuid, card.track.pk])}?listen"
        for card in _cards(found, shown, list(found.tracks.all()))
        if card.track and (fitting is None or card.number in fitting)  # else they are heard in the recording
    }
    recording = f"{reverse('job-recording', args=[found.uuid])}?listen"
    drawn = figures.timeline if found.task in TURN_TASKS else figures.parts_timeline
    response = JsonResponse(drawn(shown, recording, tracks))
    response["Cache-Control"] = "private, max-age=3600"  # its address has the version
    return response


@login_required
@require_safe
def file(request: HttpRequest, job: UUID, track: int) -> HttpResponse:
    """To the signed address of a file. This one stays good as long as the session, that one for an hour."""
    found = get_object_or_404(own(request, job).tracks, pk=track)
    return redirect(downloads.page_link(found, inline="listen" in request.GET))


@login_required
@require_safe
def recording(request: HttpRequest, job: UUID) -> HttpResponse:
    found = own(request, job)
    if found.media is None:
        raise Http404
    return redirect(downloads.page_link(found.media, inline="listen" in request.GET))


@login_required
@require_safe
def zipped(request: HttpRequest, job: UUID) -> HttpResponse:
    found = own(request, job)
    tracks = list(found.tracks.all())
    if not tracks:
        raise Http404
    return archive.response(request, found, tracks, lambda job, _: naming.name_of(job), naming.given(found))


@login_required
@require_safe
def export(request: HttpRequest, job: UUID, format: str) -> HttpResponse:
    found = own(request, job)
    if format not in FORMATS:
        raise Http404
    try:
        return exports.response(found, format, naming.name_of(found))
    except JobError as error:
        raise Http404 from error


# --- verbs


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, job: UUID) -> HttpResponse:
    found = own(request, job)
    if request.method != "POST" and not found.finished:  # a finished one is refused either way
        return ask(request, questions.canceling(found))
    try:
        lifecycle.cancel(found, actor=request.user)
        messages.success(request, "Canceled. Nothing was charged.")
    except JobError as error:
        messages.error(request, error.message)
    return redirect("job", found.uuid)


@login_required
@require_POST
def retry(request: HttpRequest, job: UUID) -> HttpResponse:
    return again(request, own(request, job), lifecycle.retry)


@login_required
@require_POST
def name_speaker(request: HttpRequest, job: UUID, speaker: int) -> HttpResponse:
    found = own(request, job)
    try:
        naming.call(found, speaker, request.POST.get("name", ""))
    except JobError as error:
        messages.error(request, error.message)
        return job_page(request, found, error.status, renamed=speaker, typed=request.POST.get("name", ""))
    return redirect(f"{reverse('job', args=[found.uuid])}#panel-speakers")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, job: UUID) -> HttpResponse:
    found = own(request, job)
    if request.method != "POST":
        return ask(request, questions.deleting(found))
    deleting.delete(found, actor=request.user)
    messages.success(request, f"“{found.name}” and everything made from it is deleted.")
    return redirect("jobs")


# --- the steps they share


def own(request: HttpRequest, job: UUID) -> Job:
    return get_object_or_404(Job.objects.select_related("media"), owner=request.user, uuid=job)


def again(request: HttpRequest, found: Job, work: Callable[..., Job]) -> HttpResponse:
    """To the job that `work` makes of `found`, or back to it, saying why there is none."""
    try:
        return redirect("job", work(found, actor=request.user).uuid)
    except JobError as error:
        messages.error(request, error.message)
    except InsufficientCredits as short:
        messages.error(request, too_dear(short))
    return redirect("job", found.uuid)


def version_asked(request: HttpRequest) -> int | None:
    """Of a transcript; the latest where none is named."""
    asked = request.GET.get("version", "")
    if asked and not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        raise Http404
    return int(asked) if asked else None


def _listed(request: HttpRequest) -> QuerySet[Job]:
    """Without the results, which can be large: a line only needs the number of speakers."""
    speakers = ArrayLength(KeyTransform("speakers", "result"))
    return owned_by(request.user).select_related("media").defer("result").annotate(speakers=speakers)


def _again(request: HttpRequest, media: str | None) -> Media | None:
    """The stored recording of which something else is to be made."""
    try:
        wanted = UUID(media or "")
    except ValueError:
        return None
    return Media.objects.filter(owner=request.user, uuid=wanted).first()


def _cards(job: Job, result: dict[str, Any], tracks: list[Track]) -> list[figures.Card]:
    if job.task in TURN_TASKS:
        return figures.speaker_cards(result, tracks, naming.name_of(job))
    return figures.part_cards(result, tracks)


def results(job: Job, version: int | None = None) -> dict[str, Any]:
    tracks, result = list(job.tracks.all()), turns.result(job)
    assert result is not None
    cards = _cards(job, result, tracks)
    of_speakers = job.task in TURN_TASKS
    results = {
        "of_speakers": of_speakers,
        "longest_name": naming.LONGEST,
        "result": result,
        "seconds": result["media"]["seconds"],
        "tracks": tracks,
        "files": [(track, contents(track, job, cards)) for track in tracks],
        "cards": cards,
        "recording": figures.recording_figures(result),
        "turns": figures.turns(result, cards) if of_speakers else [],
        "most_turns": figures.MOST_TURNS,
        "timeline": f"{reverse('job-timeline', args=[job.uuid])}?turns={turns.latest(job)}" if cards else "",
    }
    if not of_speakers:
        return results
    return results | {"formats": FORMATS} | corrections.context(job) | reading.context(job, version)
