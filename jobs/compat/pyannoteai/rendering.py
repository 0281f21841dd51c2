"""A job as pyannoteAI's clients see it: https://docs.pyannote.ai/api-reference/get-job."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage

from audio_engine.formats import speaker_label, voiceprint_to_text
from audio_engine.transcription.transcript import Transcript, transcript_from_json
from audio_engine.voices import Voiceprint
from jobs.api.render import moment
from jobs.compat.base import Body
from jobs.models import Job, Track
from jobs.webhooks import Contents

SURFACE = "pyannoteai"
TASKS = ("diarization", "transcription", "identification", "voiceprint")
CREATED = "created"  # the answer to every request for work
STATUS_WORDS: dict[str, str] = {
    Job.Status.PENDING: CREATED,
    Job.Status.FETCHING: "pending",
    Job.Status.QUEUED: "pending",
    Job.Status.RUNNING: "running",
    Job.Status.SUCCEEDED: "succeeded",
    Job.Status.FAILED: "failed",
    Job.Status.CANCELED: "canceled",
}
STATUSES = sorted(set(STATUS_WORDS.values()))
UNUSABLE_MEDIA = "Could not load audio"
OF_THE_MEDIA = (
    *("INVALID_AUDIO_FORMAT", "NO_AUDIO_STREAM", "AUDIO_TOO_SHORT", "AUDIO_TOO_LONG", "UNUSABLE_AUDIO"),
    *("INVALID_URL", "URL_NOT_ALLOWED", "URL_UNREACHABLE", "URL_NOT_MEDIA", "URL_NEEDS_EXTRACTOR", "URL_PLAYLIST"),
    *("URL_LIVE", "URL_RESTRICTED", "EXTRACTION_FAILED", "FILE_TOO_LARGE"),
)
NO_CONFIDENCE = "The engine of this job tells no confidence."


def created(job: Job, warning: str = "") -> Body:
    return {"jobId": str(job.uuid), "status": CREATED} | ({"warning": warning} if warning else {})


def item(job: Job) -> Body:
    """A line of a list."""
    return {"id": str(job.uuid), "status": STATUS_WORDS[job.status], "createdAt": moment(job.created_at)}


def job(job: Job) -> Body:
    """With its output, as long as that is kept."""
    changed = job.finished_at or job.started_at or job.queued_at or job.created_at
    told = {
        "jobId": str(job.uuid),
        "status": STATUS_WORDS[job.status],
        "createdAt": moment(job.created_at),
        "updatedAt": moment(changed),
    }
    if job.status == Job.Status.FAILED:
        return told | {"output": {"error": _failure(job)}}
    if job.result is None:
        return told
    return told | {"output": output(job, _stored(job))}


def webhook_body(job: Job, _event_id: UUID, contents: Contents) -> Body:
    """What is sent to a job's own address: the output of one that succeeded, unless only its status is wanted."""
    told: Body = {"jobId": str(job.uuid), "status": STATUS_WORDS[job.status]}
    if job.result is None or job.asked.get("webhookStatusOnly"):
        return told
    return told | {"output": output(job, contents)}


def output(job: Job, contents: Contents) -> Body:
    """`contents` are the job's files that it is told by, as far as there are any."""
    found = job.result or {}
    warnings = list(found["warnings"])
    if job.task == "voiceprint":
        told = {"voiceprint": voiceprint_to_text(Voiceprint(**found["voiceprint"]))}
    else:
        told = _diarization(found, job.asked, contents.get(Track.Kind.CONFIDENCE, b""), warnings)
        if job.task == "identification":
            told |= _identification(found, job.asked)
        if transcript := contents.get(Track.Kind.TRANSCRIPT):
            told |= _transcription(transcript_from_json(json.loads(transcript)))
    return told | ({"warning": " ".join(warnings)} if warnings else {})


def _diarization(found: Body, asked: Body, confidence: bytes, warnings: list[str]) -> Body:
    of_each_turn = asked.get("turnLevelConfidence")
    told: Body = {"diarization": [_turn(turn, of_each_turn) for turn in found["turns"]]}
    if asked.get("exclusive"):
        told["exclusiveDiarization"] = [_turn(turn) for turn in found["exclusive"]]
    if asked.get("confidence") and confidence:
        told["confidence"] = json.loads(confidence)
    if (asked.get("confidence") and not confidence) or (of_each_turn and not _all_told(found["turns"])):
        warnings.append(NO_CONFIDENCE)
    return told


def _transcription(transcript: Transcript) -> Body:
    """Each word, and what each speaker says until another one does."""
    turns = []
    for speaker, its in groupby(transcript.sentences, key=lambda sentence: sentence.speaker):
        said = list(its)
        turns.append(_said(speaker, said[0].start, said[-1].end, " ".join(sentence.text for sentence in said)))
    words = [_said(word.speaker, word.start, word.end, word.text.strip()) for word in transcript.words()]
    return {"wordLevelTranscription": words, "turnLevelTranscription": turns}


def _said(speaker: int | None, start: float, end: float, text: str) -> Body:
    label = None if speaker is None else speaker_label(speaker)
    return {"start": start, "end": end, "text": text, "speaker": label}


def _identification(found: Body, asked: Body) -> Body:
    """The same turns by the names of those who were known, and how like each speaker is to each known voice."""
    matches = {who["speaker"]: who["match"] for who in found["identifications"]}
    turns = []
    for turn in found["turns"]:
        told, match = _turn(turn, asked.get("turnLevelConfidence")), matches[turn["speaker"]]
        named = {"speaker": match or told["speaker"], "diarizationSpeaker": told["speaker"], "match": match}
        turns.append(told | named)
    voiceprints = [
        {"speaker": speaker_label(who["speaker"]), "match": who["match"], "confidence": who["confidence"]}
        for who in found["identifications"]
    ]
    return {"identification": turns, "voiceprints": voiceprints}


def _turn(turn: Body, with_confidence: Any = False) -> Body:
    """Its confidence is known for the speaker it is given to, not for the others."""
    label = speaker_label(turn["speaker"])
    told = {"speaker": label, "start": turn["start"], "end": turn["end"]}
    sure = turn.get("confidence")
    return told | ({"confidence": {label: sure}} if with_confidence and sure is not None else {})


def _all_told(turns: Iterable[Body]) -> bool:
    return all(turn.get("confidence") is not None for turn in turns)


def _stored(job: Job) -> Contents:
    """Of the kinds that the job's output is told by."""
    wanted = {Track.Kind.TRANSCRIPT} | ({Track.Kind.CONFIDENCE} if job.asked.get("confidence") else set())
    contents = {}
    for track in job.tracks.all():
        if track.kind in wanted:
            with default_storage.open(track.file, "rb") as file:
                contents[track.kind] = file.read()
    return contents


def _failure(job: Job) -> str:
    if job.error_code in OF_THE_MEDIA:
        return f"{UNUSABLE_MEDIA}: {job.error_message}"
    reason = job.error_details.get("reason")
    return f"{job.error_message}: {reason}" if reason else job.error_message
