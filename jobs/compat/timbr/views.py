"""/timbr/v1/…: uploads, separation, diarization and jobs, for clients written for Timbr (docs.hudson-ai.com)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.models import User
from audio_engine import registry
from audio_engine.transcription.languages import language_code
from jobs import ingest, lifecycle
from jobs.api import addresses
from jobs.compat.base import Body, NowhereView, Refusal, checked, own_job
from jobs.errors import JobError
from jobs.models import Job, Media, owned_by
from jobs.options import asked_for
from jobs.shared_options import TUNABLE

from . import lines, rendering, schema, subtitles
from .errors import View, envelope
from .requests import LOUDNESS, TimbrDiarize, TimbrEnhance, TimbrJobsQuery, TimbrSeparate, TimbrUpload

SURFACE = "timbr"
PUT = "timbr-put"
UPLOAD_SECONDS = 30 * 60
WHISPER = "whisper"
SPLIT, LINGUAL = "dialogue-music-effect", "speech-nonlingual"
AS_IT_IS = 0.5  # of the thresholds of speech: how engines are tuned
NO_MODEL = "No model for transcription is installed on this server; leave it out for the speakers alone."
NO_WORDS = "No model for transcription is installed on this server, and only one tells words from other sounds."
GENERATION = "x-goog-if-generation-match"


class Nowhere(NowhereView, View):
    pass


# --- uploads


class Uploads(View):
    @schema.UPLOAD
    def post(self, request: Request) -> Response:
        name = checked(TimbrUpload, request.data).get("filename", "")
        new = str(uuid.uuid4())
        url = addresses.address(request, PUT, request.user, file_id=new, name=name)
        return Response({"file_id": new, "upload_url": url, "expires_in": UPLOAD_SECONDS})


class AudioUploads(Uploads):
    """As Timbr's description of `file_id` calls the same."""

    @schema.AUDIO_UPLOAD
    def post(self, request: Request) -> Response:
        return super().post(request)


class Upload(addresses.PutView, View):
    """Good for one recording, or for subtitles, since an id exists only once."""

    @schema.PUT
    def put(self, request: Request, token: str) -> Response:
        owner, said = addresses.read(token, PUT, seconds=UPLOAD_SECONDS)
        sent_to = UUID(said["file_id"])
        used = Media.objects.filter(uuid=sent_to).exists() or lines.kept(owner, sent_to)
        if used or request.headers.get(GENERATION, "0") != "0":
            raise JobError("UPLOAD_USED")
        with addresses.received(request, owner) as local:
            if lines.are_lines(local):
                lines.keep(owner, sent_to, local)
            else:
                store(owner, local, said["name"], sent_to)
        return Response({"file_id": str(sent_to)})


def store(owner: User, local: Path, name: str, sent_to: UUID) -> None:
    try:
        ingest.take_upload(owner, local, name, uuid=sent_to)
    except IntegrityError as error:  # another request was faster
        raise JobError("UPLOAD_USED") from error


# --- work


class Separate(View):
    @schema.SEPARATE
    def post(self, request: Request) -> Response:
        given = checked(TimbrSeparate, request.data)
        refuse_unserved(given, SEPARATION)
        options = {"sample_rate": given["sample_rate"], "bit_depth": given["bit_depth"]}
        options |= {"split_background": given["separation_type"] == SPLIT, "words_only": by_words(given)}
        return queue(request, given, "dialogue", options)


def by_words(given: Body) -> bool:
    """Whether words are to be told from the other sounds that people make. Raises ValidationError where none can be."""
    if given["separation_type"] != LINGUAL:
        return False
    if not can_transcribe():
        raise ValidationError({"separation_type": [NO_WORDS]})
    return True


class Enhance(View):
    @schema.ENHANCE
    def post(self, request: Request) -> Response:
        given = checked(TimbrEnhance, request.data)
        options = {
            "strength": given["noise_reduction"] if given["denoise"] else 0.0,
            "equalizer": given["eq_preset"],
            "compress": given["compression"],
            "loudness": LOUDNESS if given["normalize"] else None,
        }
        return queue(request, given, "denoising", options)


class Diarize(View):
    @schema.DIARIZE
    def post(self, request: Request) -> Response:
        given = checked(TimbrDiarize, request.data)
        refuse_unserved(given, DIARIZATION)
        options = {"num_speakers": given.get("num_speakers"), "voice_attributes": given["detect_gender"]}
        asked = {"min_speech": given["vad_min_speech_duration"], "min_silence": given["vad_min_silence_duration"]}
        if "input_srt_file_id" in given:
            asked["lines"] = lines.of(request.user, file_id(given["input_srt_file_id"]))
        elif transcribes(request.data):
            language = "" if given["language"] == "auto" else language_code(given["language"]) or given["language"]
            options |= tuned(given["vad_threshold"], "diarizer") | {"language": language}
            return queue(request, given, "transcription", options, asked)
        return queue(request, given, "diarization", options | tuned(given["vad_threshold"], "engine"), asked)


def tuned(threshold: float, engine: str) -> Body:
    """What says to hear by a threshold of one's own, which one engine can; `engine` is the option that names it."""
    return {} if threshold == AS_IT_IS else {"speech_threshold": threshold, engine: TUNABLE}


def can_transcribe() -> bool:
    return None in registry.available("transcription").values()


def transcribes(data: Body) -> bool:
    """Whether words are wanted, as they are where this server can, unless a null says that they are not."""
    able = can_transcribe()
    model = data.get("transcribe_model", WHISPER if able else None)
    if model not in (None, WHISPER):
        raise ValidationError({"transcribe_model": ["This server transcribes by whisper only."]})
    if model and not able:
        raise ValidationError({"transcribe_model": [NO_MODEL]})
    return bool(model)


# What this server can do of each option where it cannot do all, and what it says of the rest.
SEPARATION = {
    "output_format": (("wav",), "This server writes wav only."),
}
DIARIZATION = {
    "vad_type": (("ten-vad",), "This server's engine hears speech in its own way; leave it out."),
}


def refuse_unserved(given: Body, served: Mapping[str, tuple[tuple[Any, ...], str]]) -> None:
    """Raises ValidationError that names the options."""
    if wrong := {name: [reason] for name, (values, reason) in served.items() if given.get(name) not in values}:
        raise ValidationError(wrong)


def queue(request: Request, given: Body, task: str, options: Body, asked: Body | None = None) -> Response:
    surface = lifecycle.Surface(SURFACE, asked or {})
    with transaction.atomic():
        media = ingest.stored(request.user, file_id(given["file_id"]))
        job = lifecycle.submit(media, task, asked_for(task, **options), surface=surface)
    return Response(rendering.job(job, request))


def file_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise JobError("MEDIA_NOT_FOUND") from error


# --- jobs


class JobDetail(View):
    @schema.JOB_DETAIL
    def get(self, request: Request, job_id: str) -> Response:
        return Response(rendering.job(own_job(request.user, job_id, *rendering.JOB_TYPES), request))


class Jobs(View):
    @staticmethod
    def envelope(refusal: Refusal) -> tuple[int, Body]:
        return envelope(refusal, "query")

    @schema.JOBS
    def get(self, request: Request) -> Response:
        query = checked(TimbrJobsQuery, request.query_params.dict())
        page, size = query["page"], query["page_size"]
        skip = (page - 1) * size
        found = list(filtered(request, query.get("status"))[skip : skip + size + 1])
        jobs = [rendering.job(job, request) for job in found[:size]]
        return Response({"jobs": jobs, "page": page, "page_size": size, "has_more": len(found) > size})


def filtered(request: Request, status: str | None) -> QuerySet[Job]:
    found = (
        owned_by(request.user).filter(task__in=rendering.JOB_TYPES).select_related("media").prefetch_related("tracks")
    )
    if status:
        found = found.filter(status__in=[its for its, word in rendering.STATUS_WORDS.items() if word == status])
    return found


class Subtitles(View):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @schema.SUBTITLES
    def get(self, _request: Request, token: str) -> HttpResponse:
        return subtitles.response(token)
