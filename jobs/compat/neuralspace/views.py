"""/neuralspace/api/…: files, voice extraction and speaker identification, for clients written for NeuralSpace."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import downloads, ingest, lifecycle
from jobs.api.submission import sent_file, take
from jobs.compat.base import Body, NowhereView, checked, own_job
from jobs.errors import JobError
from jobs.models import Job, Media, Track
from jobs.options import asked_for

from . import rendering, schema
from .errors import View
from .requests import NeuralSpaceFileQuery, NeuralSpaceTaskQuery, NeuralSpaceTaskRequest

FETCHED = "Data fetched succssfully"  # as NeuralSpace spells it
QUEUED_VOICE = "Successfully queued Audio-Split job."
QUEUED_SPEAKERS = (
    "Audio has been queued for speaker identification. Check task status using speaker identification status API by "
    "providing the taskId"
)
VOICE, SPEAKERS = "dialogue", "diarization"  # our tasks
SURFACE = lifecycle.Surface("neuralspace", {})


class Nowhere(NowhereView, View):
    pass


def success(message: str, data: Body) -> Response:
    return Response({"success": True, "message": message, "data": data})


# --- files


class Upload(View):
    @schema.UPLOAD
    def post(self, request: Request) -> Response:
        upload = sent_file(request, "files")
        if upload is None:
            raise JobError("MISSING_INPUT", "Send a file as multipart/form-data, in the field `files`.")
        ingest.check_room(request.user, upload.size)
        media = take(request.user, upload)
        return success("File uploaded successfully", {"fileId": str(media.uuid)})


class File(View):
    @schema.FILE
    def get(self, request: Request) -> Response:
        found = stored(request)
        told = rendering.upload if isinstance(found, Media) else rendering.output
        return success(FETCHED, told(found, request.auth))

    @schema.DELETE_FILE
    def delete(self, request: Request) -> Response:
        found = stored(request)
        if isinstance(found, Track):
            raise JobError("MEDIA_IN_USE", "This file is a task's result; it goes when the job is deleted.")
        ingest.remove(request.user, found.uuid)
        return success("File deleted successfully", {"fileId": str(found.uuid)})


class Download(View):
    @schema.DOWNLOAD
    def get(self, request: Request) -> HttpResponseBase:
        try:
            return downloads.send(request._request, stored(request), inline=False)
        except FileNotFoundError as error:
            raise JobError("FILE_NOT_FOUND") from error


def stored(request: Request) -> Media | Track:
    """The file that a request names. Raises JobError MEDIA_NOT_FOUND, for other people's too."""
    uuid, _, stem = checked(NeuralSpaceFileQuery, request.query_params.dict())["fileId"].partition(".")
    if not stem:
        with transaction.atomic():
            return ingest.stored(request.user, as_uuid(uuid))
    try:
        job = own_job(request.user, uuid, VOICE)
    except JobError as error:
        raise JobError("MEDIA_NOT_FOUND") from error
    track = job.tracks.filter(kind=Track.Kind.AUDIO, file__endswith=f"/{stem}.wav").first()
    if track is None:
        raise JobError("MEDIA_NOT_FOUND")
    return track


def as_uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise JobError("MEDIA_NOT_FOUND") from error


# --- tasks


class Extract(View):
    @schema.EXTRACT
    def post(self, request: Request) -> Response:
        return success(QUEUED_VOICE, queue(request, VOICE))


class ExtractTask(View):
    @schema.EXTRACT_TASK
    def get(self, request: Request) -> Response:
        return success(FETCHED, rendering.voice_task(task(request, VOICE), request.auth))


class Identify(View):
    @schema.IDENTIFY
    def post(self, request: Request) -> Response:
        return success(QUEUED_SPEAKERS, queue(request, SPEAKERS))


class IdentifyTask(View):
    @schema.IDENTIFY_TASK
    def get(self, request: Request) -> Response:
        return success(FETCHED, rendering.speakers_task(task(request, SPEAKERS), request.auth))


def queue(request: Request, kind: str) -> Body:
    wanted = as_uuid(checked(NeuralSpaceTaskRequest, request.data)["fileId"])
    with transaction.atomic():
        job = lifecycle.submit(ingest.stored(request.user, wanted), kind, asked_for(kind), surface=SURFACE)
    return {"taskId": str(job.uuid)}


def task(request: Request, kind: str) -> Job:
    return own_job(request.user, checked(NeuralSpaceTaskQuery, request.query_params.dict())["taskId"], kind)
