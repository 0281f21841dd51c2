"""A job as API clients see it: AudioPod's fields and words, and what else is worth knowing."""

from __future__ import annotations

from datetime import datetime

from rest_framework.request import Request

from jobs.ingest import UNUSED_LIFE
from jobs.models import Job, JobEvent, Media, Track

from . import results
from .results import Body

Status = Job.Status
STATUS_WORDS: dict[str, str] = {
    Status.PENDING: "PENDING",
    Status.FETCHING: "PROCESSING",
    Status.QUEUED: "PENDING",
    Status.RUNNING: "PROCESSING",
    Status.SUCCEEDED: "COMPLETED",
    Status.FAILED: "FAILED",
    Status.CANCELED: "CANCELLED",
}
STATUSES = sorted(set(STATUS_WORDS.values()))


def job(job: Job, request: Request) -> Body:
    """With its result and fresh download links once it has succeeded."""
    tracks = list(job.tracks.all())
    return summary(job, tracks) | {
        "media": _media(job.media) if job.media else None,
        "options": _options(job),
        "error_details": job.error_details or None,
        "result": results.of(job, tracks, request) if job.result else None,
    }


def _options(job: Job) -> Body:
    """Without the text of subtitles and the turns, which can be long and which every answer would repeat."""
    return job.options | {name: bool(job.options[name]) for name in ("input_srt", "turns") if name in job.options}


def item(job: Job) -> Body:
    """A line of the list, for a job that was read without its result."""
    return summary(job, list(job.tracks.all()))


def summary(job: Job, tracks: list[Track]) -> Body:
    return _core(job) | {
        "version": version(job, job.event_seq),
        "started_at": moment(job.started_at),
        "filename": job.name,
        "source_url": job.source_url or None,
        "duration": job.media.seconds if job.media else None,
        "outputFiles": [results.path(job, track) for track in tracks],
    }


def flat(job: Job) -> Body:
    """What AudioPod's denoiser and stem endpoints tell of any job, with nothing one level down."""
    return _core(job) | {
        "original_filename": job.name,
        "options": job.options,
        "updated_at": moment(job.finished_at or job.started_at or job.queued_at or job.created_at),
    }


def _core(job: Job) -> Body:
    """What every endpoint tells of a job."""
    return {
        "id": job.number,
        "job_type": job.task,
        "status": STATUS_WORDS[job.status],
        "stage": job.stage or None,
        "progress": int(job.progress * 100),
        "created_at": moment(job.created_at),
        "completed_at": moment(job.finished_at),
        "user_id": str(job.owner_id),
        "task_id": str(job.uuid),
        "display_name": job.name,
        "credits_required": job.credits,
        "credits_charged": job.credits if job.status == Status.SUCCEEDED else 0,
        "error_code": job.error_code or None,
        "error_message": job.error_message or None,
    }


def version(job: Job, seq: int) -> str:
    """Names what a job was like after one of its events. A retry, whose events are counted anew, has others."""
    return f"{job.pk}.{seq}"


def seq_of(version: str, job: Job) -> int | None:
    """The event that a version names, 0 for one of an earlier run. None for what is no version."""
    run, _, seq = version.partition(".")
    if not (run.isdecimal() and seq.isdecimal() and len(version) < 40):
        return None
    return min(int(seq), job.event_seq) if int(run) == job.pk else 0


def event(job: Job, event: JobEvent) -> Body:
    told = {"id": job.number, "task_id": str(job.uuid), "version": version(job, event.seq)}
    if event.kind == JobEvent.Kind.PROGRESS:
        at = {"stage": event.data["stage"] or None, "progress": int(event.data["progress"] * 100)}
        return told | {"status": "PROCESSING"} | at
    errors = {name: event.data.get(name) for name in ("error_code", "error_message")}
    status = event.data["status"]
    return told | {"status": STATUS_WORDS[status], "finished": status in Job.TERMINAL} | errors


def upload(media: Media) -> Body:
    """A recording that no job uses yet."""
    return _media(media) | {"name": media.name, "expires_at": moment(media.created_at + UNUSED_LIFE)}


def _media(media: Media) -> Body:
    return {
        "id": str(media.uuid),
        "duration": media.seconds,
        "bytes": media.bytes,
        "container": media.container,
        "codec": media.codec,
        "sample_rate": media.sample_rate,
        "channels": media.channels,
    }


def moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None
