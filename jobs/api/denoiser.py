"""/api/v1/denoiser/…: AudioPod's noise reduction, over jobs of the task `denoising`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audio_engine import registry
from audio_engine.hardware import accelerator
from audio_engine.types import Task
from jobs import downloads, health
from jobs.models import Job, Track

from . import denoiser_schema as schema
from . import render, verbs
from .serializers import DenoiseSerializer, SpectralDenoiseSerializer
from .submission import submit

TASK: Task = "denoising"
DEVICE = "cpu"  # where all engines of the task compute


def body(job: Job, request: Request) -> dict[str, Any]:
    """A job in AudioPod's fields for denoising. There is no video: of one, its sound is cleaned."""
    cleaned = next((track for track in job.tracks.all() if track.kind == Track.Kind.AUDIO), None)
    return render.flat(job) | {
        "input_path": job.media.file if job.media else job.source_url or None,
        "output_path": cleaned.file if cleaned else None,
        "output_url": downloads.track_url(cleaned, request) if cleaned else None,
        "is_video": False,
        "video_output_path": None,
        "video_output_url": None,
        "quality_mode": job.options["quality"],
        "stats": _stats(job) if job.result else None,
    }


def _stats(job: Job) -> dict[str, Any]:
    found = job.result or {}
    assert job.finished_at is not None
    taken = (job.finished_at - (job.started_at or job.created_at)).total_seconds()
    return {
        "noise_reduction_db": found["noise_reduction_db"],
        "processing_time": round(taken, 3),
        "audio_duration": found["media"]["seconds"],
        "before": found["before"],
        "after": found["after"],
        "engine": found["engine"],
        "models": found["models"],
        "warnings": found["warnings"],
    }


class Denoise(APIView):
    @schema.DENOISE
    def post(self, request: Request) -> Response:
        return submit(request, TASK, DenoiseSerializer, body)


class SpectralDenoise(APIView):
    @schema.SPECTRAL
    def post(self, request: Request) -> Response:
        return submit(request, TASK, SpectralDenoiseSerializer, body)


class Health(APIView):
    """Of what takes the noise away, not of the web server, which /healthz tells."""

    @schema.HEALTH
    def get(self, _request: Request) -> Response:
        problems = health.stuck("engine")
        return Response(
            {
                "status": "unhealthy" if problems else "healthy",
                "device": DEVICE,
                "model": registry.resolve(task=TASK).name,
                "cuda_available": accelerator() == "cuda",
                "problems": problems,
            }
        )


class Denoisings:
    tasks = (TASK,)
    body = staticmethod(body)


@extend_schema_view(get=schema.LIST)
class Jobs(Denoisings, verbs.Listed):
    pass


@extend_schema_view(get=schema.GET, delete=schema.DELETE)
class JobDetail(Denoisings, verbs.Detail):
    pass


@extend_schema_view(post=schema.RETRY)
class Retry(Denoisings, verbs.Retry):
    pass


@extend_schema_view(post=schema.CANCEL)
class Cancel(Denoisings, verbs.Cancel):
    pass
