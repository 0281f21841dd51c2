"""What the OpenAPI document says of the operations that no other vendor's contract describes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from audio_engine.exports import FORMATS
from jobs.errors import ERRORS

from . import schema
from .bodies import (
    BatchBody,
    EstimateBody,
    ExportedBody,
    JobBody,
    ListBody,
    ProblemBody,
    ProblemTypeBody,
    StreamedEventBody,
)
from .schema import FORMS, KEY
from .serializers import (
    AddressSerializer,
    ArchiveQuery,
    BatchRequest,
    EstimateSerializer,
    ExportQuery,
    IdentifySerializer,
    ListQuery,
    UploadRequest,
)
from .upload_bodies import AddressBody, StartedUploadBody, UploadBody

PROBLEM_TYPE = "application/problem+json"
EXAMPLES = {
    400: "INVALID_INPUT",
    402: "INSUFFICIENT_CREDITS",
    404: "JOB_NOT_FOUND",
    409: "JOB_HAS_NO_RESULT",
    414: "ADDRESS_TOO_LONG",
    412: "TUS_VERSION",
    413: "FILE_TOO_LARGE",
    422: "INVALID_OPTION",
    460: "CHECKSUM_MISMATCH",
    507: "DISK_FULL",
}
PLAIN = {
    401: ("Unauthorized", "UNAUTHORIZED", "Invalid API key"),
    403: ("Forbidden", "KEY_REVOKED", "This API key has been revoked"),
    415: ("Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE", 'Unsupported media type "text/xml" in request.'),
    429: ("Too Many Requests", "TOO_MANY_REQUESTS", "Rate limit exceeded. Try again later."),
}


def problem(status: int) -> OpenApiResponse:
    if status in PLAIN:
        title, code, detail = PLAIN[status]
        example = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    else:
        code = EXAMPLES[status]
        title = ERRORS[code].message
        example = {"type": f"/api/v1/problems/{code}", "title": title, "status": status, "detail": title, "code": code}
    return OpenApiResponse(ProblemBody, title, examples=[OpenApiExample(title, example)])


def answers(success: Any, *refusals: int, content_type: str = "application/json") -> dict[tuple[int, str], Any]:
    """The responses of an operation; credentials and the rate limit can refuse any."""
    problems = {(status, PROBLEM_TYPE): problem(status) for status in sorted({401, 403, 429, *refusals})}
    return {(200, content_type): success} | problems


CREATED = OpenApiResponse(JobBody, examples=[OpenApiExample("The job", schema.CREATED)])
IDENTIFY = extend_schema(
    operation_id="identify",
    summary="Who spoke when, and which of your saved voiceprints they are",
    description="Send a `file`, a `url` or a `media`. Each of the result's speakers has a `match`, or null, and a "
    "`confidence` for each of the voices.",
    tags=["Voiceprints"],
    parameters=[KEY],
    request=dict.fromkeys(FORMS, IdentifySerializer),
    responses=answers(CREATED, 400, 402, 404, 409, 413, 415, 422),
    examples=[
        OpenApiExample(
            "Two who are known",
            {"url": "https://example.org/meeting.mp3", "voices": ["Sam", "Ann"], "threshold": 60},
            request_only=True,
            media_type="application/json",
        )
    ],
)
RETRY = extend_schema(
    operation_id="retry_any_job",
    summary="Run a failed or canceled job of any task again, under the same id",
    tags=["Jobs"],
    parameters=[KEY],
    request=None,
    responses=answers(CREATED, 400, 402, 404, 409, 422),
)
CANCEL = extend_schema(
    operation_id="cancel_any_job",
    summary="Stop a job of any task that has not ended; nothing is charged",
    tags=["Jobs"],
    request=None,
    responses=answers(JobBody, 404, 409),
)
EXPORT = extend_schema(
    operation_id="export_job",
    summary="Who spoke when, as a file for another program",
    tags=["Jobs"],
    parameters=[ExportQuery],
    responses=answers(OpenApiResponse(OpenApiTypes.STR, "The file"), 404, 409, 422, content_type="text/plain")
    | {(200, its.content_type.partition(";")[0]): OpenApiTypes.STR for its in FORMATS.values()}
    | {(200, FORMATS["json"].content_type): ExportedBody},
)
EVENTS = extend_schema(
    operation_id="follow_job",
    summary="What happens to a job, as it happens",
    description="Server-Sent Events: `state` and `progress` with the job's version as their id, `deleted` at the end "
    "of a job that is removed. What happened after the version that Last-Event-ID names comes first. The stream ends "
    "when the job does; who asks again then gets a 204, at which an EventSource stops. A comment every 15 seconds is a "
    "sign of life.",
    tags=["Jobs"],
    parameters=[
        OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="The last id that was received.")
    ],
    responses=answers(OpenApiResponse(StreamedEventBody, "The events"), 404, content_type="text/event-stream")
    | {204: OpenApiResponse(description="The job has ended and all of it was told.")},
)
LIST = extend_schema(
    operation_id="list_all_jobs",
    summary="Your jobs, newest first, page by page",
    description="A page goes on behind the one before, whatever comes meanwhile; a job that is run again keeps its "
    "place.",
    tags=["Jobs"],
    parameters=[ListQuery],
    responses=answers(ListBody, 422),
)
BATCH = extend_schema(
    operation_id="submit_batch",
    summary="Many jobs by one request",
    description="Each item becomes a job or is refused by itself, as its result says. The price of each is held as for "
    "one job; with an Idempotency-Key the whole is done once.",
    tags=["Jobs"],
    parameters=[KEY],
    request={"application/json": BatchRequest},
    responses=answers(BatchBody, 400, 409, 413, 415, 422),
)
ARCHIVE = extend_schema(
    operation_id="download_jobs",
    summary="All files of several jobs in one ZIP, a folder for each",
    tags=["Jobs"],
    parameters=[ArchiveQuery],
    responses=answers(OpenApiTypes.BINARY, 404, 409, 414, 422, content_type="application/zip"),
)
UPLOAD = extend_schema(
    operation_id="upload_media",
    summary="Store a recording for jobs to come",
    tags=["Jobs"],
    parameters=[KEY],
    request={"multipart/form-data": UploadRequest},
    responses={(201, "application/json"): UploadBody}
    | {key: its for key, its in answers(UploadBody, 400, 409, 413, 415, 422).items() if key[0] != 200},
)
OFFER_ADDRESS = extend_schema(
    operation_id="offer_address",
    summary="An address that takes one recording as the body of a PUT: the bucket's own, where files are kept in one",
    tags=["Jobs"],
    request=dict.fromkeys(FORMS, AddressSerializer),
    responses={(201, "application/json"): AddressBody}
    | {key: its for key, its in answers(AddressBody, 400, 413, 415, 422).items() if key[0] != 200},
    examples=[
        OpenApiExample(
            "A recording of a megabyte",
            {"name": "meeting.mp3", "bytes": 1_048_576},
            request_only=True,
            media_type="application/json",
        )
    ],
)
PUT = extend_schema(
    operation_id="put_media",
    summary="Send a recording to an address of the server's own",
    tags=["Jobs"],
    auth=[],
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={200: OpenApiResponse(description="Stored.")}
    | {key: its for key, its in answers(UploadBody, 400, 412, 413, 507).items() if key[0] not in (200, 401, 429)},
)
COMPLETE = extend_schema(
    operation_id="complete_media",
    summary="Look at what was sent to an address; from then on jobs take it as `media`",
    tags=["Jobs"],
    request=None,
    responses=answers(UploadBody, 400, 404, 413),
)
DISCARD = extend_schema(
    operation_id="delete_media",
    summary="Remove a recording that no job uses",
    tags=["Jobs"],
    responses={204: OpenApiResponse(description="Gone")}
    | {key: its for key, its in answers(UploadBody, 404, 409).items() if key[0] != 200},
)
TUS = OpenApiParameter(
    "Tus-Resumable", str, OpenApiParameter.HEADER, required=True, enum=["1.0.0"], description="The protocol's version."
)
START_UPLOAD = extend_schema(
    operation_id="start_upload",
    summary="Begin to upload a recording by parts, as tus 1.0.0 has it",
    description="`Location` says where its parts go.",
    tags=["Jobs"],
    parameters=[
        TUS,
        OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, required=True, description="Bytes in all."),
        OpenApiParameter(
            "Upload-Metadata",
            str,
            OpenApiParameter.HEADER,
            description="`filename` and its value in Base64, and others.",
        ),
        KEY,
    ],
    request=None,
    responses={(201, "application/json"): StartedUploadBody}
    | {key: its for key, its in answers(UploadBody, 400, 409, 412, 413, 422).items() if key[0] != 200},
)


def _told(status: int, **headers: str) -> list[OpenApiParameter]:
    """What an answer says in headers."""
    return [
        OpenApiParameter(name.replace("_", "-"), str, OpenApiParameter.HEADER, description=meaning, response=[status])
        for name, meaning in headers.items()
    ]


TUS_ABILITIES = extend_schema(
    operation_id="get_tus_abilities",
    summary="What of tus this server speaks, in headers",
    tags=["Jobs"],
    auth=[],
    parameters=_told(
        204,
        Tus_Version="The protocol's versions.",
        Tus_Extension="What is spoken besides the core.",
        Tus_Checksum_Algorithm="Those that `Upload-Checksum` may name.",
        Tus_Max_Size="Bytes of the largest upload.",
    ),
    responses={204: OpenApiResponse(description="Its headers say it."), (429, PROBLEM_TYPE): problem(429)},
)
UPLOAD_STATE = extend_schema(
    operation_id="get_upload_state",
    summary="How much of an upload is here, in headers",
    description="As to every HEAD, an error is told by its status alone.",
    tags=["Jobs"],
    parameters=[
        TUS,
        *_told(
            200,
            Upload_Offset="Bytes that are here.",
            Upload_Length="Bytes in all.",
            Upload_Expires="Until when the rest may come.",
            Upload_Metadata="As it was begun with, where it was.",
        ),
    ],
    responses={200: OpenApiResponse(description="Its headers say it.")}
    | {status: OpenApiResponse(description=problem(status).description) for status in (401, 403, 404, 412, 429)},
)
SEND_PART = extend_schema(
    operation_id="send_part",
    summary="Send the next bytes, at most 8 MiB; HEAD says from where",
    description="With the last byte the upload is the recording of the same id, which jobs take as `media`.",
    tags=["Jobs"],
    parameters=[
        TUS,
        OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True, description="Bytes before."),
        OpenApiParameter(
            "Upload-Checksum", str, OpenApiParameter.HEADER, description="`sha1`, `sha256` or `md5`, and it in Base64."
        ),
    ],
    request={"application/offset+octet-stream": OpenApiTypes.BINARY},
    responses={204: OpenApiResponse(description="They are here; `Upload-Offset` says how many in all.")}
    | {key: its for key, its in answers(UploadBody, 400, 404, 409, 412, 413, 415, 460).items() if key[0] != 200},
)
CANCEL_UPLOAD = extend_schema(
    operation_id="cancel_upload",
    summary="Remove an upload, or the recording that it became while no job uses it",
    tags=["Jobs"],
    parameters=[TUS],
    responses={204: OpenApiResponse(description="Gone")}
    | {key: its for key, its in answers(UploadBody, 404, 409, 412).items() if key[0] != 200},
)
ESTIMATE = extend_schema(
    operation_id="estimate_job",
    summary="What a job will cost, before anything is sent",
    tags=["Jobs"],
    request=dict.fromkeys(FORMS, EstimateSerializer),
    responses=answers(EstimateBody, 400, 404, 413, 415, 422),
)
PROBLEM = extend_schema(
    operation_id="get_problem",
    summary="What the `type` of an error means",
    tags=["Jobs"],
    auth=[],
    responses={200: ProblemTypeBody, 404: OpenApiResponse(description="There is no error of this code.")},
)
