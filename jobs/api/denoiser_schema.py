"""What the OpenAPI document says of noise reduction."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from audio_engine.sound import QUALITIES

from .bodies import FlatJobBody, SoundBody
from .schema import AGAIN, FORMS, KEY, REFUSED, answers
from .serializers import DenoiseSerializer, PageQuery, SpectralDenoiseSerializer


class DenoisingStatsBody(s.Serializer[Any]):
    noise_reduction_db = s.FloatField(allow_null=True, help_text="Where it is quietest; null in digital silence.")
    processing_time = s.FloatField(help_text="Seconds.")
    audio_duration = s.FloatField(help_text="Seconds.")
    before = SoundBody()
    after = SoundBody()
    engine = s.CharField()
    models = s.ListField(child=s.CharField())
    warnings = s.ListField(child=s.CharField())


class DenoisingBody(FlatJobBody):
    input_path = s.CharField(allow_null=True)
    output_path = s.CharField(allow_null=True)
    output_url = s.CharField(allow_null=True, help_text="Good for an hour unless the server says otherwise.")
    is_video = s.BooleanField(help_text="Always false: of a video, its sound is cleaned.")
    video_output_path = s.CharField(allow_null=True)
    video_output_url = s.CharField(allow_null=True)
    quality_mode = s.ChoiceField(QUALITIES)
    stats = DenoisingStatsBody(allow_null=True, help_text="Of a completed job.")


class DenoiserHealthBody(s.Serializer[Any]):
    status = s.ChoiceField(("healthy", "unhealthy"))
    device = s.CharField()
    model = s.CharField(help_text="The engine that `auto` takes.")
    cuda_available = s.BooleanField(help_text="Whether this machine has a GPU, which no engine for this needs.")
    problems = s.ListField(child=s.CharField(), help_text="Why it is not healthy.")


EXAMPLE = {
    "id": 124,
    "job_type": "denoising",
    "status": "COMPLETED",
    "progress": 100,
    "original_filename": "noisy.wav",
    "output_path": "jobs/0b7c2f0e/1/denoised.wav",
    "output_url": "https://soloist.example.org/files/…/denoised.wav",
    "quality_mode": "studio",
    "stats": {"noise_reduction_db": 15.2, "processing_time": 4.2, "audio_duration": 180.0},
}


def _operation(name: str, summary: str, *refusals: int, **more: Any) -> Any:
    told = OpenApiResponse(DenoisingBody, "The job", examples=[OpenApiExample("The job", EXAMPLE)])
    return extend_schema(operation_id=name, summary=summary, tags=["Noise"], responses=answers(told, *refusals), **more)


def _submit(name: str, summary: str, fields: type[s.Serializer[Any]]) -> Any:
    forms = dict.fromkeys(FORMS, fields)
    return _operation(name, summary, 400, 402, 404, 409, 413, 415, 422, parameters=[KEY], request=forms)


DENOISE = _submit("denoise", "The recording with less noise", DenoiseSerializer)
SPECTRAL = _submit("denoise_spectrally", "The same, by the names of another endpoint", SpectralDenoiseSerializer)
HEALTH = extend_schema(
    operation_id="denoiser_health",
    summary="Whether noise reductions are being done",
    tags=["Noise"],
    responses=answers(DenoiserHealthBody),
)
LIST = extend_schema(
    operation_id="list_denoisings",
    summary="Your noise reductions, newest first",
    tags=["Noise"],
    parameters=[PageQuery],
    responses=answers(DenoisingBody(many=True), 422),
)
GET = _operation("get_denoising", "A noise reduction, with a fresh link when it is done", 404, parameters=[AGAIN])
DELETE = extend_schema(
    operation_id="delete_denoising",
    summary="Remove a noise reduction, its recording and its file; one under way is canceled",
    tags=["Noise"],
    responses={204: OpenApiResponse(description="Gone")} | {status: REFUSED[status] for status in (401, 403, 404, 429)},
)
RETRY = _operation(
    "retry_denoising",
    "Run a failed or canceled noise reduction again, under the same id",
    *(400, 402, 404, 409, 422),
    parameters=[KEY],
    request=None,
)
CANCEL = _operation("cancel_denoising", "Stop one that has not ended; nothing is charged", 404, 409, request=None)
