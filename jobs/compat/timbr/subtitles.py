"""Who spoke when and what as SRT, by a link that needs no token and expires as those to files do."""

from __future__ import annotations

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
from audio_engine.types import SpeakerResult
from jobs import exports, transcripts
from jobs.errors import JobError
from jobs.models import Job

from .turns import said_in, wanted, within

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
    return exports.written(job, "srt", replace(found, turns=wanted(job, found.turns)))


def captions(job: Job) -> HttpResponse:
    """What was said, in pieces that can be read while they are heard."""
    return transcripts.written(job, transcript_of(job), "srt", speaker_label, words=False)


def transcript_of(job: Job) -> Transcript:
    """What was said in the turns that are wanted."""
    transcript, result = transcripts.read(job), result_of(job)
    kept, left_out = within(result.exclusive, wanted(job, result.turns))
    if not left_out:
        return transcript
    return replace(transcript, sentences=tuple(said_in(transcript.sentences, kept, left_out)))


def result_of(job: Job) -> SpeakerResult:
    result = result_from_json(job.result or {})
    assert isinstance(result, SpeakerResult)
    return result


def sentences(job: Job) -> HttpResponse:
    """What was said, each sentence in one piece."""
    transcript = transcript_of(job)
    whole = (replace(its, words=(), text=its.text.translate(SRT_MARKUP)) for its in transcript.sentences)
    return transcripts.written(job, replace(transcript, sentences=tuple(whole)), "srt", speaker_label, words=False)


def lines(job: Job) -> HttpResponse:
    """Subtitles that were there before, each line with its speaker."""
    result = result_of(job)
    kept, _ = within(result.exclusive, wanted(job, result.turns))
    spoken = attribute_lines([Sentence(*line) for line in job.asked["lines"]], kept)
    return transcripts.written(job, Transcript("", None, spoken), "srt", speaker_label, words=False)


KINDS = {"speakers": speakers, "lines": lines, "captions": captions, "sentences": sentences}
