"""One table of what can go wrong with a request or a job: code, HTTP status and the words for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorKind:
    status: int  # of the answer, where the error is known while the request is answered
    message: str


ERRORS: dict[str, ErrorKind] = {
    # the request
    "INVALID_INPUT": ErrorKind(400, "The request is not valid."),
    "MISSING_INPUT": ErrorKind(400, "Provide either a file or a URL."),
    "CONFLICTING_INPUT": ErrorKind(400, "Provide either a file or a URL, not both."),
    "INVALID_OPTION": ErrorKind(422, "An option has a value that cannot be used."),
    "ADDRESS_TOO_LONG": ErrorKind(414, "The address of the request is too long; send what is in it in a body."),
    "FILE_TOO_LARGE": ErrorKind(413, "The file is too large."),
    "MEDIA_NOT_FOUND": ErrorKind(404, "There is no such recording; without a job it is kept for 24 hours."),
    "MEDIA_IN_USE": ErrorKind(409, "A job uses this recording; delete the job."),
    "UPLOADS_FULL": ErrorKind(413, "Too many recordings wait without a job; use or delete some first."),
    "UPLOAD_USED": ErrorKind(412, "Something was sent to this address already; ask for a fresh one."),
    "UPLOAD_INCOMPLETE": ErrorKind(400, "The upload was cut off before its end."),
    "UPLOAD_NOT_FOUND": ErrorKind(404, "There is no such upload; an unfinished one is kept for 24 hours."),
    "UPLOAD_MOVED": ErrorKind(409, "The upload does not go on at this offset; ask where it does."),
    "CHECKSUM_MISMATCH": ErrorKind(460, "The part did not arrive as it was sent; send it again."),
    "TUS_VERSION": ErrorKind(412, "Uploads in parts speak tus 1.0.0: send the header Tus-Resumable: 1.0.0."),
    "JOB_NOT_FOUND": ErrorKind(404, "Job not found or access denied"),
    "JOB_NOT_RETRYABLE": ErrorKind(409, "Only a failed or canceled job can be retried."),
    "JOB_FINISHED": ErrorKind(409, "The job has already finished."),
    "JOB_CHANGED": ErrorKind(409, "The job changed in the meantime; look at it again."),
    "JOB_HAS_NO_FILES": ErrorKind(409, "The job has no files to download."),
    "JOB_HAS_NO_RESULT": ErrorKind(409, "The job has no result; only one that succeeded has."),
    "JOB_HAS_NO_TURNS": ErrorKind(409, "This job does not tell who spoke when, so there is nothing to export."),
    "NOTHING_TO_REMAKE": ErrorKind(409, "The tracks are those of the turns as they are; correct some first."),
    "JOB_HAS_NO_TRANSCRIPT": ErrorKind(409, "This job does not tell what was said; only a transcription does."),
    "JOB_HAS_NO_VOICEPRINT": ErrorKind(409, "The job made no voiceprints; ask one for them with voiceprints=true."),
    "VOICEPRINT_NOT_FOUND": ErrorKind(404, "Voiceprint not found or access denied"),
    "VOICEPRINT_EXISTS": ErrorKind(409, "You have a voiceprint of this name; give another name, or delete that one."),
    "VOICEPRINT_NOT_LEARNED": ErrorKind(409, "This voiceprint has not been learned yet, or could not be."),
    "VOICEPRINTS_DIFFER": ErrorKind(422, "Only voiceprints of one model can be compared."),
    "TOO_MANY_VOICEPRINTS": ErrorKind(409, "There are as many voiceprints as an account may have."),
    "VERSION_NOT_FOUND": ErrorKind(404, "There is no such version."),
    "TOO_MANY_STREAMS": ErrorKind(429, "Too many event streams and waits are open; close one first."),
    "IDEMPOTENCY_KEY_REUSED": ErrorKind(422, "This Idempotency-Key was used for another request."),
    "IDEMPOTENCY_KEY_IN_USE": ErrorKind(409, "A request with this Idempotency-Key is still running."),
    "IDEMPOTENCY_KEY_INVALID": ErrorKind(400, "An Idempotency-Key has 1 to 255 characters."),
    "WEBHOOK_NOT_FOUND": ErrorKind(404, "Webhook endpoint not found or access denied"),
    "WEBHOOK_OFF": ErrorKind(409, "The webhook endpoint is switched off; switch it on first."),
    "TOO_MANY_WEBHOOKS": ErrorKind(409, "There are as many webhook endpoints as an account may have."),
    "DELIVERY_NOT_FOUND": ErrorKind(404, "Delivery not found or access denied"),
    "DELIVERY_UNDER_WAY": ErrorKind(409, "It is being sent at this moment; look at it again."),
    "LINK_EXPIRED": ErrorKind(403, "This link has expired; ask for the job again to get a fresh one."),
    "LINK_INVALID": ErrorKind(403, "This link is not valid; it may have been cut or altered."),
    "FILE_NOT_FOUND": ErrorKind(404, "This file has been deleted."),
    "NOT_OFFERED": ErrorKind(501, "This server does not do this; /api/v1/docs lists what it does."),
    "INTERNAL_ERROR": ErrorKind(500, "Something went wrong on the server. Nothing was charged; try again."),
    # the recording, at submission or while the job runs
    "INVALID_AUDIO_FORMAT": ErrorKind(400, "Invalid file type. Must be audio or video file."),
    "NO_AUDIO_STREAM": ErrorKind(400, "This file has no audio track."),
    "AUDIO_TOO_SHORT": ErrorKind(400, "The recording is too short to hear anybody in it."),
    "AUDIO_TOO_LONG": ErrorKind(413, "The recording is too long."),
    "UNUSABLE_AUDIO": ErrorKind(400, "The recording holds no usable sound."),
    # the URL
    "INVALID_URL": ErrorKind(400, "This is not an http or https address."),
    "URL_NOT_ALLOWED": ErrorKind(400, "This address does not lead to a public server."),
    "URL_UNREACHABLE": ErrorKind(400, "The address could not be reached."),
    "URL_NOT_MEDIA": ErrorKind(400, "There is a page or a stream in pieces at this address, not a recording."),
    "LENGTH_UNKNOWN": ErrorKind(422, "The recording's length cannot be told from its beginning; give its seconds."),
    "URL_NEEDS_EXTRACTOR": ErrorKind(400, "This server fetches nothing from this site; give a direct link to a file."),
    "URL_PLAYLIST": ErrorKind(400, "There is a playlist at this address; give the address of one recording."),
    "URL_LIVE": ErrorKind(400, "This is a live stream; send its recording once it has ended."),
    "URL_RESTRICTED": ErrorKind(400, "The site does not show this recording to everybody."),
    "EXTRACTION_FAILED": ErrorKind(400, "The recording could not be got from its site."),
    # the job
    "INSUFFICIENT_CREDITS": ErrorKind(402, "Insufficient credits for processing."),
    "PROCESSING_FAILED": ErrorKind(422, "Failed to extract speakers from audio"),
    "ENGINE_UNAVAILABLE": ErrorKind(422, "The engine asked for is not available on this server."),
    "WORKER_LOST": ErrorKind(500, "The job was started several times and its worker was lost each time."),
    "ENGINE_TIMEOUT": ErrorKind(500, "The engine took longer than the server allows."),
    "ENGINE_FAILED": ErrorKind(500, "The engine failed. This is a defect; the log has the details."),
    "OUT_OF_MEMORY": ErrorKind(500, "The server ran out of memory."),
    "DISK_FULL": ErrorKind(507, "The server's disk is full."),
}


class JobError(Exception):
    """Something the user is told, by its code in ERRORS."""

    def __init__(self, code: str, message: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message or ERRORS[code].message
        self.details = dict(details or {})
        super().__init__(self.message)

    @property
    def status(self) -> int:
        return ERRORS[self.code].status

    def body(self) -> dict[str, Any]:
        """As API clients get it: what is missing or too much by its words alone, the rest with its code."""
        if self.status in (402, 404, 429):
            return {"detail": self.message}
        return {"error_code": self.code, "message": self.message, "details": self.details}
