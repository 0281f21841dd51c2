"""What the OpenAPI document says of correcting who spoke when, and what such a request may carry."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers as s

from .bodies import Body, TurnBody
from .own_schema import CREATED, answers
from .turns_field import TurnsField


class TurnsSerializer(s.Serializer[Any]):
    version = s.IntegerField(min_value=1, max_value=10**9, help_text="That was read; if there is a newer one, a 409.")
    turns = TurnsField(required=False, help_text="All turns as they are to be.")
    restore = s.IntegerField(
        required=False, min_value=1, max_value=10**9, help_text="Instead: an earlier version, 1 for the engine's own."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("turns" in given) == ("restore" in given):
            raise s.ValidationError("Provide either turns or restore.")
        return given


class NamedSpeakerBody(Body):
    id = s.IntegerField()
    label = s.CharField(help_text="As in the job's result.")
    name = s.CharField()


class TurnVersionBody(Body):
    version = s.IntegerField()
    what = s.CharField(help_text="What was corrected, in words.")
    created_at = s.DateTimeField()


class TurnsBody(Body):
    job_id = s.IntegerField()
    version = s.IntegerField(help_text="1 for the engine's own turns; one more for each correction.")
    speakers = NamedSpeakerBody(many=True)
    turns = TurnBody(many=True)
    versions = TurnVersionBody(many=True, help_text="The corrections, the oldest first.")
    tracks_follow = s.BooleanField(help_text="False where the job has tracks of turns that were corrected since.")
    remade_as = s.IntegerField(allow_null=True, help_text="The id of the job that makes or made the tracks anew.")


TURNS = extend_schema(
    operation_id="get_turns",
    summary="Who spoke when, as corrected",
    tags=["Corrections"],
    responses=answers(TurnsBody, 404, 409),
)
CORRECT = extend_schema(
    operation_id="correct_turns",
    summary="Correct who spoke when",
    description="Made of the version that was read, so that nobody's correction is overwritten. A `speaker` is one's "
    "name, label or number; any other name is somebody new. Exports follow at once, as does a transcript; the job's "
    "result stays as the engine made it.",
    tags=["Corrections"],
    request={"application/json": TurnsSerializer},
    responses=answers(TurnsBody, 400, 404, 409, 415, 422),
    examples=[
        OpenApiExample(
            "Two turns",
            {
                "version": 1,
                "turns": [
                    {"start": 0.1, "end": 1.0, "speaker": "SPEAKER_0"},
                    {"start": 1.2, "end": 2.5, "speaker": "Ana"},
                ],
            },
            request_only=True,
            media_type="application/json",
        )
    ],
)
REMAKE = extend_schema(
    operation_id="remake_tracks",
    summary="Make the tracks of an extraction anew, from its corrected turns",
    description="By a job of its own, which is the same however often it is asked for. It costs as much as a job that "
    "is sent its turns.",
    tags=["Corrections"],
    request=None,
    responses=answers(CREATED, 402, 404, 409),
)
