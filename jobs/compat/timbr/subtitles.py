"""Who spoke when and what as SRT, by a link that needs no token and expires as those to files do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request

from audio_engine.exports import SRT_MARKUP
from audio_engine.formats import result_from_json, speaker_label
from audio_engine.transcription.attribution import attribute_lines
from audio_engine.transcription.transcript import Sentence, Transcript
from audio_engine.types import SpeakerResult, Turn
from jobs import exports, transcripts
from jobs.errors import JobError
from jobs.models import Job

SALT = "jobs.compat.timbr.subtitles"


def url(job: Job, kind: str, request: Request) -> str:
    """`kind` is one of KINDS."""
    path = reverse("timbr-subtitles", args=[signing.dumps([job.pk, kind], salt=SALT)])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else str(request.build_absolute_uri(path))


def response(token: str) -> HttpResponse:
    """Raises JobError LINK_EXPIRED, LINK_INVALID, FILE_NOT_FOUND, and what `transcripts.read` raises."""
    try:
        pk, kind = signing.loads(token, salt=SALT, max_age=settings.LINK_SECONDS)
    except signing.SignatureExpired as error:
        raise JobError("LINK_EXPIRED") from error
    except signing.BadSignature as error:
        raise JobError("LINK_INVALID") from error
    job = Job.objects.filter(pk=pk).first()
    if job is None:
        raise JobError("FILE_NOT_FOUND")
    return KINDS[kind](job)


def speakers(job: Job) -> HttpResponse:
    """The speaker's name for each turn."""
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


def captions(job: Job) -> HttpResponse:
    """What was said, in pieces that can be read while they are heard."""
    return transcripts.response(job, "srt", speaker_label, words=False)


def sentences(job: Job) -> HttpResponse:
    """What was said, each sentence in one piece."""
    transcript = transcripts.read(job)
    whole = (replace(its, words=(), text=its.text.translate(SRT_MARKUP)) for its in transcript.sentences)
    return transcripts.written(job, replace(transcript, sentences=tuple(whole)), "srt", speaker_label, words=False)


def lines(job: Job) -> HttpResponse:
    """Subtitles that were there before, each line with its speaker."""
    result = result_from_json(job.result or {})
    assert isinstance(result, SpeakerResult)
    spoken = attribute_lines([Sentence(*line) for line in job.asked["lines"]], result.exclusive)
    return transcripts.written(job, Transcript("", None, spoken), "srt", speaker_label, words=False)


KINDS = {"speakers": speakers, "lines": lines, "captions": captions, "sentences": sentences}
