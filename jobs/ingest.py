"""Recordings on their way in: what is this file, may it come in, and under which name is it shown."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from accounts.models import User
from audio_engine.types import MediaInfo

from . import dialling, files, outbound, sites
from .errors import ERRORS, JobError
from .models import Media, Upload

PROBE_SECONDS = 180  # a gigabyte of packets takes far less
PROBE_MEMORY = 2 << 30  # bytes of address space, most of which is libraries
LOOK_SECONDS = 20.0
LOOK_BYTES = 4_000_000
LONGEST_NAME = 255
UNUSED_LIFE = timedelta(hours=24)  # of a recording without a job; housekeeping removes it an hour later
MOST_UNUSED_UPLOADS = 20  # of the largest size, for each account
NAMELESS = "recording"

T = TypeVar("T")


def take_upload(owner: User, local: Path, name: str, **columns: Any) -> Media:
    """Store a recording, which is at `local` and may be gone then, under the user's own name for it. Raises JobError,
    and IntegrityError where `columns` has the uuid of a recording that is here already.
    """
    return _take(owner, local, name, **columns)


def fetch(
    owner: User,
    url: str,
    name: str,
    *,
    wanted: Callable[[], bool] = lambda: True,
    on_seconds: Callable[[float], None] = lambda _seconds: None,
    on_bytes: outbound.OnBytes | None = None,
) -> Media:
    """Fetch a recording from its URL, or from the site whose page that names, and store it.

    `on_seconds` is told how long the recording is where its site says so before it is fetched; it and `on_bytes` may
    raise to stop. Raises JobError, also where the recording is not `wanted` any more.
    """
    with files.scratch() as folder:
        local = folder / "download"
        with files.disk_errors():
            title = _bring(url, local, wanted, on_seconds, on_bytes)
        return _take(owner, local, title or name, source_url=url)


def _bring(
    url: str,
    local: Path,
    wanted: Callable[[], bool],
    on_seconds: Callable[[float], None],
    on_bytes: outbound.OnBytes | None,
) -> str:
    """The recording, as `local`; returns the title that a site gives it."""

    def on_found(found: sites.Found) -> None:
        if found.seconds:
            check_length(found.seconds)
            on_seconds(found.seconds)

    def from_site() -> str:
        return sites.download(url, local, wanted=wanted, on_found=on_found, on_bytes=on_bytes or _ignore).title

    def from_link() -> str:
        outbound.download(url, local, wanted=wanted, on_bytes=on_bytes)
        return ""

    return _by_link_or_site(url, from_link, from_site)


def _by_link_or_site(url: str, from_link: Callable[[], T], from_site: Callable[[], T]) -> T:
    """By its site where the host is known as one's, else by what the link gives, unless that is a page."""
    if outbound.is_site(url):
        return from_site()
    try:
        return from_link()
    except JobError as error:
        if error.code != "URL_NOT_MEDIA" or not settings.EXTRACTORS:
            raise
        page = error
    try:
        return from_site()
    except JobError as error:
        raise (page if error.code == "URL_NEEDS_EXTRACTOR" else error) from error


def _ignore(_received: int, _total: int | None) -> None: ...


def stored(owner: User, uuid: UUID) -> Media:
    """A recording of the owner's, to be used. Raises JobError MEDIA_NOT_FOUND, for others' and for old unused ones too.

    To be called in a transaction, before whose end nobody can remove it.
    """
    media = Media.objects.filter(owner=owner, uuid=uuid).select_for_update(of=("self",)).first()
    if media is None or (media.created_at < timezone.now() - UNUSED_LIFE and not media.jobs.exists()):
        raise JobError("MEDIA_NOT_FOUND")
    return media


def check_room(owner: User, size: int) -> None:
    """Raises JobError UPLOADS_FULL where the account's unused recordings, with those on their way, would take too much
    room.
    """
    unused = Media.objects.filter(owner=owner, jobs=None).aggregate(bytes=Sum("bytes"))["bytes"] or 0
    open_uploads = Upload.objects.filter(
        owner=owner, offset__lt=F("length"), created_at__gt=timezone.now() - UNUSED_LIFE
    )
    expected = open_uploads.aggregate(bytes=Sum("length"))["bytes"] or 0
    limit = max(MOST_UNUSED_UPLOADS * settings.MAX_UPLOAD_BYTES, settings.MAX_RESUMABLE_BYTES)
    if unused + expected + size > limit:
        raise JobError("UPLOADS_FULL", details={"limit_bytes": limit, "used_bytes": unused + expected})


def remove(owner: User, uuid: UUID) -> None:
    """Remove a recording that no job uses. Raises JobError MEDIA_NOT_FOUND, MEDIA_IN_USE."""
    with transaction.atomic():
        media = stored(owner, uuid)
        if media.jobs.exists():
            raise JobError("MEDIA_IN_USE")
        media.delete()
    files.delete(media.file)


def forget_older(media: Media) -> None:
    """Remove the recordings that a newer one of the same key replaces, but for those that jobs use."""
    for older in Media.objects.filter(owner=media.owner, key=media.key, pk__lt=media.pk):
        with suppress(JobError):
            remove(media.owner, older.uuid)


def discard(media: Media) -> None:
    """Remove a recording that no job came to use."""
    files.delete(media.file)
    media.delete()


def display_name(name: str) -> str:
    """A user's name for a file, harmless to show: no folders, no invisible characters, none that reverse the text."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    visible = "".join(char for char in unicodedata.normalize("NFC", last) if _visible(char))
    return visible.strip()[:LONGEST_NAME] or NAMELESS


def name_of(url: str) -> str:
    """What to call the recording at a URL: its last path segment, else its host. Raises JobError INVALID_URL."""
    parts = dialling.split(url)
    segment = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return display_name(segment or parts.hostname or "")


def _take(owner: User, local: Path, name: str, **columns: Any) -> Media:
    info = probe(local)
    check_length(info.seconds)
    size = local.stat().st_size
    with files.disk_errors():
        stored = files.store_media(local, move=True)
    try:
        with transaction.atomic():
            return Media.objects.create(
                owner=owner,
                file=stored,
                name=display_name(name),
                bytes=size,
                seconds=info.seconds,
                container=info.container,
                codec=info.codec,
                sample_rate=info.sample_rate,
                channels=info.channels,
                **columns,
            )
    except IntegrityError:
        files.delete(stored)
        raise


def check_length(seconds: float) -> None:
    """Raises JobError AUDIO_TOO_LONG."""
    limit = settings.MAX_AUDIO_SECONDS
    if seconds > limit:
        message = f"The recording is {_duration(seconds)} long; at most {_duration(limit)} are allowed."
        raise JobError("AUDIO_TOO_LONG", message, details={"seconds": round(seconds, 1), "limit": limit})


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _visible(char: str) -> bool:
    return not unicodedata.category(char).startswith("C") and char not in "\u2028\u2029"


# --- a look at the beginning of a file that is still elsewhere


class _Enough(Exception):
    def __init__(self, received: int, total: int | None) -> None:
        self.received, self.total = received, total


def length_of(url: str) -> tuple[float, bool]:
    """How many seconds the recording at a URL has, and whether that is exact: of a large file, the beginning tells.

    A site's word counts as exact. Raises JobError, LENGTH_UNKNOWN where nothing says how long the rest is.
    """
    return _by_link_or_site(url, partial(_length_of_file, url), partial(_length_on_site, url))


def _length_on_site(url: str) -> tuple[float, bool]:
    found = sites.look(url, LOOK_SECONDS)
    if not found.seconds:
        raise JobError("LENGTH_UNKNOWN", "The site does not say how long the recording is; give its seconds.")
    return found.seconds, True


def _length_of_file(url: str) -> tuple[float, bool]:
    deadline = time.monotonic() + LOOK_SECONDS
    with files.scratch() as folder:
        local = folder / "beginning"
        try:
            with files.disk_errors():
                outbound.download(url, local, wanted=lambda: time.monotonic() < deadline, on_bytes=_stop_early)
            return probe(local).seconds, True
        except _Enough as part:
            if part.total is None or part.total <= part.received:  # or it came compressed
                raise JobError("LENGTH_UNKNOWN") from part
            return _probe_beginning(local) * part.total / part.received, False


def _stop_early(received: int, total: int | None) -> None:
    if received >= LOOK_BYTES and received != total:
        raise _Enough(received, total)


def _probe_beginning(local: Path) -> float:
    try:
        return probe(local).seconds
    except JobError as error:  # as where the index comes at the file's end
        raise JobError("LENGTH_UNKNOWN", details={"reason": error.message}) from error


# --- a look at the file, by a process that may crash or be killed


def probe(local: Path) -> MediaInfo:
    """What a recording is. Raises JobError."""
    answer = _ask_engine(local)
    if "error" in answer:
        raise _refusal(answer["error"])
    return MediaInfo(**answer)


def _ask_engine(local: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "audio_engine", "probe", str(local), "--json"]
    with subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=environment(threads=1),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        _limit(process.pid)
        try:
            out, _ = process.communicate(timeout=PROBE_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise _unreadable(f"after {PROBE_SECONDS} s") from error
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError as error:  # it was killed before it could answer
        raise _unreadable(f"exit status {process.returncode}") from error
    return answer


def _limit(pid: int) -> None:
    if sys.platform == "linux":
        resource.prlimit(pid, resource.RLIMIT_AS, (PROBE_MEMORY, PROBE_MEMORY))
        resource.prlimit(pid, resource.RLIMIT_CPU, (PROBE_SECONDS, PROBE_SECONDS))


def environment(threads: int) -> dict[str, str]:
    """For a process that reads what strangers send: without the server's secrets. `threads` 0 is a library's choice."""
    kept = {name: value for name, value in os.environ.items() if name not in settings.VARIABLE_NAMES}
    kept |= {"SOLOIST_MODELS_DIR": str(settings.MODELS_DIR), "SOLOIST_DEVICE": settings.DEVICE}
    return kept | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


def _refusal(error: dict[str, Any]) -> JobError:
    code = error["code"] if error["code"] in ERRORS else "INVALID_AUDIO_FORMAT"
    return JobError(code, error["message"], details=error.get("details"))


def _unreadable(how: str) -> JobError:
    return JobError("INVALID_AUDIO_FORMAT", "This file could not be read.", details={"reason": f"Gave up: {how}."})
