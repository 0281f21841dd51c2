"""A program, run by sites.py: has yt-dlp say what is at an address and, once told to go on, fetch it.

It is given strangers' pages, so it gets little to do harm with: no environment, a folder of its own, and from its first
line on no connection but to the proxy of its parent, no other program, no file of the server's. It knows none of our
code. A JSON object on standard input says what to do; one on each line of standard output says what comes of it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

MEMORY = 2 << 30  # bytes of address space
OPEN_FILES = 256
FILE_NAME = "recording"
LONGEST_TEXT = 300
LARGEST_LIST = 16 << 20
REPORT_SECONDS = 0.5
SOCKET_SECONDS = 15
PR_SET_PDEATHSIG = 1
LIVE = ("is_live", "is_upcoming", "post_live")
RESTRICTED = re.compile(
    r"private|log(ged)?[ -]?in|sign in|registered|subscri|members|\bage\b|password|cookies|not available in your|geo",
    re.IGNORECASE,
)
PROGRAMS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
ELSEWHERE = ("socket.bind", "socket.sendto", "socket.sendmsg", "socket.gethostbyname", "socket.gethostbyaddr")


class Refusal(Exception):
    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.details = details


# --- what it may not do


def lock_up(folder: Path, data_dir: Path, proxy_port: int, most_bytes: int, seconds: int) -> None:
    """Take from this process what it does not need, for good."""
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: most_bytes + 1,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))
    own, servers = f"{folder.resolve()}{os.sep}", f"{data_dir.resolve()}{os.sep}"

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and arguments[1] != ("127.0.0.1", proxy_port):
            raise PermissionError(errno.EACCES, "no connection but to the proxy")
        if event == "socket.getaddrinfo" and arguments[0] != "127.0.0.1":
            raise PermissionError(errno.EACCES, "the proxy looks names up")
        if event in ELSEWHERE or event in PROGRAMS:
            raise PermissionError(errno.EACCES, f"no {event}")
        if event == "open" and isinstance(arguments[0], str | bytes):
            check_file(os.path.realpath(os.fsdecode(arguments[0])), arguments[2])

    def check_file(path: str, flags: int) -> None:
        if path.startswith(own) or path == os.devnull:
            return
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or path.startswith(servers):
            raise PermissionError(errno.EACCES, "not this program's file", path)

    sys.addaudithook(watch)


def die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# --- what it does


def options(wanted: dict[str, Any], folder: Path, on_progress: Any) -> dict[str, Any]:
    return {
        "proxy": wanted["proxy"],
        "allowed_extractors": [re.escape(name.lower()) + "(:.*)?" for name in wanted["extractors"]],
        # one recording, its sound where that comes alone
        "noplaylist": True,
        "playlist_items": "1",
        "extract_flat": "in_playlist",
        "format": "bestaudio/best",
        # into this folder, under a name of ours, and nothing besides
        "paths": {"home": str(folder)},
        "outtmpl": {"default": FILE_NAME},
        "overwrites": True,
        "continuedl": False,
        "updatetime": False,
        "cachedir": False,
        "fixup": "never",
        "postprocessors": [],
        # by this program alone
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "js_runtimes": {},
        "remote_components": [],
        "ffmpeg_location": os.devnull,
        "enable_file_urls": False,
        "usenetrc": False,
        "skip_unavailable_fragments": False,
        "socket_timeout": SOCKET_SECONDS,
        "retries": 2,
        "fragment_retries": 2,
        "extractor_retries": 1,
        "max_filesize": wanted["most_bytes"],
        "progress_hooks": [on_progress],
        "logger": Silence(),
        "quiet": True,
        "noprogress": True,
        "color": "never",
    }


class Silence:
    """Errors come as exceptions; the rest is for people at a terminal."""

    def debug(self, _message: str) -> None: ...

    def warning(self, _message: str) -> None: ...

    def error(self, _message: str) -> None: ...


def tell(event: str, **details: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **details}) + "\n")
    sys.stdout.flush()


def look(downloader: Any, url: str) -> dict[str, Any]:
    """What is at the address. Raises Refusal for what is not one recording that can be had whole."""
    found = downloader.extract_info(url, download=False)
    if not found:
        raise Refusal("unsupported")
    if found.get("_type", "video") != "video" or "entries" in found:
        raise Refusal("playlist")
    if found.get("direct") and found.get("webpage_url") == url:
        raise Refusal("unsupported")  # the page itself, taken for a recording
    if found.get("is_live") or found.get("live_status") in LIVE:
        raise Refusal("live")
    if not found.get("duration") and str(found.get("protocol")).startswith("m3u8"):
        return {**found, "duration": length_of_list(downloader, found)}
    return dict(found)


def length_of_list(downloader: Any, found: dict[str, Any]) -> float:
    """Seconds of a recording in pieces, from their list. Raises Refusal for what goes on or lists recordings."""
    from yt_dlp.networking import Request

    listed = downloader.urlopen(Request(found["url"], headers=found.get("http_headers") or {})).read(LARGEST_LIST)
    if b"#EXT-X-" not in listed:  # as every list of pieces has (RFC 8216): yt-dlp took a playlist for a list of such
        raise Refusal("playlist")
    if b"#EXT-X-ENDLIST" not in listed:
        raise Refusal("live")
    return sum(float(seconds) for seconds in re.findall(rb"#EXTINF:(\d+(?:\.\d+)?)", listed))


def size_of(found: dict[str, Any]) -> int | None:
    size = found.get("filesize") or found.get("filesize_approx")
    return int(size) if size else None


def report() -> Any:
    """A hook that tells progress now and then."""
    last = 0.0

    def on_progress(state: dict[str, Any]) -> None:
        nonlocal last
        if state["status"] == "downloading" and time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            total = state.get("total_bytes") or state.get("total_bytes_estimate")
            tell("progress", received=state.get("downloaded_bytes") or 0, total=int(total) if total else None)

    return on_progress


def work(wanted: dict[str, Any], folder: Path) -> None:
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import YoutubeDLError

    try:
        with YoutubeDL(options(wanted, folder, report())) as downloader:
            found = look(downloader, wanted["url"])
            seconds, title = found.get("duration"), str(found.get("title") or "")[:LONGEST_TEXT]
            tell("found", seconds=float(seconds) if seconds else None, bytes=size_of(found), title=title)
            if not sys.stdin.readline():  # nobody wants it
                return
            downloader.process_ie_result(downloader.sanitize_info(found, remove_private_keys=True), download=True)
    except (YoutubeDLError, OSError) as error:
        raise as_refusal(error) from error
    if not (folder / FILE_NAME).is_file():
        raise Refusal("too_large")  # the one reason for which yt-dlp leaves something out without a word


def as_refusal(error: BaseException) -> Refusal:
    from yt_dlp.networking.exceptions import HTTPError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

    causes = list(causes_of(error))
    text = next((str(cause.orig_msg) for cause in causes if hasattr(cause, "orig_msg")), str(error))
    reason = " ".join(text.removeprefix("ERROR: ").split())[:LONGEST_TEXT]
    if any(isinstance(cause, OSError) and cause.errno == errno.EFBIG for cause in causes):
        return Refusal("too_large")
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes):
        return Refusal("disk_full")
    if any(isinstance(cause, UserNotLive) for cause in causes) or "live event" in reason:
        return Refusal("live", reason=reason)
    if any(isinstance(cause, UnsupportedError) for cause in causes) or "No suitable extractor" in reason:
        return Refusal("unsupported")
    if any(isinstance(cause, GeoRestrictedError) for cause in causes) or RESTRICTED.search(reason):
        return Refusal("restricted", reason=reason)
    statuses = [cause.status for cause in causes if isinstance(cause, HTTPError)]
    if statuses:
        return Refusal("http", status=statuses[0])
    return Refusal("failed", reason=reason)


def causes_of(error: BaseException | None) -> Any:
    """An error and what led to it; yt-dlp keeps its own errors beside Python's chain."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        kept = getattr(current, "exc_info", None) or (None, None)
        waiting += [kept[1], getattr(current, "cause", None), current.__cause__, current.__context__]


def main() -> None:
    die_with_parent()
    wanted = json.loads(sys.stdin.readline())
    folder = Path(wanted["folder"])
    lock_up(folder, Path(wanted["data_dir"]), wanted["proxy_port"], wanted["most_bytes"], wanted["most_seconds"])
    try:
        work(wanted, folder)
        tell("done")
    except Refusal as refusal:
        tell("refused", kind=refusal.kind, **refusal.details)


if __name__ == "__main__":
    main()
