"""What is asked of strangers' servers: a recording fetched from a user's URL, an event posted to one.

Every connection, that of each redirect too, goes through dialling.py.
"""

from __future__ import annotations

import http.client
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urljoin

from django.conf import settings

from audio_engine.playlists import playlist_format

from .dialling import Connection, bounded, check_address, host_of, request_target, resolve, split
from .errors import JobError

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes received and, where the server tells, the bytes to come in all. May raise to stop."""

AGENT = "Soloist"
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
EXCERPT_SECONDS = 2.0
CHUNK = 1 << 16
LARGEST_LIST = 1_000_000  # bytes
PAGE_TYPES = ("text/html", "application/xhtml+xml", "application/dash+xml")
PAGE_STARTS = (b"<!doctype html", b"<html", b"<head")
LIST_TYPES = (
    *("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"),
    *("audio/x-scpls", "application/pls+xml", "application/xspf+xml", "application/rss+xml", "application/atom+xml"),
)
PIECES = b"#EXT-X-"  # of HLS, RFC 8216: each of its lists has such a tag, and no other list has

# Hosts whose addresses name a page with a player. Their media come from other hosts.
VIDEO_SITES = (
    *("youtube.com", "youtu.be", "youtube-nocookie.com", "vimeo.com", "player.vimeo.com", "dailymotion.com", "dai.ly"),
    *("twitch.tv", "clips.twitch.tv", "tiktok.com", "vm.tiktok.com", "instagram.com", "facebook.com", "fb.watch"),
    *("twitter.com", "x.com", "bilibili.com", "b23.tv", "soundcloud.com", "open.spotify.com", "rumble.com"),
)
SITE_PREFIXES = ("www.", "m.", "mobile.", "music.", "on.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a POST, with the beginning of its body."""

    status: int
    retry_after: str
    excerpt: bytes


def check_url(url: str) -> None:
    """What can be said about a recording's URL without asking the network. Raises JobError."""
    if is_site(url) and not settings.EXTRACTORS:
        raise JobError("URL_NEEDS_EXTRACTOR", details={"host": host_of(split(url))})
    check_address(url)


def is_site(url: str) -> bool:
    """Whether the URL names a page of a video site, as far as its host says. Raises JobError."""
    return _site(host_of(split(url))) in VIDEO_SITES


def download(
    url: str, target: Path, *, wanted: Callable[[], bool] = lambda: True, on_bytes: OnBytes | None = None
) -> None:
    """Fetch `url` into the file `target`, within the configured time and size. Raises JobError, OSError of the disk.

    Ends with URL_UNREACHABLE within moments of the file being not `wanted` any more.
    """
    deadline = time.monotonic() + settings.FETCH_TIMEOUT
    for _ in range(MOST_REDIRECTS + 1):
        check_url(url)
        parts = split(url)
        connection = Connection(parts, resolve(parts), deadline)
        with _as_job_errors(parts), bounded(connection, deadline, wanted), _ask(connection, parts) as response:
            if response.status not in REDIRECTS:
                return _save(response, target, on_bytes)
            url = urljoin(url, response.headers.get("Location") or "")
    raise JobError("URL_UNREACHABLE", f"The address redirects more than {MOST_REDIRECTS} times.")


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, excerpt: int) -> Answer:
    """Send `body` and return what the server says within `seconds`, with so many bytes of its answer.

    No redirect is followed. Raises JobError where the address is not allowed or has no server; TimeoutError,
    ssl.SSLError, http.client.HTTPException and ConnectionError as the connection does.
    """
    deadline = time.monotonic() + seconds
    check_address(url)
    parts = split(url)
    connection = Connection(parts, resolve(parts), deadline)
    with bounded(connection, deadline, wanted=lambda: True):
        connection.request("POST", request_target(parts), body, {"User-Agent": AGENT, **headers})
        response = connection.getresponse()
        return Answer(
            response.status, response.headers.get("Retry-After", ""), _beginning(connection, response, excerpt)
        )


def _site(host: str) -> str:
    for prefix in SITE_PREFIXES:
        host = host.removeprefix(prefix)
    return host


# --- talking to the server


def _ask(connection: Connection, parts: SplitResult) -> http.client.HTTPResponse:
    headers = {"User-Agent": AGENT, "Accept": "audio/*, video/*, */*;q=0.5", "Accept-Encoding": "identity"}
    connection.request("GET", request_target(parts), headers=headers)
    return connection.getresponse()


def _beginning(connection: Connection, response: http.client.HTTPResponse, most: int) -> bytes:
    """As much as comes at once: the status is known, and what a server drips is not worth waiting for."""
    assert connection.wire is not None
    connection.wire.settimeout(EXCERPT_SECONDS)
    until = time.monotonic() + EXCERPT_SECONDS
    read = b""
    with suppress(OSError, http.client.HTTPException):
        while len(read) < most and time.monotonic() < until and (chunk := response.read1(most - len(read))):
            read += chunk
    return read


@contextmanager
def _as_job_errors(parts: SplitResult) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise JobError("URL_UNREACHABLE", f"The certificate of {parts.hostname} is not valid.") from error
    except TimeoutError as error:
        raise JobError("URL_UNREACHABLE", f"{parts.hostname} did not answer in time.") from error
    except (ConnectionError, ssl.SSLError, http.client.HTTPException, zlib.error, UnicodeError) as error:
        raise JobError("URL_UNREACHABLE", f"The connection to {parts.hostname} failed.") from error


def _save(response: http.client.HTTPResponse, target: Path, on_bytes: OnBytes | None) -> None:
    _check_answer(response)
    total = response.length
    received = 0
    with target.open("wb") as out:
        chunks = _body(response)
        for chunk in chunks:
            if not received:
                _check_beginning(chunk, response.headers.get_content_type(), chunks)
            received += len(chunk)
            if received > settings.MAX_DOWNLOAD_BYTES:
                raise _too_large()
            out.write(chunk)
            if on_bytes:
                on_bytes(received, total)
    if response.length:
        raise ConnectionError(f"{response.length} bytes are missing")


def _check_beginning(beginning: bytes, content_type: str, rest: Iterator[bytes]) -> None:
    """Raises JobError for a page, and for a list: of several recordings, or of the pieces of one."""
    if beginning.lstrip()[:16].lower().startswith(PAGE_STARTS):
        raise JobError("URL_NOT_MEDIA")
    if content_type not in LIST_TYPES and playlist_format(beginning) is None:
        return
    whole = beginning
    while PIECES not in whole and len(whole) < LARGEST_LIST and (chunk := next(rest, b"")):
        whole += chunk
    if PIECES in whole:
        raise JobError("URL_NOT_MEDIA")
    raise JobError("URL_PLAYLIST")


def _check_answer(response: http.client.HTTPResponse) -> None:
    if response.status != 200:
        details = {"http_status": response.status}
        raise JobError("URL_UNREACHABLE", f"The server answered with status {response.status}.", details=details)
    if response.headers.get_content_type() in PAGE_TYPES:
        raise JobError("URL_NOT_MEDIA")
    if response.length is not None and response.length > settings.MAX_DOWNLOAD_BYTES:
        raise _too_large()


def _too_large() -> JobError:
    return JobError("FILE_TOO_LARGE", f"The file is larger than {settings.MAX_DOWNLOAD_BYTES // 1_000_000} MB.")


def _body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes in, small at a time even where a little unpacks to a lot."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        while chunk := response.read1(CHUNK):
            yield chunk
    elif encoding in ("gzip", "x-gzip", "deflate"):  # against our Accept-Encoding, but some do
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        while packed := response.read1(CHUNK):
            while packed and not unpack.eof:
                if chunk := unpack.decompress(packed, CHUNK):
                    yield chunk
                packed = unpack.unconsumed_tail
    else:
        raise JobError("URL_UNREACHABLE", f"The server sent the file compressed as {encoding[:40]}.")
