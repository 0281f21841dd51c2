"""/pyannoteai/v1 and /v2: recordings sent, work asked for, jobs looked up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.models import User
from audio_engine import registry
from jobs import direct, downloads, ingest, lifecycle, webhooks
from jobs.api import addresses
from jobs.compat.base import Body, NowhereView, checked, own_job
from jobs.errors import JobError
from jobs.models import Job, Media
from jobs.options import asked_for

from . import rendering, schema
from .errors import View
from .requests import DiarizeRequest, IdentifyRequest, ListQuery, MediaRequest, OldListQuery, WorkRequest

SCHEME = "media://"
OPTIONS = {"numSpeakers": "num_speakers", "minSpeakers": "min_speakers", "maxSpeakers": "max_speakers"}
ANSWERING = ("exclusive", "confidence", "turnLevelConfidence", "webhookStatusOnly")  # what only answers depend on
THEIR_MODELS = ("precision-1", "precision-2")  # which nobody else has
OPEN_MODELS = {"community-1": "pyannote", "faster-whisper-large-v3-turbo": "whisper-large-v3-turbo"}
NO_TRANSCRIBER = "No model for transcription is installed on this server."
MODEL_ABSENT = "{model} is not installed on this server; its own engine does the work."


class Test(View):
    @schema.TEST
    def get(self, _request: Request) -> Response:
        return Response({"status": "OK", "message": "Test connection successful"})


class Nowhere(NowhereView, View):
    def initial(self, request: Request, *_: Any, **__: Any) -> None:
        if request.path.startswith("/pyannoteai/v1/live"):
            raise JobError("NOT_OFFERED", "Live streams are not part of this server.")
        super().initial(request)


# --- recordings


class Input(View):
    @schema.MEDIA_INPUT
    def post(self, request: Request) -> Response:
        key = _key(request)
        if direct.possible():
            return Response({"url": direct.offer(request.user, key, key=key)[1]}, status=201)
        return Response({"url": addresses.address(request, "pyannoteai-put", request.user, key=key)}, status=201)


class Put(addresses.PutView, View):
    @schema.MEDIA_PUT
    def put(self, request: Request, token: str) -> Response:
        owner, said = addresses.read(token, "pyannoteai-put", seconds=settings.LINK_SECONDS)
        ingest.forget_older(addresses.take(request, owner, said["key"], key=said["key"]))
        return Response()


class Output(View):
    @schema.MEDIA_OUTPUT
    def post(self, request: Request) -> Response:
        key = _key(request)
        _arrived(request.user, key)
        with transaction.atomic():
            media = _keyed(request.user, key)
        return Response({"url": downloads.media_url(media, request)}, status=201)


def _key(request: Request) -> str:
    key: str = checked(MediaRequest, request.data)["url"]
    return key.removeprefix(SCHEME)


def _arrived(owner: User, key: str) -> None:
    """Take what was sent straight to the bucket. Raises JobError where that is refused."""
    if direct.possible():
        direct.take_newest(owner, key)


def _keyed(owner: User, key: str) -> Media:
    """The newest recording of a key. Raises JobError MEDIA_NOT_FOUND. To be called in a transaction."""
    newest = Media.objects.filter(owner=owner, key=key).order_by("-pk").first()
    if newest is None:
        raise JobError("MEDIA_NOT_FOUND")
    return ingest.stored(owner, newest.uuid)


# --- work


class Diarize(View):
    @schema.DIARIZE
    def post(self, request: Request) -> Response:
        given = checked(DiarizeRequest, request.data)
        if not given["transcription"]:
            return start(request, "diarization", given)
        if None not in registry.available("transcription").values():
            raise ValidationError({"transcription": [NO_TRANSCRIBER]})
        return start(request, "transcription", given)


class Identify(View):
    @schema.IDENTIFY
    def post(self, request: Request) -> Response:
        return start(request, "identification", checked(IdentifyRequest, request.data))


class Voiceprint(View):
    @schema.VOICEPRINT
    def post(self, request: Request) -> Response:
        return start(request, "voiceprint", checked(WorkRequest, request.data))


def start(request: Request, task: str, given: Body) -> Response:
    engines, warning = _engines(task, given)
    options = {ours: given[theirs] for theirs, ours in OPTIONS.items() if theirs in given}
    more: dict[str, Any] = {
        "options": asked_for(task, **options, **_known(given), **engines),
        "surface": lifecycle.Surface(rendering.SURFACE, {name: True for name in ANSWERING if given.get(name)}),
        "webhook": _webhook(given.get("webhook", "")),
    }
    return Response(rendering.created(_queue(request.user, given["url"], task, **more), warning))


def _known(given: Body) -> Body:
    """What only an identification is asked for."""
    if "voiceprints" not in given:
        return {}
    matching = given.get("matching", {"exclusive": True, "threshold": 0.0})
    return {
        "known": {voice["label"]: voice["voiceprint"] for voice in given["voiceprints"]},
        "exclusive_matching": matching["exclusive"],
        "threshold": matching["threshold"],
    }


def _queue(owner: User, url: str, task: str, **more: Any) -> Job:
    with _about("url"):
        if not url.startswith(SCHEME):
            return lifecycle.submit_url(owner, url, ingest.name_of(url), task, **more)
        key = url.removeprefix(SCHEME)
        _arrived(owner, key)
        with transaction.atomic():
            return lifecycle.submit(_keyed(owner, key), task, **more)


def _engines(task: str, given: Body) -> tuple[dict[str, str], str]:
    """The options that name engines, and a warning for each model that another one stands in for."""
    model = given.get("model", "")
    if task != "transcription":
        engine, warning = _engine(model, task)
        return {"engine": engine}, warning
    transcriber = given.get("transcriptionConfig", {}).get("model", "")
    (diarizer, one), (engine, another) = _engine(model, "diarization"), _engine(transcriber, task)
    return {"engine": engine, "diarizer": diarizer}, " ".join(filter(None, (one, another)))


def _engine(model: str, task: str) -> tuple[str, str]:
    """What does a model's work here, and a warning where that is not the model."""
    if model in ("", *THEIR_MODELS):
        return registry.AUTO, ""
    engine = OPEN_MODELS.get(model)
    if engine and registry.available(task)[engine] is None:
        return engine, ""
    return registry.AUTO, MODEL_ABSENT.format(model=model)


def _webhook(url: str) -> webhooks.JobWebhook | None:
    with _about("webhook"):
        return webhooks.for_job(url, rendering.SURFACE) if url else None


@contextmanager
def _about(member: str) -> Iterator[None]:
    """What is refused meanwhile is told as an error of this member of the request."""
    try:
        yield
    except JobError as error:
        raise ValidationError({member: [error.message]}) from error


# --- jobs


class OneJob(View):
    @schema.JOB
    def get(self, request: Request, job_id: str) -> Response:
        return Response(rendering.job(own_job(request.user, job_id, *rendering.TASKS)))


class OldListing(View):
    @schema.OLD_LIST
    def get(self, request: Request) -> Response:
        query = checked(OldListQuery, request.query_params.dict())
        found = _listed(request.user, query)
        first = query.get("skip", query.get("offset", 0))
        page = found[first : first + query.get("take", query.get("limit", 10))]
        return Response({"items": [rendering.item(job) for job in page], "total": found.count()})


class Listing(View):
    @schema.LIST
    def get(self, request: Request) -> Response:
        query = checked(ListQuery, request.query_params.dict())
        found = _listed(request.user, query)
        if "cursor" in query:
            found = found.filter(pk__lt=_before(request.user, query["cursor"]))
        page = list(found[: query["limit"] + 1])
        following = str(page[query["limit"] - 1].uuid) if len(page) > query["limit"] else None
        items = [rendering.item(job) for job in page[: query["limit"]]]
        return Response({"items": items, "nextCursor": following})


def _listed(owner: User, query: Body) -> QuerySet[Job]:
    found = Job.objects.filter(owner=owner, task__in=rendering.TASKS).defer("result")
    if word := query.get("status"):
        found = found.filter(status__in=[status for status, its in rendering.STATUS_WORDS.items() if its == word])
    return found


def _before(owner: User, cursor: Any) -> int:
    number = Job.objects.filter(owner=owner, uuid=cursor).values_list("pk", flat=True).first()
    if number is None:
        raise ValidationError({"cursor": ["This is not the nextCursor of an earlier answer."]})
    return number
