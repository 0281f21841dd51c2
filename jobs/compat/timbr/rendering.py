"""Jobs as Timbr's clients see them (docs.hudson-ai.com/developer/jobs)."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rest_framework.request import Request

from audio_engine.formats import speaker_label
from jobs import downloads
from jobs.api.render import moment
from jobs.compat.base import Body
from jobs.models import Job, Track

from . import subtitles

Status = Job.Status
STATUS_WORDS: dict[str, str] = {
    Status.PENDING: "pending",
    Status.FETCHING: "pending",
    Status.QUEUED: "queued",
    Status.RUNNING: "processing",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "failed",
    Status.CANCELED: "failed",
}
JOB_TYPES = {  # by our tasks
    "dialogue": "separate",
    "denoising": "enhance",
    "diarization": "diarize",
    "transcription": "diarize",
}
TYPES = sorted(set(JOB_TYPES.values()))
CANCELED = "The job was canceled."
# What Timbr calls our subtitles.
SUBTITLES = {
    "diarization": {"timbr": "speakers"},
    "transcription": {"timbr": "captions", "sentence_split": "sentences"},
}
# And our files: the first has one name in the table of its page and another in the schema below it.
FILES = {
    "speech": ("speech", "dialogue"),
    "background": ("me",),
    "music": ("music",),
    "effects": ("effect",),
    "nonlingual": ("nonlingual",),
    "denoised": ("enhanced",),
}


def job(job: Job, request: Request) -> Body:
    succeeded = job.status == Status.SUCCEEDED
    return {
        "job_id": str(job.uuid),
        "job_type": JOB_TYPES[job.task],
        "file_id": str(job.media.uuid) if job.media else None,
        "status": STATUS_WORDS[job.status],
        "progress": int(job.progress * 100),
        "cost": job.credits if succeeded else 0,
        "result": _result(job, request) if job.result else None,
        "warnings": (job.result or {}).get("warnings", []),
        "error": CANCELED if job.status == Status.CANCELED else job.error_message or None,
        "created_at": moment(job.created_at),
        "completed_at": moment(job.finished_at),
    }


def _result(job: Job, request: Request) -> dict[str, Any]:
    return _links(job, request) | _genders(job)


def _genders(job: Job) -> dict[str, Any]:
    """Where they were asked for; the names are those in the subtitles."""
    found = (job.result or {}).get("voice_attributes") or []
    guesses = [
        {
            "speaker": speaker_label(voice["speaker"]),
            "gender": voice["gender"],
            "confidence": voice["gender_confidence"],
        }
        for voice in found
    ]
    return {"speakers": guesses} if guesses else {}


def _links(job: Job, request: Request) -> dict[str, Any]:
    """Which need no token."""
    if "lines" in job.asked:
        return {"timbr": subtitles.url(job, "lines", request)}
    if kinds := SUBTITLES.get(job.task):
        return {name: subtitles.url(job, kind, request) for name, kind in kinds.items()}
    files = {PurePath(track.name).stem: track for track in job.tracks.all() if track.kind == Track.Kind.AUDIO}
    return {name: downloads.track_url(files[stem], request) for stem in files for name in FILES[stem]}
