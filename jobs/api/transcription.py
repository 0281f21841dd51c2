"""/api/v1/transcription/…: what was said and by whom, as AudioPod's clients ask for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from audio_engine.transcription.transcript import Sentence
from audio_engine.transcription.writing import plain
from audio_engine.types import Task
from jobs import lifecycle, outbound, transcripts, webhooks
from jobs.errors import JobError
from jobs.models import Job, owned_by
from jobs.options import asked_for

from . import render, results
from . import transcription_schema as schema
from .requests import merged
from .speaker import own_job, pause
from .submission import Submission, accept, sent_file
from .transcription_schema import TranscribeSerializer, TranscriptionsQuery, TranscriptQuery

TASK: Task = "transcription"
# AudioPod's names for the parts of ours; what else it offers changes nothing here, where all of it is always told.
OPTIONS = ("num_speakers", "min_speakers", "max_speakers", "language", "engine", "diarizer", "speaker_labels")
MESSAGE = "The transcription is queued."


class Transcribe(APIView):
    @schema.TRANSCRIBE
    def post(self, request: Request) -> Response:
        given = merged(request)
        if not given.get("source_urls"):
            raise JobError("MISSING_INPUT", "Provide source_urls, or a file to transcribe-upload.")
        return _submit(request, given)


class TranscribeUpload(APIView):
    @schema.TRANSCRIBE_UPLOAD
    def post(self, request: Request) -> Response:
        if not request.FILES.getlist("files"):
            raise JobError("MISSING_INPUT", "Send a recording as multipart/form-data, in the field `files`.")
        return _submit(request, merged(request))


class Transcriptions(APIView):
    @schema.LIST
    def get(self, request: Request) -> Response:
        query = TranscriptionsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        found = owned_by(request.user).filter(task=TASK)
        if word := wanted.get("status"):
            found = found.filter(status__in=[status for status, its in render.STATUS_WORDS.items() if its == word])
        page = found.select_related("media").prefetch_related("tracks").defer("result")
        page = page[wanted["skip"] : wanted["skip"] + wanted["limit"]]
        return Response([render.item(job) | _numbers(job) for job in page])


class Transcription(APIView):
    @schema.GET
    def get(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id, (TASK,))
        return Response(_told(job, request), headers=pause(job))

    @schema.DELETE
    def delete(self, request: Request, job_id: int) -> Response:
        lifecycle.delete(own_job(request.user, job_id, (TASK,)), actor=request.user)
        return Response(status=204)


class Retry(APIView):
    @schema.RETRY
    def post(self, request: Request, job_id: int) -> Response:
        with idempotency.reserve(request, {}) as reservation:
            if reservation.answer:
                return reservation.answer
            failed = own_job(request.user, job_id, (TASK,))
            with transaction.atomic():
                job = lifecycle.retry(failed, actor=request.user)
                return reservation.complete(_told(job, request))


class Cancel(APIView):
    @schema.CANCEL
    def post(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id, (TASK,))
        if job.status != Job.Status.CANCELED:
            job = lifecycle.cancel(job, actor=request.user)
        return Response(_told(job, request))


class Transcript(APIView):
    @schema.TRANSCRIPT
    def get(self, request: Request, job_id: int) -> HttpResponse:
        query = TranscriptQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        format, words = query.validated_data["format"], query.validated_data["words"]
        job = own_job(request.user, job_id, (TASK,))
        if format == "json":
            return JsonResponse(_transcript(job))
        answer = transcripts.response(job, format, partial(results.label, job), words=words)
        return answer if _takes_text(request, answer) else JsonResponse(answer.content.decode(), safe=False)


def _takes_text(request: Request, answer: HttpResponse) -> bool:
    """Who accepts JSON and no text, as AudioPod's SDK, gets the text as a JSON string."""
    return any(request._request.accepts(kind) for kind in ("text/plain", answer["Content-Type"].partition(";")[0]))


def _submit(request: Request, given: dict[str, Any]) -> Response:
    checked = TranscribeSerializer(data={name: value for name, value in given.items() if name != "files"})
    checked.is_valid(raise_exception=True)
    fields = checked.validated_data
    upload = sent_file(request, "files")
    url = "" if upload else fields["source_urls"][0]
    if url:
        outbound.check_url(url)
    options = asked_for(TASK, **{name: value for name, value in fields.items() if name in OPTIONS})
    webhook = webhooks.for_job(fields["webhook_url"]) if "webhook_url" in fields else None
    wanted = Submission(request.user, TASK, options, upload, url, webhook)
    return accept(request, wanted, lambda job: _told(job, request) | {"message": MESSAGE})


def _told(job: Job, request: Request) -> render.Body:
    return render.job(job, request) | _numbers(job)


def _numbers(job: Job) -> render.Body:
    """What AudioPod calls otherwise in transcriptions."""
    return {
        "job_id": job.number,
        "estimated_credits": job.credits,
        "estimated_duration": job.media.seconds if job.media else None,
        "source_urls": [job.source_url] if job.source_url else [],
    }


def _transcript(job: Job) -> render.Body:
    transcript = transcripts.read(job)
    found = job.result or {}
    labelled = transcripts.names(job, partial(results.label, job)) is not None
    known = [word.probability for word in transcript.words() if word.probability is not None]
    return {
        "job_id": job.number,
        "detected_language": transcript.language or None,
        "confidence_score": sum(known) / len(known) if known else None,
        "total_duration": found["media"]["seconds"],
        "segments": [
            _segment(job, number, sentence, labelled=labelled) for number, sentence in enumerate(transcript.sentences)
        ],
        "speakers": [
            {
                "id": stats["speaker"],
                "label": results.label(job, stats["speaker"]),
                "total_speaking_time": stats["talk_seconds"],
            }
            for stats in found["speakers"]
            if labelled
        ],
        "video_metadata": [],
    }


def _segment(job: Job, number: int, sentence: Sentence, *, labelled: bool) -> render.Body:
    speaker = sentence.speaker if labelled else None
    return {
        "id": number,
        "start": sentence.start,
        "end": sentence.end,
        "text": plain(sentence.text),
        "confidence": sentence.probability,
        "speaker_id": speaker,
        "speaker_label": None if speaker is None else results.label(job, speaker),
        "words": [
            {"word": word.text.strip(), "start": word.start, "end": word.end, "probability": word.probability}
            for word in sentence.words
        ],
    }
