"""Who spoke when in a job, as a file in one of the formats that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from audio_engine.exports import FORMATS, Annotation
from audio_engine.formats import result_from_json
from audio_engine.types import SpeakerResult

from . import turns
from .errors import JobError
from .models import Job


def response(job: Job, name: str, name_of: Callable[[int], str]) -> HttpResponse:
    """The turns in the format of that name, each speaker called as `name_of` says. Raises JobError."""
    return written(job, name, annotation(job, name_of))


def written(job: Job, name: str, found: Annotation) -> HttpResponse:
    """What was found in a job in the format of that name."""
    wanted = FORMATS[name]
    answer = HttpResponse(wanted.write(found), content_type=wanted.content_type)
    answer["Content-Disposition"] = content_disposition_header(True, PurePath(job.name).stem + wanted.suffix)
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


def annotation(job: Job, name_of: Callable[[int], str]) -> Annotation:
    """Raises JobError JOB_HAS_NO_RESULT, JOB_HAS_NO_TURNS."""
    if job.result is None or job.finished_at is None:
        raise JobError("JOB_HAS_NO_RESULT")
    result = result_from_json(turns.result(job) or job.result)
    if not isinstance(result, SpeakerResult):
        raise JobError("JOB_HAS_NO_TURNS")
    names = {stats.speaker: name_of(stats.speaker) for stats in result.speakers}
    return Annotation(job.name, result.media.seconds, result.turns, job.finished_at, names)
