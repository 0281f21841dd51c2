"""What people are told beside the bare fact: what was not lost, and what they can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accounts.ledger import InsufficientCredits
from jobs.errors import JobError
from jobs.models import Job, JobEvent, Track
from jobs.wording import STATUS_WORDS

from .figures import Card

Status = Job.Status
KEPT = {True: "Nothing was charged, and your recording is still here.", False: "Nothing was charged."}
ADVICE: dict[str, str] = {
    "INVALID_INPUT": "Check the fields and try again.",
    "MISSING_INPUT": "Choose a file or paste a link.",
    "CONFLICTING_INPUT": "Keep the file or the link, not both.",
    "INVALID_OPTION": "Change the option and try again.",
    "FILE_TOO_LARGE": "Send a shorter or more compressed version, or give a link to it.",
    "UPLOAD_INCOMPLETE": "Check the connection and upload it again.",
    "INVALID_AUDIO_FORMAT": "Choose an audio or video file, such as WAV, MP3, M4A, FLAC, OGG, MP4 or MKV.",
    "NO_AUDIO_STREAM": "Choose another file.",
    "AUDIO_TOO_SHORT": "Choose a longer recording.",
    "AUDIO_TOO_LONG": "Cut it into parts and send them one by one.",
    "UNUSABLE_AUDIO": "Play it on your own machine: if you hear people there, export it anew as WAV.",
    "INVALID_URL": "Paste an address that begins with http:// or https://.",
    "URL_NOT_ALLOWED": "Download the file yourself and upload it here.",
    "URL_UNREACHABLE": "Open the link in your browser; if that works, download the file and upload it here.",
    "URL_NOT_MEDIA": "Paste the address of the media file itself, or download it and upload it here.",
    "URL_NEEDS_EXTRACTOR": "Download the recording and upload the file.",
    "URL_PLAYLIST": "Open the one that you mean and paste its address.",
    "URL_LIVE": "Come back when it has ended.",
    "URL_RESTRICTED": "If you may use it, download it yourself and upload the file.",
    "EXTRACTION_FAILED": "Open the page in your browser; if it plays there, download it and upload the file.",
    "MEDIA_NOT_FOUND": "Send the recording again.",
    "UPLOADS_FULL": "Wait for those that are being sent, then send it again.",
    "INSUFFICIENT_CREDITS": "Ask whoever runs this server for more credits, then retry.",
    "PROCESSING_FAILED": "Listen to it: if people do speak there, send it again and say how many.",
    "ENGINE_UNAVAILABLE": "Retry with another engine, or ask whoever runs this server.",
    "ENGINE_TIMEOUT": "Cut the recording into parts and send them one by one.",
    "DISK_FULL": "Ask whoever runs this server to make room, then retry.",
}
CONTENTS: dict[str, str] = {
    Track.Kind.RTTM: "Who spoke when, for diarization tools",
    Track.Kind.CONFIDENCE: "How sure the engine is, for each 20 ms",
    Track.Kind.TRANSCRIPT: "What was said: each word with its time",
    Track.Kind.TXT: "What was said, for people",
    Track.Kind.SRT: "What was said, as subtitles",
    Track.Kind.VTT: "What was said, as subtitles",
    Track.Kind.JSON: "Everything found: figures, models, and what else the task tells",
}
SPOKEN = (Track.Kind.TRANSCRIPT, Track.Kind.TXT, Track.Kind.SRT, Track.Kind.VTT)
SOUNDS = {"denoising": "The recording with less noise", "stems": "A stem of the recording"}
OTHERWISE = "Retry. If it fails again, tell whoever runs this server the number of this job."


def advice(code: str) -> str:
    return ADVICE.get(code, OTHERWISE)


def refusal(error: JobError) -> str:
    """A request that was refused: what happened, what was not lost, what to do."""
    return f"{error.message} {KEPT[False]} {advice(error.code)}"


def too_dear(short: InsufficientCredits) -> str:
    return f"This costs {short.required:,} credits; you have {short.available:,}."


def failure(job: Job) -> tuple[str, str, str]:
    """The same three for a job that failed; of "it failed" the reason, where there is one."""
    return job.error_details.get("reason") or job.error_message, KEPT[job.media_id is not None], advice(job.error_code)


def contents(track: Track, job: Job, cards: Sequence[Card]) -> str:
    """What a file of a job is."""
    if track.kind != Track.Kind.AUDIO:
        corrected = track.kind in SPOKEN and job.transcript_versions.exists()
        return f"{CONTENTS[track.kind]}{', before it was corrected' if corrected else ''}"
    if track.speaker is not None:
        return next((f"{card.name} alone" for card in cards if card.number == track.speaker), "One speaker alone")
    return SOUNDS.get(job.task, "A part of the recording")


def history(events: Iterable[JobEvent]) -> list[tuple[JobEvent, str]]:
    """The entries of a job's history, each with its words."""
    told, before = [], ""
    for event in events:
        told.append((event, _happened(event, before)))
        before = event.data["status"]
    return told


def _happened(event: JobEvent, before: str) -> str:
    status = event.data["status"]
    if status == Status.PENDING:
        return "Back in the queue, to be fetched again" if before else "Submitted"
    if status == Status.QUEUED:
        return "Back in the queue, to be started again" if before == Status.RUNNING else "In the queue"
    if status == Status.RUNNING:
        return "Started"
    if status == Status.FAILED:
        message = event.data["error_message"]
        return message if message.startswith("Failed") else f"Failed: {message}"
    return STATUS_WORDS[status]
