"""What the OpenAPI document says of pyannoteAI's operations, with the examples of its documentation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from .rendering import STATUSES
from .requests import DiarizeRequest, IdentifyRequest, ListQuery, MediaRequest, OldListQuery, WorkRequest

Body = s.Serializer[Any]
JOB_ID = "3c8a89a5-dcc6-4edb-a75d-ffd64739674d"
EXAMPLE_ID = "37a4c3a0-b034-4e8c-9ed9-76da6645544a"


class PyannoteTestBody(Body):
    status = s.CharField()
    message = s.CharField()


class PyannoteUrlBody(Body):
    url = s.CharField(help_text="Signed, good for an hour unless the server says otherwise, and needs no key.")


class PyannoteCreatedBody(Body):
    jobId = s.UUIDField()
    status = s.ChoiceField(STATUSES, help_text="`created`.")
    warning = s.CharField(required=False)


class PyannoteTurnBody(Body):
    speaker = s.CharField()
    start = s.FloatField(help_text="Seconds from the recording's start.")
    end = s.FloatField(help_text="Seconds.")


class PyannoteSureTurnBody(PyannoteTurnBody):
    confidence = s.DictField(
        child=s.IntegerField(),
        required=False,
        help_text="With `turnLevelConfidence`: 0 to 100 for the speaker that the turn is given to.",
    )


class PyannoteConfidenceBody(Body):
    score = s.ListField(child=s.IntegerField(), help_text="0 to 100 for each `resolution`, silence included.")
    resolution = s.FloatField(help_text="Seconds.")


class PyannoteNamedTurnBody(PyannoteSureTurnBody):
    speaker = s.CharField(help_text="The known voice's label where there is a match.")
    diarizationSpeaker = s.CharField()
    match = s.CharField(allow_null=True)


class PyannoteMatchBody(Body):
    speaker = s.CharField()
    match = s.CharField(allow_null=True)
    confidence = s.DictField(child=s.IntegerField(), help_text="0 to 100 for each label.")


class PyannoteSaidBody(Body):
    start = s.FloatField()
    end = s.FloatField()
    text = s.CharField()
    speaker = s.CharField(allow_null=True)


class PyannoteOutputBody(Body):
    diarization = PyannoteSureTurnBody(many=True, required=False)
    exclusiveDiarization = PyannoteTurnBody(many=True, required=False)
    confidence = PyannoteConfidenceBody(required=False)
    wordLevelTranscription = PyannoteSaidBody(many=True, required=False, help_text="With `transcription`.")
    turnLevelTranscription = PyannoteSaidBody(
        many=True, required=False, help_text="With `transcription`: what a speaker says until another one does."
    )
    identification = PyannoteNamedTurnBody(many=True, required=False, help_text="Of an identification.")
    voiceprints = PyannoteMatchBody(many=True, required=False, help_text="Of an identification.")
    voiceprint = s.CharField(required=False, help_text="Of a voiceprint's job; to be sent to `identify` as it is.")
    warning = s.CharField(required=False, help_text="Such as that the number of speakers could not be honoured.")
    error = s.CharField(required=False, help_text="Why a job failed.")


class PyannoteJobBody(Body):
    jobId = s.UUIDField()
    status = s.ChoiceField(STATUSES)
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()
    output = PyannoteOutputBody(required=False, help_text="Of a job that succeeded, for a day, or of one that failed.")


class PyannoteItemBody(Body):
    id = s.UUIDField()
    status = s.ChoiceField(STATUSES)
    createdAt = s.DateTimeField()


class PyannoteListBody(Body):
    items = PyannoteItemBody(many=True)
    nextCursor = s.UUIDField(allow_null=True)


class PyannoteOldListBody(Body):
    items = PyannoteItemBody(many=True)
    total = s.IntegerField()


class PyannoteWrongMember(Body):
    field = s.CharField()
    message = s.CharField()


class PyannoteInvalidBody(Body):
    message = s.CharField()
    errors = PyannoteWrongMember(many=True)


class PyannoteErrorBody(Body):
    requestId = s.UUIDField()
    message = s.CharField()


def _refusal(meaning: str, message: str) -> OpenApiResponse:
    example = OpenApiExample(meaning, {"requestId": EXAMPLE_ID, "message": message})
    return OpenApiResponse(PyannoteErrorBody, meaning, examples=[example])


REFUSED: dict[int, OpenApiResponse] = {
    400: OpenApiResponse(
        PyannoteInvalidBody,
        "A request that cannot be used",
        examples=[
            OpenApiExample(
                "A request that cannot be used",
                {"message": "Invalid request", "errors": [{"field": "url", "message": "Invalid URL"}]},
            )
        ],
    ),
    401: _refusal("No key, or a wrong one", "Invalid API key"),
    402: _refusal("Too few credits", "Insufficient credits for processing. Required: 8250, Available: 1000"),
    403: _refusal("Revoked key", "This API key has been revoked"),
    404: _refusal("Nothing of yours by that name", "Job not found or access denied"),
    429: _refusal("Too many requests", "Rate limit exceeded. Try again later."),
}


def _operation(name: str, summary: str, success: Any, *refusals: int, status: int = 200, **more: Any) -> Any:
    refused = {code: REFUSED[code] for code in sorted({401, 403, 429, *refusals})}
    return extend_schema(
        operation_id=f"pyannoteai_{name}",
        summary=summary,
        tags=["pyannoteAI"],
        responses={status: success} | refused,
        **more,
    )


def _example(body: Any, value: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(body, examples=[OpenApiExample("As documented", value)])


def _json(fields: Any, value: dict[str, Any]) -> dict[str, Any]:
    example = OpenApiExample("As documented", value, request_only=True)
    return {"request": {"application/json": fields}, "examples": [example]}


TURN = {"speaker": "SPEAKER_00", "start": 15, "end": 30.5}
TEST = _operation(
    "test", "Try a key", _example(PyannoteTestBody, {"status": "OK", "message": "Test connection successful"})
)
MEDIA = {"url": "media://meetings/2024-01-15/call.wav"}
MEDIA_INPUT = _operation(
    "media_input", "Where to send a recording", PyannoteUrlBody, 400, status=201, **_json(MediaRequest, MEDIA)
)
MEDIA_OUTPUT = _operation(
    "media_output", "Where to get a recording", PyannoteUrlBody, 400, 404, status=201, **_json(MediaRequest, MEDIA)
)
MEDIA_PUT = extend_schema(
    operation_id="pyannoteai_media_put",
    summary="Send a recording to the address of `media/input`",
    tags=["pyannoteAI"],
    auth=[],
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={200: OpenApiResponse(description="Stored for a day, or as long as a job uses it.")}
    | {code: REFUSED[code] for code in (400, 403)},
)
CREATED = _example(PyannoteCreatedBody, {"jobId": JOB_ID, "status": "created"})
DIARIZE = _operation(
    "diarize",
    "Who spoke when",
    CREATED,
    *(400, 402),
    **_json(
        DiarizeRequest,
        {
            "url": "https://example.com/audio.wav",
            "webhook": "https://example.com/webhook",
            "model": "precision-2",
            "minSpeakers": 1,
            "maxSpeakers": 4,
            "turnLevelConfidence": True,
            "exclusive": True,
            "confidence": True,
        },
    ),
)
IDENTIFY = _operation(
    "identify",
    "Who spoke when, and which of the known voices they are",
    CREATED,
    *(400, 402),
    **_json(
        IdentifyRequest,
        {
            "url": "https://example.com/audio.wav",
            "voiceprints": [{"label": "Sam", "voiceprint": "…"}, {"label": "Rick", "voiceprint": "…"}],
            "matching": {"exclusive": True, "threshold": 50},
        },
    ),
)
VOICEPRINT = _operation(
    "voiceprint",
    "Learn a voice from a sample of up to 30 seconds in which nobody else speaks",
    CREATED,
    *(400, 402),
    **_json(WorkRequest, {"url": "media://voices/sam.wav"}),
)
JOB = _operation(
    "job",
    "A job, with its output",
    _example(
        PyannoteJobBody,
        {
            "jobId": JOB_ID,
            "status": "succeeded",
            "createdAt": "2024-02-20T12:00:00.000Z",
            "updatedAt": "2024-02-20T12:00:00.000Z",
            "output": {
                "diarization": [TURN | {"confidence": {"SPEAKER_00": 93}}],
                "exclusiveDiarization": [TURN],
                "confidence": {"score": [95, 89, 78], "resolution": 0.02},
            },
        },
    ),
    404,
)
LIST = _operation("jobs", "Your jobs, newest first, page by page", PyannoteListBody, 400, parameters=[ListQuery])
OLD_LIST = _operation("old_jobs", "Your jobs, newest first", PyannoteOldListBody, 400, parameters=[OldListQuery])
