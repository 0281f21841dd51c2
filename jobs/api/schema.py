"""What the OpenAPI document says of each operation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from .bodies import DetailBody, ErrorBody, JobBody, JobsBody
from .serializers import DiarizeSerializer, ExtractSerializer, JobsQuery, WaitQuery

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded", "application/json")
QUERY_OPTIONS = ("num_speakers", "min_speakers", "max_speakers")
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 characters of your choice. Sent again with the same parameters within 72 hours, the request "
    "gets the first answer, with the header `Idempotent-Replayed: true`, and no second job.",
)

# --- examples, as AudioPod's documentation has them

CREATED = {
    "id": 123,
    "job_type": "extraction",
    "status": "PENDING",
    "progress": 0,
    "version": "123.2",
    "created_at": "2026-01-15T10:30:00.000Z",
    "user_id": "550e8400-e29b-41d4-a716-446655440000",
    "task_id": "0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11",
    "filename": "podcast_episode.mp3",
    "duration": 300.0,
    "credits_required": 1650,
    "credits_charged": 0,
}
SPEAKER = {
    "id": 0,
    "label": "SPEAKER_0",
    "audio_path": "jobs/0b7c2f0e/1/speaker_0.wav",
    "download_url": "https://soloist.example.org/files/…/speaker_0.wav",
    "audio_stats": {"rms_db": -12.3, "peak": 0.85, "loudness_lufs": -18.1, "snr_db": 31.5},
    "total_speaking_time": 245.7,
}
RTTM = {
    "type": "rttm",
    "path": "jobs/0b7c2f0e/1/extraction.rttm",
    "download_url": "https://soloist.example.org/files/…/extraction.rttm",
}
COMPLETED = CREATED | {
    "status": "COMPLETED",
    "progress": 100,
    "completed_at": "2026-01-15T10:35:30.000Z",
    "credits_charged": 1650,
    "result": {
        "num_speakers": 1,
        "speakers": [SPEAKER],
        "timeline": [{"start": 0.0, "end": 12.5, "speaker": "SPEAKER_0", "confidence": 93}],
        "files": [RTTM],
        "rttm_path": RTTM["path"],
        "warnings": [],
    },
}
INVALID_FORMAT = {
    "error_code": "INVALID_AUDIO_FORMAT",
    "message": "Invalid file type. Must be audio or video file.",
    "details": {"content_type": "text/plain", "extension": ".txt", "supported_extensions": [".wav", ".mp3", "…"]},
}
INVALID_OPTION = {
    "error_code": "INVALID_OPTION",
    "message": "num_speakers must be between 1 and 20.",
    "details": {"field": "num_speakers", "rule": "must be between 1 and 20"},
}


def _error(meaning: str, body: Any, example: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(body, meaning, examples=[OpenApiExample(meaning, example)])


REFUSED: dict[int, OpenApiResponse] = {
    400: _error("Not a usable request or recording", ErrorBody, INVALID_FORMAT),
    401: _error("No credentials, or wrong ones", DetailBody, {"detail": "Invalid API key"}),
    402: _error(
        "Too few credits",
        DetailBody,
        {"detail": "Insufficient credits for processing. Required: 8250, Available: 1000"},
    ),
    403: _error("Revoked key", DetailBody, {"detail": "This API key has been revoked", "error_code": "KEY_REVOKED"}),
    404: _error("No such job of yours", DetailBody, {"detail": "Job not found or access denied"}),
    409: _error(
        "Not in the job's present state",
        ErrorBody,
        {"error_code": "JOB_FINISHED", "message": "The job has already finished.", "details": {}},
    ),
    413: _error(
        "Too large or too long",
        ErrorBody,
        {"error_code": "FILE_TOO_LARGE", "message": "The file is larger than 200 MB.", "details": {}},
    ),
    415: _error("Neither form nor JSON", DetailBody, {"detail": 'Unsupported media type "text/xml" in request.'}),
    422: _error("An option with an unusable value", ErrorBody, INVALID_OPTION),
    429: _error("Too many requests", DetailBody, {"detail": "Rate limit exceeded. Try again later."}),
}


def answers(success: Any, *refusals: int) -> dict[int, Any]:
    """The responses of an operation; credentials and the rate limit can refuse any."""
    return {200: success} | {status: REFUSED[status] for status in sorted({401, 403, 429, *refusals})}


RECORDING_TYPES = ("audio/*", "video/*", "application/octet-stream")


def recording(meaning: str) -> dict[Any, OpenApiResponse]:
    """A stored recording as the answer, or the part of it that Range asks for."""
    part = OpenApiResponse(OpenApiTypes.BINARY, "The part that Range asks for")
    return {
        **{(200, each): OpenApiResponse(OpenApiTypes.BINARY, meaning) for each in RECORDING_TYPES},
        **{(206, each): part for each in RECORDING_TYPES},
        304: OpenApiResponse(description="If-None-Match names what would be sent"),
        416: OpenApiResponse(description="Range asks for nothing that the file has"),
    }


def _job(meaning: str, example: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(JobBody, meaning, examples=[OpenApiExample(meaning, example)])


def _submit(name: str, summary: str, fields: type[DiarizeSerializer], example: dict[str, Any]) -> Any:
    count = "The same as in the body, which counts where both are given."
    return extend_schema(
        operation_id=name,
        summary=summary,
        description="Send a `file` or a `url`. The price is held at once where the recording's length is known.",
        tags=["Speakers"],
        parameters=[KEY, *(OpenApiParameter(option, int, description=count) for option in QUERY_OPTIONS)],
        request=dict.fromkeys(FORMS, fields),
        responses=answers(_job("The job", example), 400, 402, 404, 409, 413, 415, 422),
    )


EXTRACT = _submit("extract", "A track for each speaker, and who spoke when", ExtractSerializer, CREATED)
DIARIZE = _submit("diarize", "Who spoke when", DiarizeSerializer, CREATED | {"job_type": "diarization"})
LIST = extend_schema(
    operation_id="list_jobs",
    summary="Your jobs, newest first",
    tags=["Jobs"],
    parameters=[JobsQuery],
    responses=answers(JobsBody, 422),
)


AGAIN = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, description="Seconds; while the job goes on.", response=[200]
)


def _get(name: str, summary: str, *parameters: Any, refusals: tuple[int, ...] = (404,)) -> Any:
    return extend_schema(
        operation_id=name,
        summary=summary,
        tags=["Jobs"],
        parameters=[AGAIN, *parameters],
        responses=answers(_job("The job", COMPLETED), *refusals),
    )


GET = _get("get_job", "A job, with its result and fresh download links when it is done")
GET_ANY = _get(
    "get_any_job", "The same job at the address that waiting SDKs poll, once it changes", WaitQuery, refusals=(404, 422)
)


def _delete(name: str, summary: str) -> Any:
    responses = {204: OpenApiResponse(description="Gone")} | {s: REFUSED[s] for s in (401, 403, 404, 429)}
    return extend_schema(operation_id=name, summary=summary, tags=["Jobs"], responses=responses)


DELETE = _delete("delete_job", "Remove a job, its recording and its files; one under way is canceled")
DELETE_ANY = _delete("delete_any_job", "The same for a job of any task")
RETRY = extend_schema(
    operation_id="retry_job",
    summary="Run a failed or canceled job again, under the same id",
    tags=["Jobs"],
    parameters=[KEY],
    request=None,
    responses=answers(_job("The new run", CREATED), 400, 402, 404, 409, 422),
)
CANCEL = extend_schema(
    operation_id="cancel_job",
    summary="Stop a job that has not ended; nothing is charged",
    tags=["Jobs"],
    request=None,
    responses=answers(_job("The job", CREATED | {"status": "CANCELLED"}), 404, 409),
)
DOWNLOAD = extend_schema(
    operation_id="download_job",
    summary="All files of a job in one ZIP",
    tags=["Jobs"],
    responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, "The ZIP")}
    | {status: REFUSED[status] for status in (401, 403, 404, 409, 429)},
)


ACCOUNT = ("/api/v1/auth/", "/api/v1/credits")


def refuse_account_requests(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular's. Accounts know nothing of the API's bodies, so their refusals are described here."""
    for path, operations in result["paths"].items():
        if path.startswith(ACCOUNT):
            for operation in operations.values():
                operation["responses"] |= _account_refusals(operation)
    return result


def _account_refusals(operation: dict[str, Any]) -> dict[str, Any]:
    bodies = {401: "DetailBody", 403: "DetailBody", 429: "DetailBody"}
    if "requestBody" in operation:
        bodies |= {400: "ErrorBody", 409: "ErrorBody", 413: "ErrorBody", 415: "DetailBody"}
    if "requestBody" in operation or "parameters" in operation:
        bodies[422] = "ErrorBody"
    return {
        str(status): {
            "description": REFUSED[status].description,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}},
        }
        for status, body in sorted(bodies.items())
    }
