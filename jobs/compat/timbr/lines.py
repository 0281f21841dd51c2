"""Subtitles that are sent to be given speakers: kept as a file under their id and their owner's, for about a day.

Housekeeping takes such a folder for one that no row knows and removes it; what a job needs of it is in the job by then.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from uuid import UUID

from django.core.files.storage import default_storage

from accounts.models import User
from audio_engine.errors import EngineError
from audio_engine.transcription.subtitles import decoded, parse_srt
from jobs import files
from jobs.errors import JobError

LARGEST = 500_000  # bytes; those of a long film have a fifth of it


def are_lines(local: Path) -> bool:
    """Whether a file holds subtitles; a recording does not."""
    if local.stat().st_size > LARGEST:
        return False
    try:
        return bool(parse_srt(decoded(local.read_bytes())))
    except EngineError:
        return False


def keep(owner: User, file_id: UUID, local: Path) -> None:
    with files.disk_errors():
        files.store(local, _place(owner, file_id))


def kept(owner: User, file_id: UUID) -> bool:
    return default_storage.exists(str(_place(owner, file_id)))


def of(owner: User, file_id: UUID) -> list[tuple[float, float, str]]:
    """Start and end in seconds and the text of each line. Raises JobError MEDIA_NOT_FOUND, for other people's too."""
    try:
        with default_storage.open(str(_place(owner, file_id)), "rb") as file:
            found = parse_srt(decoded(file.read()))
    except FileNotFoundError as error:
        raise JobError("MEDIA_NOT_FOUND") from error
    return [
        (line.start, line.end, line.text.replace("\0", "")) for line in found
    ]  # which PostgreSQL's JSON cannot hold


def _place(owner: User, file_id: UUID) -> PurePosixPath:
    return PurePosixPath("media", str(file_id), f"{owner.pk}.srt")
