"""Who spoke when as SRT, by a link that needs no token and expires as those to files do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request

from audio_engine.formats import speaker_label
from audio_engine.types import Turn
from jobs import exports
from jobs.errors import JobError
from jobs.models import Job

SALT = "jobs.compat.timbr.subtitles"


def url(job: Job, request: Request) -> str:
    path = reverse("timbr-subtitles", args=[signing.dumps(job.pk, salt=SALT)])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else str(request.build_absolute_uri(path))


def response(token: str) -> HttpResponse:
    """Raises JobError LINK_EXPIRED, LINK_INVALID, FILE_NOT_FOUND."""
    try:
        job = Job.objects.filter(pk=signing.loads(token, salt=SALT, max_age=settings.LINK_SECONDS)).first()
    except signing.SignatureExpired as error:
        raise JobError("LINK_EXPIRED") from error
    except signing.BadSignature as error:
        raise JobError("LINK_INVALID") from error
    if job is None:
        raise JobError("FILE_NOT_FOUND")
    found = exports.annotation(job, speaker_label)
    turns = tidied(found.turns, shortest=job.asked.get("min_speech", 0), pause=job.asked.get("min_silence", 0))
    return exports.written(job, "srt", replace(found, turns=turns))


def tidied(turns: Iterable[Turn], *, shortest: float, pause: float) -> tuple[Turn, ...]:
    """Each speaker's turns joined over pauses shorter than `pause` seconds, then without those below `shortest`."""
    joined: dict[int, list[Turn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start):
        own = joined.setdefault(turn.speaker, [])
        if own and turn.start - own[-1].end < pause:
            own[-1] = replace(own[-1], end=max(own[-1].end, turn.end))
        else:
            own.append(turn)
    return tuple(turn for own in joined.values() for turn in own if turn.duration >= shortest)
