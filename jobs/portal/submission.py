"""From the drop zone to a job: with JavaScript one request for each file, without it an ordinary form."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts import ledger
from accounts.models import User
from jobs import files, ingest, lifecycle, outbound, pricing
from jobs.errors import JobError
from jobs.models import Job

from .forms import SubmitForm
from .words import refusal


@login_required
@require_POST
def submit(request: HttpRequest) -> HttpResponse:
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    form = SubmitForm(request.POST, request.FILES)
    try:
        job = _submit(request.user, form)
    except JobError as error:
        if wants_json:
            return JsonResponse({"code": error.code, "message": refusal(error)}, status=error.status)
        messages.error(request, refusal(error))
        return redirect("jobs")
    if wants_json:
        return render(request, "portal/job_row.html", {"job": job}, status=201)
    return redirect("job", job.uuid)


@login_required
def price(request: HttpRequest) -> HttpResponse:
    """What so many seconds would cost, for the drop zone to show before anything is sent."""
    try:
        seconds = [float(value) for value in request.GET.getlist("seconds")]
        costs = [pricing.price(request.GET.get("task", "extraction"), value) for value in seconds]
    except (KeyError, ValueError, ArithmeticError):
        return JsonResponse({"message": "Give seconds as numbers, and a task."}, status=400)
    return JsonResponse({"credits": costs, "available": ledger.available(request.user)})


def _submit(owner: User, form: SubmitForm) -> Job:
    if not form.is_valid():
        raise JobError("INVALID_OPTION", " ".join(message for errors in form.errors.values() for message in errors))
    file, url = form.cleaned_data["file"], form.cleaned_data["url"].strip()
    if file and url:
        raise JobError("CONFLICTING_INPUT")
    if file:
        return _submit_file(owner, file, form)
    if url:
        return _submit_url(owner, url, form)
    raise JobError("MISSING_INPUT")


def _submit_file(owner: User, upload: UploadedFile, form: SubmitForm) -> Job:
    if upload.size > settings.MAX_UPLOAD_BYTES:
        raise JobError("FILE_TOO_LARGE", f"The file is larger than {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")
    with files.scratch() as folder, files.disk_errors():
        local = folder / "upload"
        with local.open("wb") as out:
            for chunk in upload.chunks():
                out.write(chunk)
        media = ingest.take_upload(owner, local, upload.name or "")
    try:
        return lifecycle.submit(media, form.task_name, form.cleaned_data["options"])
    except ledger.InsufficientCredits as short:
        ingest.discard(media)
        raise _too_dear(short) from short


def _submit_url(owner: User, url: str, form: SubmitForm) -> Job:
    outbound.check_url(url)
    try:
        return lifecycle.submit_url(owner, url, ingest.name_of(url), form.task_name, form.cleaned_data["options"])
    except ledger.InsufficientCredits as short:
        raise _too_dear(short) from short


def _too_dear(short: ledger.InsufficientCredits) -> JobError:
    message = f"This costs {short.required:,} credits; you have {short.available:,}."
    return JobError("INSUFFICIENT_CREDITS", message, details={"required": short.required, "available": short.available})
