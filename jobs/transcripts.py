"""What was said in a job, as a value and as a file in one of the formats that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePath

from django.core.files.storage import default_storage
from django.db.models import Max
from django.http import HttpResponse
from django.utils.http import content_disposition_header

from audio_engine.transcription.transcript import Transcript, transcript_from_json
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS

from .errors import JobError
from .models import Job, Track

FIRST = 1  # the version that the engine made


def latest(job: Job) -> int:
    """The number of the version that counts."""
    return job.transcript_versions.aggregate(latest=Max("number"))["latest"] or FIRST


def read(job: Job, version: int | None = None) -> Transcript:
    """A version of the transcript, the latest if None.

    Raises JobError JOB_HAS_NO_RESULT, JOB_HAS_NO_TRANSCRIPT, VERSION_NOT_FOUND, FILE_NOT_FOUND.
    """
    if job.result is None:
        raise JobError("JOB_HAS_NO_RESULT")
    track = job.tracks.filter(kind=Track.Kind.TRANSCRIPT).first()
    if track is None:
        raise JobError("JOB_HAS_NO_TRANSCRIPT")
    number = latest(job) if version is None else version
    kept = None if number == FIRST else job.transcript_versions.filter(number=number).first()
    if kept is None and number != FIRST:
        raise JobError("VERSION_NOT_FOUND")
    try:
        with default_storage.open(kept.file if kept else track.file, "rb") as file:
            return transcript_from_json(json.load(file))
    except FileNotFoundError as error:
        raise JobError("FILE_NOT_FOUND") from error


def names(job: Job, name_of: Callable[[int], str]) -> Callable[[int], str] | None:
    """How the speakers are called; None where the job was to leave them out."""
    return name_of if job.options.get("speaker_labels", True) else None


def response(
    job: Job, format: str, name_of: Callable[[int], str], *, words: bool, version: int | None = None
) -> HttpResponse:
    """The transcript in the format of that name. `words`: a caption for each word. Raises JobError as `read` does."""
    return written(job, read(job, version), format, name_of, words=words)


def written(
    job: Job, transcript: Transcript, format: str, name_of: Callable[[int], str], *, words: bool
) -> HttpResponse:
    """A transcript of a job in the format of that name."""
    wanted = TRANSCRIPT_FORMATS[format]
    text = wanted.write(transcript, names(job, name_of), words=words)
    answer = HttpResponse(text, content_type=wanted.content_type)
    answer["Content-Disposition"] = content_disposition_header(True, PurePath(job.name).stem + wanted.suffix)
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer
