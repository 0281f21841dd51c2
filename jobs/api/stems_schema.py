"""What the OpenAPI document says of stem extraction."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from audio_engine.music import STEMS

from .bodies import FlatJobBody
from .schema import AGAIN, FORMS, KEY, REFUSED, answers
from .serializers import PageQuery
from .stem_requests import AdvancedSerializer, ExtractStemsSerializer, SeparateSerializer


class StemLevelBody(s.Serializer[Any]):
    rms_db = s.FloatField(allow_null=True, help_text="dBFS over the whole recording; null where it is silent.")
    peak = s.FloatField(help_text="1.0 is full scale.")


class StemExtractionBody(FlatJobBody):
    source_type = s.ChoiceField(["FILE", "URL"])
    duration = s.FloatField(allow_null=True, help_text="Seconds.")
    stem_paths = s.DictField(child=s.CharField(), help_text="By stem, of a completed job.")
    download_urls = s.DictField(child=s.CharField(), help_text="Good for an hour unless the server says otherwise.")
    quality_scores = s.DictField(child=s.FloatField(), help_text="Always empty: they are not measured here.")
    levels = s.DictField(child=StemLevelBody(), help_text="By stem, of a completed job.")
    engine = s.CharField(allow_null=True)
    models = s.ListField(child=s.CharField())
    warnings = s.ListField(child=s.CharField())


class StemModeBody(s.Serializer[Any]):
    mode = s.CharField()
    description = s.CharField()
    stem_count = s.IntegerField()
    stems = s.ListField(child=s.ChoiceField(STEMS))
    available = s.BooleanField(help_text="Whether a model for it is installed on this server.")


class StemModesBody(s.Serializer[Any]):
    modes = StemModeBody(many=True)


class StemEntryBody(s.Serializer[Any]):
    id = s.ChoiceField(STEMS)
    label = s.CharField()
    description = s.CharField()
    group = s.CharField()
    public_tier = s.CharField()
    allowed = s.BooleanField(help_text="Whether a model for it is installed on this server.")
    excludable = s.BooleanField(help_text="Whether it is a source, which others can be without.")


class StemCatalogBody(s.Serializer[Any]):
    stems = StemEntryBody(many=True)


class StemPackageBody(s.Serializer[Any]):
    id = s.CharField()
    label = s.CharField()
    description = s.CharField()
    stems = s.ListField(child=s.ChoiceField(STEMS))
    stem_count = s.IntegerField()
    allowed = s.BooleanField(help_text="Whether a model for it is installed on this server.")


class StemPackagesBody(s.Serializer[Any]):
    packages = StemPackageBody(many=True)


EXAMPLE = {
    "id": 5512,
    "job_type": "stems",
    "status": "COMPLETED",
    "progress": 100,
    "source_type": "URL",
    "original_filename": "song.mp3",
    "stem_paths": {"vocals": "jobs/0b7c2f0e/1/vocals.wav", "no_vocals": "jobs/0b7c2f0e/1/no_vocals.wav"},
    "download_urls": {
        "vocals": "https://soloist.example.org/files/…/vocals.wav",
        "no_vocals": "https://soloist.example.org/files/…/no_vocals.wav",
    },
    "levels": {"vocals": {"rms_db": -21.4, "peak": 0.61}, "no_vocals": {"rms_db": -15.2, "peak": 0.93}},
    "completed_at": "2026-01-15T10:35:30.000Z",
}
MODE = {"mode": "two", "description": "The voices, and everything but them", "stem_count": 2, "available": True}
ENTRY = {"id": "vocals", "label": "Vocals", "group": "voice", "allowed": True, "excludable": True}
PACKAGE = {"id": "two", "label": "Vocals and instrumental", "stems": ["vocals", "no_vocals"], "stem_count": 2}


def _told(kind: Any, meaning: str, example: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(kind, meaning, examples=[OpenApiExample(meaning, example)])


def _operation(name: str, summary: str, success: Any, *refusals: int, **more: Any) -> Any:
    responses = answers(success, *refusals)
    return extend_schema(operation_id=name, summary=summary, tags=["Stems"], responses=responses, **more)


def _submit(name: str, summary: str, fields: type[s.Serializer[Any]], example: dict[str, Any]) -> Any:
    return _operation(
        name,
        summary,
        JOB,
        *(400, 402, 404, 409, 413, 415, 422),
        parameters=[KEY],
        request=dict.fromkeys(FORMS, fields),
        examples=[OpenApiExample("A link", {"url": "https://example.org/song.mp3", **example}, request_only=True)],
    )


JOB = _told(StemExtractionBody, "The job", EXAMPLE)
SEPARATE = _submit("separate_stems", "Music in parts, by a mode", SeparateSerializer, {"mode": "two"})
EXTRACT = _submit(
    "extract_stems",
    "The same by names of stems and a model",
    ExtractStemsSerializer,
    {"stem_types": ["vocals", "drums"]},
)
ADVANCED = _submit(
    "extract_stems_advanced",
    "The same by one of several ways to choose stems",
    AdvancedSerializer,
    {"package": "six", "exclude_stems": ["vocals"]},
)
LIST = _operation(
    "list_stem_extractions",
    "Your stem extractions, newest first",
    StemExtractionBody(many=True),
    422,
    parameters=[PageQuery],
)
FRESH = "A stem extraction, with fresh links when it is done"
STATUS = _operation("get_stem_status", FRESH, JOB, 404, parameters=[AGAIN])
GET = _operation("get_stem_extraction", FRESH, JOB, 404, parameters=[AGAIN])
DELETE = extend_schema(
    operation_id="delete_stem_extraction",
    summary="Remove a stem extraction, its recording and its files; one under way is canceled",
    tags=["Stems"],
    responses={204: OpenApiResponse(description="Gone")} | {status: REFUSED[status] for status in (401, 403, 404, 429)},
)
MODES = extend_schema(
    operation_id="list_stem_modes",
    summary="The modes, and which of them this server has a model for; needs no key",
    tags=["Stems"],
    auth=[],
    responses={200: _told(StemModesBody, "Modes", {"modes": [MODE]}), 429: REFUSED[429]},
)
STEM_CATALOG = _told(StemCatalogBody, "Stems", {"stems": [ENTRY]})
CATALOG = _operation("list_stems", "Every stem, and whether this server has a model for it", STEM_CATALOG)
STEM_PACKAGES = _told(StemPackagesBody, "Packages", {"packages": [PACKAGE]})
PACKAGES = _operation("list_stem_packages", "Sets of stems to choose at once", STEM_PACKAGES)
