"""What the OpenAPI document says of NeuralSpace's operations, with the examples of its documentation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from jobs.api.schema import recording

from .requests import NeuralSpaceFileQuery, NeuralSpaceTaskQuery, NeuralSpaceTaskRequest, NeuralSpaceUpload

Body = s.Serializer[Any]
FILE_ID = "0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11"
TASK_ID = "3c8a89a5-dcc6-4edb-a75d-ffd64739674d"


class NeuralSpaceBody(Body):
    success = s.BooleanField()
    message = s.CharField()


class NeuralSpaceErrorBody(NeuralSpaceBody):
    data = s.DictField(help_text="Its `code`, and what else is known of it.")


class NeuralSpaceFileId(Body):
    fileId = s.CharField()


class NeuralSpaceFileIdBody(NeuralSpaceBody):
    data = NeuralSpaceFileId()


class NeuralSpaceMetadata(Body):
    audioDuration = s.FloatField(help_text="Seconds.", allow_null=True)


class NeuralSpaceFile(NeuralSpaceFileId):
    fileName = s.CharField()
    fileExt = s.CharField()
    fileSize = s.IntegerField(help_text="Bytes.")
    metadata = NeuralSpaceMetadata()
    apikey = s.CharField(help_text="The beginning of the key that asks.")
    reference = s.CharField(help_text="The task that left the file; empty for one that was uploaded.")
    uploadedAt = s.DateTimeField()


class NeuralSpaceFileBody(NeuralSpaceBody):
    data = NeuralSpaceFile()


class NeuralSpaceTaskId(Body):
    taskId = s.UUIDField()


class NeuralSpaceTaskIdBody(NeuralSpaceBody):
    data = NeuralSpaceTaskId()


class NeuralSpaceTask(Body):
    apikey = s.CharField(help_text="The beginning of the key that asks.")
    taskId = s.UUIDField()
    jobStatus = s.CharField(help_text="The last step reached: `Completed` or `Failed` at the end.")
    jobProgress = s.ListField(child=s.CharField(), help_text="The steps reached so far.")
    message = s.CharField(help_text="Why it failed, where it did.")
    fileId = s.UUIDField(allow_null=True)
    filePath = s.CharField(allow_null=True)
    createdAt = s.DateTimeField()


class NeuralSpaceStems(Body):
    instrument_path = s.CharField()
    instrument_file_id = s.CharField(help_text="Everything but speech.")
    vocal_path = s.CharField()
    vocal_file_id = s.CharField(help_text="All that is spoken.")


class NeuralSpaceOutput(Body):
    output = NeuralSpaceStems()


class NeuralSpaceVoiceTask(NeuralSpaceTask):
    results = NeuralSpaceOutput(allow_null=True)


class NeuralSpaceVoiceTaskBody(NeuralSpaceBody):
    data = NeuralSpaceVoiceTask()


class NeuralSpaceTurn(Body):
    start = s.FloatField(help_text="Seconds.")
    stop = s.FloatField(help_text="Seconds.")
    user = s.CharField(help_text="The number of a speaker, from 1.")


class NeuralSpaceSpeakersTask(NeuralSpaceTask):
    fileDuration = s.FloatField(help_text="Seconds.", allow_null=True)
    results = NeuralSpaceTurn(many=True, allow_null=True)


class NeuralSpaceSpeakersTaskBody(NeuralSpaceBody):
    data = NeuralSpaceSpeakersTask()


def _refusal(code: str, message: str) -> OpenApiResponse:
    told = {"success": False, "message": message, "data": {"code": code}}
    return OpenApiResponse(NeuralSpaceErrorBody, message, examples=[OpenApiExample(code, told)])


REFUSED: dict[int, OpenApiResponse] = {
    400: _refusal("INVALID_AUDIO_FORMAT", "Invalid file type. Must be audio or video file."),
    401: _refusal("INVALID_CREDENTIALS", "Invalid API key"),
    402: _refusal("INSUFFICIENT_CREDITS", "Insufficient credits for processing. Required: 8250, Available: 1000"),
    403: _refusal("KEY_REVOKED", "This API key has been revoked"),
    404: _refusal("MEDIA_NOT_FOUND", "There is no such recording; without a job it is kept for 24 hours."),
    409: _refusal("MEDIA_IN_USE", "A job uses this recording; delete the job."),
    413: _refusal("FILE_TOO_LARGE", "The file is larger than 200 MB."),
    415: _refusal("UNSUPPORTED_MEDIA_TYPE", 'Unsupported media type "text/xml" in request.'),
    422: _refusal("INVALID_OPTION", "fileId: This field is required."),
    429: _refusal("THROTTLED", "Rate limit exceeded. Try again later."),
}


def _operation(name: str, summary: str, success: Any, *refusals: int, **more: Any) -> Any:
    return extend_schema(
        operation_id=f"neuralspace_{name}",
        summary=summary,
        tags=["NeuralSpace"],
        responses=(success if isinstance(success, dict) else {200: success})
        | {status: REFUSED[status] for status in sorted({401, 403, 429, *refusals})},
        **more,
    )


def _example(body: Any, message: str, data: dict[str, Any]) -> OpenApiResponse:
    told = {"success": True, "message": message, "data": data}
    return OpenApiResponse(body, examples=[OpenApiExample("As documented", told)])


FETCHED = "Data fetched succssfully"
STEMS = {
    "instrument_path": f"uploads/{TASK_ID}.background",
    "instrument_file_id": f"{TASK_ID}.background",
    "vocal_path": f"uploads/{TASK_ID}.speech",
    "vocal_file_id": f"{TASK_ID}.speech",
}
TASK = {
    "apikey": "ap_4f7Hq2Zk…",
    "taskId": TASK_ID,
    "jobStatus": "Completed",
    "message": "job completed successfully",
    "fileId": FILE_ID,
    "filePath": f"uploads/{FILE_ID}",
    "createdAt": "2022-10-31T08:07:43.033Z",
}
UPLOAD = _operation(
    "upload",
    "Store a recording for tasks to come",
    _example(NeuralSpaceFileIdBody, "File uploaded successfully", {"fileId": FILE_ID}),
    *(400, 413, 415),
    request={"multipart/form-data": NeuralSpaceUpload},
)
FILE = _operation("file", "A file's particulars", NeuralSpaceFileBody, 404, 422, parameters=[NeuralSpaceFileQuery])
DELETE_FILE = _operation(
    "delete_file", "Remove an uploaded file", NeuralSpaceFileIdBody, *(404, 409, 422), parameters=[NeuralSpaceFileQuery]
)
DOWNLOAD = _operation(
    "download",
    "A file's content",
    recording("As it was uploaded, or WAV"),
    *(404, 422),
    parameters=[NeuralSpaceFileQuery],
)
_QUEUE: dict[str, Any] = {"request": {"application/json": NeuralSpaceTaskRequest}}
EXTRACT = _operation(
    "extract_voice",
    "Speech in one file, everything else in another",
    _example(NeuralSpaceTaskIdBody, "Successfully queued Audio-Split job.", {"taskId": TASK_ID}),
    *(400, 402, 404, 415, 422),
    **_QUEUE,
)
EXTRACT_TASK = _operation(
    "voice_task",
    "How a voice extraction goes on, and the ids of its files",
    _example(
        NeuralSpaceVoiceTaskBody,
        FETCHED,
        TASK | {"jobProgress": ["Queued", "Job Started", "…", "Completed"], "results": {"output": STEMS}},
    ),
    *(404, 422),
    parameters=[NeuralSpaceTaskQuery],
)
IDENTIFY = _operation(
    "identify_speakers", "Who spoke when", NeuralSpaceTaskIdBody, *(400, 402, 404, 415, 422), **_QUEUE
)
IDENTIFY_TASK = _operation(
    "speakers_task",
    "How a speaker identification goes on, and who spoke when",
    _example(
        NeuralSpaceSpeakersTaskBody,
        FETCHED,
        TASK
        | {
            "jobProgress": ["Queued", "Identification Job Started", "…", "Completed"],
            "fileDuration": 2115,
            "results": [{"start": 0.4, "stop": 11, "user": "2"}],
        },
    ),
    *(404, 422),
    parameters=[NeuralSpaceTaskQuery],
)
