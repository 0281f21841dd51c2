"""Files and tasks as NeuralSpace's clients see them: https://docs.neuralspace.ai/files, /voice-extraction and
/speaker-identification.

A file is a recording that was uploaded, by an id of its own, or a stem that a job left, by the job's id and its name.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from accounts.models import APIKey
from jobs.api.render import moment
from jobs.compat.base import Body
from jobs.models import Job, Media, Track

Status = Job.Status
VOICE_STEPS = (
    "Queued",
    "Job Started",
    "Loading Model",
    "Model Loading Complete",
    "Splitting Audio",
    "Split Complete",
    "Job Ended",
    "Completed",
)
SPEAKER_STEPS = (
    "Queued",
    "Identification Job Started",
    "Diarizing Audio",
    "Audio Diarized",
    "Speakers identified",
    "Completed",
)
FAILED = "Failed"
# How many of the steps a running job has reached, by its stage; empty until the engine reports first.
VOICE_REACHED, VOICE_REACHED_LATER = {"": 3}, 5
SPEAKERS_REACHED, SPEAKERS_REACHED_LATER = {"": 2, "decode": 2, "tracks": 4}, 3
COMPLETED = "job completed successfully"
VOCAL, INSTRUMENT = "speech", "background"  # our stems


def upload(media: Media, auth: Any) -> Body:
    return {
        "fileId": str(media.uuid),
        **_file(media.name, media.bytes, media.seconds, auth),
        "reference": "",
        "uploadedAt": moment(media.created_at),
    }


def output(track: Track, auth: Any) -> Body:
    """A stem, which is as long as its recording."""
    job = track.job
    seconds = job.media.seconds if job.media else None
    return {
        "fileId": file_id(job, PurePath(track.name).stem),
        **_file(track.name, track.bytes, seconds, auth),
        "reference": str(job.uuid),
        "uploadedAt": moment(job.finished_at),
    }


def file_id(job: Job, stem: str) -> str:
    return f"{job.uuid}.{stem}"


def voice_task(job: Job, auth: Any) -> Body:
    steps = _reached(job, VOICE_STEPS, VOICE_REACHED.get(job.stage, VOICE_REACHED_LATER))
    return _task(job, steps, auth) | {"results": _stems(job) if job.result else None}


def speakers_task(job: Job, auth: Any) -> Body:
    steps = _reached(job, SPEAKER_STEPS, SPEAKERS_REACHED.get(job.stage, SPEAKERS_REACHED_LATER))
    return _task(job, steps, auth) | {
        "fileDuration": job.media.seconds if job.media else None,
        "results": [_turn(turn) for turn in job.result["turns"]] if job.result else None,
    }


def _file(name: str, size: int, seconds: float | None, auth: Any) -> Body:
    return {
        "fileName": name,
        "fileExt": PurePath(name).suffix.lstrip("."),
        "fileSize": size,
        "metadata": {"audioDuration": seconds},
        "apikey": _beginning_of_key(auth),
    }


def _task(job: Job, steps: list[str], auth: Any) -> Body:
    file = str(job.media.uuid) if job.media else None
    return {
        "apikey": _beginning_of_key(auth),
        "taskId": str(job.uuid),
        "jobStatus": steps[-1],
        "jobProgress": steps,
        "message": COMPLETED if job.status == Status.SUCCEEDED else job.error_message,
        "fileId": file,
        "filePath": _path(file) if file else None,
        "createdAt": moment(job.created_at),
    }


def _reached(job: Job, steps: tuple[str, ...], running: int) -> list[str]:
    """The steps a job has taken; the last one is where it is."""
    match job.status:
        case Status.SUCCEEDED:
            return list(steps)
        case Status.RUNNING:
            return list(steps[:running])
        case Status.FAILED | Status.CANCELED:
            return [*steps[: 2 if job.attempt else 1], FAILED]
        case _:
            return list(steps[:1])


def _stems(job: Job) -> Body:
    vocal, instrument = file_id(job, VOCAL), file_id(job, INSTRUMENT)
    return {
        "output": {
            "instrument_path": _path(instrument),
            "instrument_file_id": instrument,
            "vocal_path": _path(vocal),
            "vocal_file_id": vocal,
        }
    }


def _turn(turn: Body) -> Body:
    return {"start": turn["start"], "stop": turn["end"], "user": str(turn["speaker"] + 1)}


def _path(file: str) -> str:
    return f"uploads/{file}"


def _beginning_of_key(auth: Any) -> str:
    """Where NeuralSpace shows the whole key, which nobody here can: only its digest is kept."""
    return f"{auth.prefix}…" if isinstance(auth, APIKey) else ""
