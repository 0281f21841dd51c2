"""What the OpenAPI document says of Timbr's operations."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from audio_engine.voices import GENDERS

from .rendering import TYPES
from .requests import STATUSES, TimbrDiarize, TimbrEnhance, TimbrJobsQuery, TimbrSeparate, TimbrUpload

Body = s.Serializer[Any]
FILE_ID = "0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11"
JOB_ID = "3c8a89a5-dcc6-4edb-a75d-ffd64739674d"


class TimbrUploadBody(Body):
    file_id = s.UUIDField(help_text="What to name the recording by once it is there.")
    upload_url = s.CharField(help_text="Where to PUT it: good for one recording, and needs no token.")
    expires_in = s.IntegerField(help_text="Seconds.")


class TimbrFileBody(Body):
    file_id = s.UUIDField()


class TimbrSpeaker(Body):
    speaker = s.CharField(help_text="As the subtitles call them.")
    gender = s.ChoiceField(GENDERS)
    confidence = s.IntegerField(allow_null=True, help_text="The guess's probability in %; null where it is unknown.")


class TimbrResultBody(Body):
    """Links that need no token, good for an hour unless the server says otherwise."""

    speech = s.CharField(required=False, help_text="All that is spoken, of a separation.")
    dialogue = s.CharField(required=False, help_text="The same.")
    me = s.CharField(required=False, help_text="Everything else, of a separation.")
    music = s.CharField(required=False, help_text="Of a separation into three.")
    effect = s.CharField(required=False, help_text="The same.")
    nonlingual = s.CharField(
        required=False, help_text="Laughs, breaths and everything else that is no word, of a separation by words."
    )
    enhanced = s.CharField(required=False, help_text="The recording, of an enhancement.")
    timbr = s.CharField(required=False, help_text="SRT with the names of the speakers, of a diarization.")
    sentence_split = s.CharField(
        required=False, help_text="The same with each sentence in one piece, where there are words."
    )
    speakers = TimbrSpeaker(many=True, required=False, help_text="Of a diarization, where gender was asked for.")


class TimbrJobBody(Body):
    job_id = s.UUIDField()
    job_type = s.ChoiceField(TYPES)
    file_id = s.UUIDField(allow_null=True)
    status = s.ChoiceField(STATUSES)
    progress = s.IntegerField(help_text="0 to 100.")
    cost = s.IntegerField(help_text="Credits charged; only a completed job costs anything.")
    result = TimbrResultBody(allow_null=True, help_text="Of a completed job.")
    warnings = s.ListField(child=s.CharField(), help_text="Ours: how far the result falls short of what was asked for.")
    error = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    completed_at = s.DateTimeField(allow_null=True)


class TimbrJobsBody(Body):
    jobs = TimbrJobBody(many=True)
    page = s.IntegerField()
    page_size = s.IntegerField()
    has_more = s.BooleanField()


class TimbrErrorBody(Body):
    detail = s.CharField()


class TimbrWrongMember(Body):
    loc = s.ListField(child=s.CharField(), help_text="`body` or `query`, and the member.")
    msg = s.CharField()
    type = s.CharField()


class TimbrInvalidBody(Body):
    detail = TimbrWrongMember(many=True)


def _refusal(meaning: str) -> OpenApiResponse:
    return OpenApiResponse(TimbrErrorBody, meaning, examples=[OpenApiExample(meaning, {"detail": meaning})])


WRONG = {"loc": ["body", "bit_depth"], "msg": "Ensure this value is less than or equal to 32.", "type": "value_error"}
REFUSED: dict[int, OpenApiResponse] = {
    400: _refusal("Invalid file type. Must be audio or video file."),
    401: _refusal("Invalid API key"),
    402: _refusal("Insufficient credits for processing. Required: 300, Available: 100"),
    403: _refusal("This API key has been revoked"),
    404: _refusal("File not found"),
    412: _refusal("Something was sent to this address already; ask for a fresh one."),
    413: _refusal("The file is larger than 200 MB."),
    415: _refusal('Unsupported media type "text/xml" in request.'),
    422: OpenApiResponse(
        TimbrInvalidBody, "Wrong members", examples=[OpenApiExample("A number too large", {"detail": [WRONG]})]
    ),
    429: _refusal("Rate limit exceeded. Try again later."),
}


def _operation(
    name: str,
    summary: str,
    success: Any,
    *refusals: int,
    content_type: str = "application/json",
    needs_token: bool = True,
    **more: Any,
) -> Any:
    always = {401, 403, 429} if needs_token else {403}
    return extend_schema(
        operation_id=f"timbr_{name}",
        summary=summary,
        tags=["Timbr"],
        responses={(200, content_type): success} | {status: REFUSED[status] for status in sorted({*always, *refusals})},
        **({} if needs_token else {"auth": []}),
        **more,
    )


JOB = {
    "job_id": JOB_ID,
    "job_type": "separate",
    "file_id": FILE_ID,
    "status": "queued",
    "progress": 0,
    "cost": 0,
    "result": None,
    "warnings": [],
    "error": None,
    "created_at": "2026-01-15T10:30:00.000Z",
    "completed_at": None,
}
CREATED = OpenApiResponse(TimbrJobBody, "The job", examples=[OpenApiExample("Created", JOB)])
DONE = JOB | {
    "status": "completed",
    "progress": 100,
    "cost": 300,
    "result": {name: f"https://soloist.example.org/files/…/{name}.wav" for name in ("speech", "dialogue", "me")},
    "completed_at": "2026-01-15T10:31:12.000Z",
}
ADDRESS = {"request": {"application/json": TimbrUpload}}
UPLOAD = _operation("upload", "Where to send a recording", TimbrUploadBody, 415, 422, **ADDRESS)
AUDIO_UPLOAD = _operation("audio_upload", "The same by another name", TimbrUploadBody, 415, 422, **ADDRESS)
PUT = _operation(
    "put",
    "Send a recording there",
    TimbrFileBody,
    *(400, 412, 413),
    needs_token=False,
    request={"application/octet-stream": OpenApiTypes.BINARY},
)
SEPARATE = _operation(
    "separate",
    "Speech in one file, everything else in another",
    CREATED,
    *(402, 404, 415, 422),
    request={"application/json": TimbrSeparate},
)
ENHANCE = _operation(
    "enhance",
    "Less noise, equalised and brought to a loudness",
    CREATED,
    *(402, 404, 415, 422),
    request={"application/json": TimbrEnhance},
)
DIARIZE = _operation(
    "diarize", "Who spoke when", CREATED, *(402, 404, 415, 422), request={"application/json": TimbrDiarize}
)
JOB_DETAIL = _operation(
    "job",
    "How a job goes on, and links to its result",
    OpenApiResponse(TimbrJobBody, "The job", examples=[OpenApiExample("Completed", DONE)]),
    404,
)
JOBS = _operation("jobs", "Your jobs, newest first, page by page", TimbrJobsBody, 422, parameters=[TimbrJobsQuery])
SUBTITLES = _operation(
    "subtitles",
    "The subtitles that a job's result links to",
    OpenApiResponse(OpenApiTypes.STR, "SRT"),
    404,
    content_type="application/x-subrip",
    needs_token=False,
)
