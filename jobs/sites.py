"""Recordings on video sites, by yt-dlp: in a process of its own (extracting.py), whose only way out is our proxy."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from . import files
from .dialling import check_address
from .errors import JobError
from .proxying import CheckedProxy, checked_proxy

PROGRAM = Path(__file__).with_name("extracting.py")
WATCH_SECONDS = 0.2
OVERHEAD_BYTES = 64_000_000  # pages, scripts and lists of pieces around a recording
KINDS = {
    "playlist": "URL_PLAYLIST",
    "live": "URL_LIVE",
    "restricted": "URL_RESTRICTED",
    "unsupported": "URL_NEEDS_EXTRACTOR",
    "too_large": "FILE_TOO_LARGE",
    "disk_full": "DISK_FULL",
    "failed": "EXTRACTION_FAILED",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A recording as its site describes it, as far as it does."""

    seconds: float | None
    bytes: int | None
    title: str


def look(url: str, seconds: float) -> Found:
    """What a site says of the recording at `url`, within so many seconds. Raises JobError."""
    deadline = time.monotonic() + seconds
    with files.scratch() as folder, _extracting(url, folder, deadline) as process:
        return process.found(lambda: True)


def download(
    url: str,
    target: Path,
    *,
    wanted: Callable[[], bool],
    on_found: Callable[[Found], None],
    on_bytes: Callable[[int, int | None], None],
) -> Found:
    """Fetch the recording at `url` into the file `target`, within the configured time and size. Raises JobError.

    `on_found` and `on_bytes` may raise to stop it; `on_found` is called before any of the recording is fetched.
    """
    deadline = time.monotonic() + settings.FETCH_TIMEOUT
    with files.scratch() as folder, _extracting(url, folder, deadline) as process:
        found = process.found(wanted)
        if found.bytes and found.bytes > settings.MAX_DOWNLOAD_BYTES:
            raise _too_large()
        on_found(found)
        process.fetch(wanted, on_bytes)
        (folder / "recording").rename(target)
    return found


class _Process:
    """extracting.py at work, watched."""

    def __init__(self, running: subprocess.Popen[str], proxy: CheckedProxy, folder: Path, deadline: float) -> None:
        self._running = running
        self._proxy = proxy
        self._folder = folder
        self._deadline = deadline
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, line: str) -> None:
        assert self._running.stdin
        with suppress(BrokenPipeError):  # it ended: what it said before tells why
            self._running.stdin.write(line + "\n")
            self._running.stdin.flush()

    def found(self, wanted: Callable[[], bool]) -> Found:
        told = self._next(wanted)
        return Found(told["seconds"], told["bytes"], told["title"])

    def fetch(self, wanted: Callable[[], bool], on_bytes: Callable[[int, int | None], None]) -> None:
        self.tell("go on")
        while (told := self._next(wanted))["event"] == "progress":
            on_bytes(told["received"], told["total"])

    def _next(self, wanted: Callable[[], bool]) -> dict[str, Any]:
        """What it says next. Raises JobError."""
        while True:
            told = self._heard()
            if time.monotonic() > self._deadline or not wanted():  # what came by then may look complete
                raise JobError("URL_UNREACHABLE", "The site did not answer in time.")
            if self._proxy.overrun or _bytes_in(self._folder) > settings.MAX_DOWNLOAD_BYTES:
                raise _too_large()
            if told and told["event"] == "refused":
                raise self._failure(told)
            if told:
                return told

    def _heard(self) -> dict[str, Any] | None:
        """None where it says nothing for a moment."""
        try:
            return self._told.get(timeout=WATCH_SECONDS)
        except queue.Empty:
            return None

    def _failure(self, told: dict[str, Any]) -> JobError:
        if self._proxy.overrun or told["kind"] == "too_large":
            return _too_large()
        if self._proxy.refusal and told["kind"] in ("failed", "http"):  # what kept it from going on
            return self._proxy.refusal
        if told["kind"] == "http":
            status = told["status"]
            details = {"http_status": status}
            return JobError("URL_UNREACHABLE", f"The server answered with status {status}.", details=details)
        reason = {"reason": told["reason"]} if told.get("reason") else {}
        return JobError(KINDS[told["kind"]], details=reason)

    def _listen(self) -> None:
        assert self._running.stdout
        with suppress(ValueError):  # not JSON, or closed
            for line in self._running.stdout:
                self._told.put(json.loads(line))
        self._told.put({"event": "refused", "kind": "failed", "reason": "The program that fetches from sites ended."})


@contextmanager
def _extracting(url: str, folder: Path, deadline: float) -> Iterator[_Process]:
    check_address(url)
    with checked_proxy(settings.MAX_DOWNLOAD_BYTES + OVERHEAD_BYTES, deadline) as proxy, _started(folder) as running:
        process = _Process(running, proxy, folder, deadline)
        wanted = {
            "url": url.strip(),
            "proxy": proxy.url,
            "proxy_port": proxy.port,
            "extractors": settings.EXTRACTORS,
            "folder": str(folder),
            "data_dir": str(settings.DATA_DIR),
            "most_bytes": settings.MAX_DOWNLOAD_BYTES,
            "most_seconds": settings.FETCH_TIMEOUT,
        }
        process.tell(json.dumps(wanted))
        yield process


@contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """In a session of its own, with neither our environment nor our folders, and gone afterwards."""
    with subprocess.Popen(
        [sys.executable, "-I", "-B", PROGRAM],
        cwd=folder,
        env={"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "YTDLP_NO_PLUGINS": "1", "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            with suppress(BrokenPipeError):
                running.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for above


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # renamed or removed meanwhile
            total += path.stat().st_size
    return total


def _too_large() -> JobError:
    return JobError("FILE_TOO_LARGE", f"The file is larger than {settings.MAX_DOWNLOAD_BYTES // 1_000_000} MB.")
