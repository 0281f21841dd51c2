"""/api/v1/stem-extraction/…: AudioPod's stems, over jobs of the task `stems`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from drf_spectacular.utils import extend_schema_view
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audio_engine import registry
from audio_engine.music import SOURCES, STEMS
from audio_engine.options import engine_for
from audio_engine.types import Task
from jobs import downloads
from jobs.models import Job, Track

from . import render, verbs
from . import stems_schema as schema
from .stem_requests import (
    ISOLATION,
    PACKAGES,
    SINGLE,
    AdvancedSerializer,
    ExtractStemsSerializer,
    Package,
    SeparateSerializer,
)
from .submission import submit

TASK: Task = "stems"
GROUPS = {"vocals": "voice", "drums": "rhythm", "bass": "rhythm", "guitar": "harmony", "piano": "harmony"}


def body(job: Job, request: Request) -> dict[str, Any]:
    """A job in AudioPod's fields for stems. Nobody measures how good they are here, so `quality_scores` has none."""
    tracks = {PurePath(track.name).stem: track for track in job.tracks.all() if track.kind == Track.Kind.AUDIO}
    found = job.result or {}
    return render.flat(job) | {
        "source_type": "URL" if job.source_url else "FILE",
        "duration": job.media.seconds if job.media else None,
        "stem_paths": {stem: track.file for stem, track in tracks.items()},
        "download_urls": {stem: downloads.track_url(track, request) for stem, track in tracks.items()},
        "quality_scores": {},
        "levels": {stem["stem"]: {name: stem[name] for name in ("rms_db", "peak")} for stem in found.get("stems", ())},
        "engine": found.get("engine"),
        "models": found.get("models", []),
        "warnings": found.get("warnings", []),
    }


class Separate(APIView):
    @schema.SEPARATE
    def post(self, request: Request) -> Response:
        return submit(request, TASK, SeparateSerializer, body)


class Extract(APIView):
    @schema.EXTRACT
    def post(self, request: Request) -> Response:
        return submit(request, TASK, ExtractStemsSerializer, body)


class Advanced(APIView):
    @schema.ADVANCED
    def post(self, request: Request) -> Response:
        return submit(request, TASK, AdvancedSerializer, body)


class Extractions:
    tasks = (TASK,)
    body = staticmethod(body)


@extend_schema_view(get=schema.LIST)
class Jobs(Extractions, verbs.Listed):
    pass


@extend_schema_view(get=schema.STATUS)
class Status(Extractions, verbs.JobView):
    def get(self, request: Request, job_id: int) -> Response:
        return verbs.answer(self.own(request, job_id), request, body)


@extend_schema_view(get=schema.GET, delete=schema.DELETE)
class JobDetail(Extractions, verbs.Detail):
    pass


# --- what there is


def available(*stems: str) -> bool:
    """Whether an engine that tells all of them apart can run here."""
    return registry.backend(engine_for(stems)).missing() is None


class Modes(APIView):
    """Needs no credentials, and minds no wrong ones."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @schema.MODES
    def get(self, _request: Request) -> Response:
        single = {"mode": SINGLE, "description": "One stem of your choice", "stem_count": 1, "stems": list(STEMS)}
        modes = [single | {"available": available("vocals")}]
        for name, package in PACKAGES.items():
            stems = {"stem_count": len(package.stems), "stems": package.stems, "available": available(*package.stems)}
            modes.append({"mode": name, "description": package.description, **stems})
        return Response({"modes": modes})


class Catalog(APIView):
    @schema.CATALOG
    def get(self, _request: Request) -> Response:
        return Response({"stems": [_entry(stem) for stem in STEMS]})


def _entry(stem: str) -> dict[str, Any]:
    single = stem in SOURCES
    return {
        "id": stem,
        "label": stem.replace("_", " ").capitalize(),
        "description": DESCRIPTIONS.get(stem) or f"Everything but the {stem.removeprefix('no_')}",
        "group": GROUPS.get(stem, "rest") if single else "mix",
        "public_tier": "free",
        "allowed": available(stem),
        "excludable": single,
    }


DESCRIPTIONS = {
    "vocals": "Singing and speech",
    "drums": "Drums and percussion",
    "bass": "The bass",
    "other": "What is none of the others",
    "guitar": "Guitars",
    "piano": "The piano",
    "instrumental": "Everything but the vocals",
}


class Packages(APIView):
    @schema.PACKAGES
    def get(self, _request: Request) -> Response:
        isolation = Package("Isolation", "The one stem that target_instrument names", ("vocals",))
        told = [_package(name, package) for name, package in PACKAGES.items()]
        return Response({"packages": [*told, _package(ISOLATION, isolation) | {"stems": list(SOURCES)}]})


def _package(name: str, package: Package) -> dict[str, Any]:
    return {
        "id": name,
        "label": package.label,
        "description": package.description,
        "stems": package.stems,
        "stem_count": len(package.stems),
        "allowed": available(*package.stems),
    }
