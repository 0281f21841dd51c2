"""/api/v1/transcription/…: what was said and by whom, as AudioPod's clients ask for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.validation import validated
from audio_engine.transcription.transcript import Sentence
from audio_engine.transcription.writing import plain
from audio_engine.types import Task
from jobs import downloads, revisions, transcripts, webhooks
from jobs.errors import JobError
from jobs.models import Job, owned_by
from jobs.options import asked_for

from . import render, results, verbs
from . import transcription_schema as schema
from .requests import merged
from .submission import Submission, accept, sent_file
from .transcription_schema import EditSerializer, TranscribeSerializer, TranscriptionsQuery, TranscriptQuery
from .verbs import own_job

TASK: Task = "transcription"
# AudioPod's names for the parts of ours; what else it offers changes nothing here, where all of it is always told.
OPTIONS = (
    *("num_speakers", "min_speakers", "max_speakers", "voice_attributes"),
    *("language", "engine", "diarizer", "speaker_labels", "input_srt", "turns", "speaker_names"),
)
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
        wanted = validated(TranscriptionsQuery, request.query_params.dict())
        found = owned_by(request.user).filter(task=TASK)
        if word := wanted.get("status"):
            found = found.filter(status__in=[status for status, its in render.STATUS_WORDS.items() if its == word])
        page = found.select_related("media").prefetch_related("tracks").defer("result")
        page = page[wanted["skip"] : wanted["skip"] + wanted["limit"]]
        return Response([render.item(job) | _numbers(job) for job in page])


class Transcript(APIView):
    @schema.TRANSCRIPT
    def get(self, request: Request, job_id: int) -> HttpResponse:
        wanted = validated(TranscriptQuery, request.query_params.dict())
        format, version = wanted["format"], wanted.get("version")
        job = own_job(request.user, job_id, (TASK,))
        if format == "json":
            return JsonResponse(_transcript(job, version))
        named = partial(results.label, job)
        answer = transcripts.response(job, format, named, words=wanted["words"], version=version)
        return answer if _takes_text(request, answer) else JsonResponse(answer.content.decode(), safe=False)


class Audio(APIView):
    @schema.AUDIO
    def get(self, request: Request, job_id: int, index: int) -> HttpResponseBase:
        job = own_job(request.user, job_id, (TASK,))
        if index or job.media is None:
            raise JobError("FILE_NOT_FOUND")
        try:
            return downloads.send(request._request, job.media, inline=True)
        except FileNotFoundError as error:
            raise JobError("FILE_NOT_FOUND") from error


class Edit(APIView):
    @schema.EDIT
    def get(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id, (TASK,))
        segments = _transcript(job)["segments"]
        return Response({"job_id": job.number, "version": transcripts.latest(job), "segments": segments})

    @schema.REVISE
    def put(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id, (TASK,))
        given = EditSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        edits = _edits(job, given.validated_data["segments"])
        version, changes = revisions.revise(job, edits, given.validated_data["edit_notes"])
        return Response({"job_id": job.number, "version": version, "changes_count": changes})


class Versions(APIView):
    @schema.VERSIONS
    def get(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id, (TASK,))
        transcripts.read(job)  # which says why there is none
        first = {"version": 1, "created_at": render.moment(job.finished_at), "edit_notes": "", "changes_count": 0}
        later = [
            {
                "version": version.number,
                "created_at": render.moment(version.created_at),
                "edit_notes": version.notes,
                "changes_count": version.changes,
            }
            for version in job.transcript_versions.all()
        ]
        return Response([first, *later])


def _takes_text(request: Request, answer: HttpResponse) -> bool:
    """Who accepts JSON and no text, as AudioPod's SDK, gets the text as a JSON string."""
    return any(request._request.accepts(kind) for kind in ("text/plain", answer["Content-Type"].partition(";")[0]))


def _submit(request: Request, given: dict[str, Any]) -> Response:
    fields = validated(TranscribeSerializer, {name: value for name, value in given.items() if name != "files"})
    upload = sent_file(request, "files")
    url = "" if upload else fields["source_urls"][0]
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


def _edits(job: Job, segments: list[dict[str, Any]]) -> list[revisions.Edit]:
    """Raises JobError INVALID_OPTION for a time beyond the recording or a speaker who is not in it."""
    before = dict(enumerate(transcripts.read(job).sentences))
    found = job.result or {}
    labels = {results.label(job, stats["speaker"]): stats["speaker"] for stats in found["speakers"]}
    edits = []
    for place, segment in enumerate(segments):
        was = before.get(segment.get("id"))
        if (label := segment.get("speaker_label")) and label not in labels:
            raise _wrong(place, f"is of {label}, who is not in this recording")
        if (speaker := segment.get("speaker_id")) is not None and speaker not in labels.values():
            raise _wrong(place, f"is of speaker {speaker}, who is not in this recording")
        if not segment["start"] <= segment["end"] <= found["media"]["seconds"] + 1:
            raise _wrong(place, "has to end after it starts and within the recording")
        named = [labels[label]] if label else []
        named += [] if speaker is None else [speaker]
        its = _speaker(was.speaker if was else None, named)
        edits.append(revisions.Edit(segment.get("id"), segment["start"], segment["end"], segment["text"], its))
    return edits


def _speaker(before: int | None, named: list[int]) -> int | None:
    """Whoever is named by label or by id and was not before: who sends both back may have changed only one."""
    return next((speaker for speaker in named if speaker != before), before)


def _wrong(place: int, rule: str) -> JobError:
    return JobError("INVALID_OPTION", f"segments: Number {place} {rule}.", details={"field": "segments", "rule": rule})


def _transcript(job: Job, version: int | None = None) -> render.Body:
    transcript = transcripts.read(job, version)
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


# --- looking after them


class Transcribed:
    tasks = (TASK,)
    body = staticmethod(_told)


@extend_schema_view(get=schema.GET, delete=schema.DELETE)
class Transcription(Transcribed, verbs.Detail):
    pass


@extend_schema_view(post=schema.RETRY)
class Retry(Transcribed, verbs.Retry):
    pass


@extend_schema_view(post=schema.CANCEL)
class Cancel(Transcribed, verbs.Cancel):
    pass
