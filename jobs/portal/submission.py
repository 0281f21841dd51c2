"""From the drop zone to a job: with JavaScript one request for each file, without it an ordinary form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts import idempotency, ledger
from accounts.models import User
from audio_engine.types import TURN_TASKS
from jobs import files, ingest, lifecycle, pricing
from jobs.errors import JobError
from jobs.models import Job, Media

from .forms import SubmitForm, TurnsForm
from .views import jobs_page
from .words import refusal, too_dear


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    """To the new job, or the form again with all but its files, since no page can fill those in."""
    if request.method != "POST":  # as by a link of the refused form's page, or from signing in
        return redirect(f"{reverse('jobs')}?{request.GET.urlencode()}")
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    form = SubmitForm(request.POST, request.FILES)
    try:
        job = _submit(request.user, form)
    except JobError as error:
        if wants_json:
            return JsonResponse({"code": error.code, "message": refusal(error)}, status=error.status)
        messages.error(request, refusal(error))
        form.refuse(error)
        return jobs_page(request, form, error.status)
    if wants_json:
        return render(request, "portal/job_row.html", {"job": job}, status=201)
    return redirect("job", job.uuid)


@login_required
def price(request: HttpRequest) -> HttpResponse:
    """What so many seconds would cost, for the drop zone to show before anything is sent."""
    try:
        task = request.GET.get("task", "extraction")
        seconds = [float(value) for value in request.GET.getlist("seconds")]
        turns = set(map(int, request.GET.getlist("turns")))  # whose turns are given, by their places
        gives = [place in turns and task in TURN_TASKS for place in range(len(seconds))]
        costs = [pricing.price(task, its, gives_turns=given) for its, given in zip(seconds, gives, strict=True)]
    except (KeyError, ValueError, ArithmeticError):
        return JsonResponse({"message": "Give seconds as numbers, and a task."}, status=400)
    return JsonResponse({"credits": costs, "available": ledger.available(request.user)})


@login_required
@require_POST
def check_turns(request: HttpRequest) -> HttpResponse:
    """What a file says of who speaks when, before a recording is sent with it."""
    form = TurnsForm(request.POST, request.FILES)
    if not form.is_valid():
        return JsonResponse({"wrong": " ".join(form.errors["turns"])})
    turns, labels = form.cleaned_data["turns"]
    return JsonResponse({"turns": len(turns), "speakers": len(labels), "last": max(turn.start for turn in turns)})


def _submit(owner: User, form: SubmitForm) -> Job:
    if not form.is_valid():
        raise JobError("INVALID_OPTION", " ".join(message for errors in form.errors.values() for message in errors))
    file, url = form.cleaned_data["file"], form.cleaned_data["url"].strip()
    media = form.cleaned_data["media"]
    if sum(map(bool, (file, url, media))) > 1:
        raise JobError("CONFLICTING_INPUT")
    if file:
        return _submit_file(owner, file, form)
    if media:
        return _submit_stored(owner, media, form)
    if url:
        return _submit_url(owner, url, form)
    raise JobError("MISSING_INPUT")


def _submit_file(owner: User, upload: UploadedFile, form: SubmitForm) -> Job:
    files.check_size(upload.size or 0)
    with files.scratch() as folder, files.disk_errors():
        local = folder / "upload"
        with local.open("wb") as out:
            for chunk in upload.chunks():
                out.write(chunk)
        with local.open("rb") as sent:
            digest = hashlib.file_digest(sent, "sha256").hexdigest()
        media = ingest.take_upload(owner, local, upload.name or "")
    try:
        job = _once(owner, form, digest, lambda: _queue(media, form))
    except JobError:
        ingest.discard(media)
        raise
    if job.media_id != media.pk:
        ingest.discard(media)
    return job


def _submit_stored(owner: User, uuid: UUID, form: SubmitForm) -> Job:
    return _once(owner, form, str(uuid), lambda: _queue(ingest.stored(owner, uuid), form))


def _queue(media: Media, form: SubmitForm) -> Job:
    try:
        return lifecycle.submit(media, form.task_name, form.cleaned_data["options"])
    except JobError as error:
        raise JobError(error.code, form.in_labels(error.message), details=error.details) from error


def _submit_url(owner: User, url: str, form: SubmitForm) -> Job:
    name, options = ingest.name_of(url), form.cleaned_data["options"]
    return _once(owner, form, url, lambda: lifecycle.submit_url(owner, url, name, form.task_name, options))


def _once(owner: User, form: SubmitForm, source: str, queue: Callable[[], Job]) -> Job:
    """The new job; the one there is already where a form was sent twice, as by a double click without JavaScript."""
    asked = {"source": source, "task": form.task_name, "options": form.cleaned_data["options"].to_json()}
    key = f"{form.cleaned_data['token']} {idempotency.fingerprint(asked)}"  # going back, one may send another recording
    try:
        with transaction.atomic():
            job = queue()
            if form.cleaned_data["token"]:
                idempotency.note(owner, "form", key, {"job": str(job.uuid)})
            return job
    except ledger.InsufficientCredits as short:
        raise _too_dear(short) from short
    except idempotency.Repeated as first:
        if job := Job.objects.filter(owner=owner, uuid=first.body["job"]).first():
            return job
        raise JobError("JOB_NOT_FOUND") from first


def _too_dear(short: ledger.InsufficientCredits) -> JobError:
    details = {"required": short.required, "available": short.available}
    return JobError("INSUFFICIENT_CREDITS", too_dear(short), details=details)
