"""From a request for work to its job: what was sent is checked, taken in, and queued together with its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from accounts.ledger import InsufficientCredits
from accounts.models import User
from accounts.validation import validated
from audio_engine.registry import AUTO
from jobs import files, ingest, lifecycle, voiceprints, webhooks
from jobs.errors import JobError
from jobs.models import Job, Media
from jobs.options import asked_for
from jobs.shared_options import JobOptions

from . import render
from .requests import merged
from .serializers import WorkSerializer

SUPPORTED_FORMATS = [
    *("audio/wav", "audio/mp3", "audio/m4a", "audio/aac", "audio/flac", "audio/ogg", "audio/opus", "audio/webm"),
    *("audio/x-ms-wma", "audio/speex", "audio/aiff", "audio/amr", "video/mp4", "video/quicktime", "video/webm"),
    *("video/x-matroska", "video/x-msvideo", "video/3gpp", "video/x-flv", "video/x-ms-wmv"),
]
SUPPORTED_EXTENSIONS = [
    *(".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".webm", ".wma", ".spx", ".aiff", ".amr"),
    *(".mp4", ".avi", ".mov", ".mkv", ".3gp", ".flv", ".wmv"),
]


Body = Callable[[Job, Request], dict[str, Any]]
ADDRESSES = ("file", "url", "media", "webhook_url")
EVEN = 50.0  # the confidence from which a match is likelier than not


@dataclass(frozen=True, slots=True)
class Submission:
    """A file, a URL or a stored recording, only one of them, and what is wanted of it."""

    owner: User
    task: str
    options: JobOptions
    upload: TemporaryUploadedFile | None
    url: str
    webhook: webhooks.JobWebhook | None
    media: UUID | None = None

    def parameters(self) -> dict[str, Any]:
        """What makes a repetition the same request."""
        webhook_url = self.webhook.url if self.webhook else ""
        file = digest(self.upload) if self.upload else ""
        source = {"url": self.url, "file": file, "media": str(self.media or "")}
        return {"options": self.options.to_json(), **source, "webhook_url": webhook_url}


def digest(upload: TemporaryUploadedFile) -> str:
    with Path(upload.temporary_file_path()).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def submit(request: Request, task: str, fields: type[WorkSerializer], body: Body = render.job) -> Response:
    """The answer to a request for work, told as `body` tells jobs.

    Raises JobError, InsufficientCredits, IdempotencyError, ValidationError.
    """
    return accept(request, read(request, task, fields), lambda job: body(job, request))


def accept(
    request: Request, wanted: Submission, told: Callable[[Job], render.Body], status: int = 200, **also: str
) -> Response:
    """Take in and queue what is wanted; the answer is what is `told` of the job, in the same transaction. `also` are
    parameters that are not the submission's. Raises as `submit` does.
    """
    parameters = wanted.parameters() | also if idempotency.HEADER in request.headers else {}
    with idempotency.reserve(request, parameters) as reservation:
        if reservation.answer:
            return reservation.answer
        media = take(wanted.owner, wanted.upload) if wanted.upload else None
        try:
            with transaction.atomic():
                job = queue(wanted, media)
                return reservation.complete(told(job), status)
        except (InsufficientCredits, JobError, idempotency.IdempotencyError):
            if media:
                ingest.discard(media)
            raise


def read(request: Request, task: str, fields: type[WorkSerializer], besides: Collection[str] = ()) -> Submission:
    """What is asked for, but for the members that say something `besides`."""
    given = merged(request)
    upload, url, media = sent_file(request), given.get("url"), given.get("media")
    if sum(map(bool, (upload, url, media))) > 1:
        raise JobError("CONFLICTING_INPUT")
    if not upload and not url and not media:
        raise nothing_sent(given, fields)
    checked = validated(fields, {name: value for name, value in given.items() if name not in besides})
    options = {name: value for name, value in checked.items() if name not in ADDRESSES}
    options = with_voices(request.user, task, options)
    webhook_url = checked.get("webhook_url")
    return Submission(
        request.user,
        task,
        asked_for(task, **options),
        upload,
        checked.get("url", ""),
        webhooks.for_job(webhook_url) if webhook_url else None,
        checked.get("media"),
    )


def with_voices(owner: User, task: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a request, for an identification with the voiceprints that it names by name or id, and, where it
    names no engine, the one that made them. Raises JobError as `voiceprints.known` does.
    """
    if task != "identification":
        return options
    given = {"engine": AUTO, "threshold": EVEN, **options}
    kept = voiceprints.known(owner, given.pop("voices", ()))
    if not kept:
        rule = "must name saved voiceprints"
        raise JobError("INVALID_OPTION", f"voices {rule}.", details={"field": "voices", "rule": rule})
    if given["engine"] == AUTO:
        given["engine"] = kept[0].engine
    return given | {"known": {voiceprint.name: voiceprint.text for voiceprint in kept}}


def sent_file(request: Request, field: str = "file") -> TemporaryUploadedFile | None:
    sent = request.FILES.getlist(field)
    if len(sent) > 1:
        raise JobError("INVALID_INPUT", f"{field}: Send one file with each request.")
    if not sent:
        return None
    files.check_size(sent[0].size)
    return sent[0]


def nothing_sent(given: dict[str, Any], fields: type[WorkSerializer]) -> JobError:
    if "file" in given:
        return JobError("INVALID_INPUT", "file: Send it as multipart/form-data, with a file name.")
    unknown = given.keys() - fields().fields.keys()
    if strange := [name for name in unknown if isinstance(given[name], UploadedFile)]:
        return JobError("MISSING_INPUT", f"Send the recording in the field file, not in {strange[0]}.")
    return JobError("MISSING_INPUT")


def take(owner: User, upload: TemporaryUploadedFile) -> Media:
    with files.scratch() as folder, described(upload):
        local = folder / "upload"  # without the extension, which could choose a decoder
        Path(upload.temporary_file_path()).rename(local)
        return ingest.take_upload(owner, local, upload.name or "")


def queue(wanted: Submission, media: Media | None) -> Job:
    """To be called in a transaction, before whose end nobody can remove a stored recording."""
    if wanted.media:
        media = ingest.stored(wanted.owner, wanted.media)
    if media:
        return lifecycle.submit(media, wanted.task, wanted.options, webhook=wanted.webhook)
    name = ingest.name_of(wanted.url)
    return lifecycle.submit_url(wanted.owner, wanted.url, name, wanted.task, wanted.options, webhook=wanted.webhook)


@contextmanager
def described(upload: TemporaryUploadedFile) -> Iterator[None]:
    """Says of a file that is no recording what it was sent as, and what would do."""
    try:
        yield
    except JobError as error:
        if error.code != "INVALID_AUDIO_FORMAT":
            raise
        sent_as = {"content_type": upload.content_type, "extension": Path(upload.name or "").suffix.lower()}
        supported = {"supported_formats": SUPPORTED_FORMATS, "supported_extensions": SUPPORTED_EXTENSIONS}
        reason = {"reason": error.message}
        expected = sent_as["extension"] in SUPPORTED_EXTENSIONS or "playlist" in error.details
        words = error.message if expected else ""  # which are about the type alone
        raise JobError(error.code, words, details={**sent_as, **supported, **reason, **error.details}) from error
