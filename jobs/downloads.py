"""Links to stored files that need no sign-in and expire: the bucket's own on S3, else our view's, signed by us."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.crypto import salted_hmac
from django.utils.http import content_disposition_header, quote_etag
from django.views.decorators.http import require_safe

from . import files, ranges
from .errors import JobError
from .models import Media, Track
from .streaming import Chunks, streamed

SALT = "jobs.downloads"
CHUNK = 1 << 18
TRACK_TYPES: dict[str, str] = {
    Track.Kind.AUDIO: "audio/wav",
    Track.Kind.RTTM: "text/plain; charset=utf-8",
    Track.Kind.JSON: "application/json",
    Track.Kind.CONFIDENCE: "application/json",
    Track.Kind.TRANSCRIPT: "application/json",
    Track.Kind.TXT: "text/plain; charset=utf-8",
    Track.Kind.SRT: "application/x-subrip; charset=utf-8",
    Track.Kind.VTT: "text/vtt; charset=utf-8",
}
RECORDING_TYPES: dict[str, str] = {  # by FFmpeg's name of the container
    "wav": "audio/wav",
    "w64": "audio/wav",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "aiff": "audio/aiff",
    "mov,mp4,m4a,3gp,3g2,mj2": "video/mp4",
    "matroska,webm": "video/webm",
}
KINDS: dict[str, type[Track] | type[Media]] = {"track": Track, "media": Media}


def track_url(track: Track, request: Any = None, *, inline: bool = False) -> str:
    """Where to get a track without signing in, for LINK_SECONDS. `inline` for a player, else it is saved."""
    return _url(track, request, inline)


def media_url(media: Media, request: Any = None, *, inline: bool = False) -> str:
    """The same for a recording as it was sent."""
    return _url(media, request, inline)


def page_link(stored: Track | Media, *, inline: bool) -> str:
    """The same for our own pages, which load from nowhere else, by whatever name of the server they were opened."""
    return _path(stored, inline) if files.local() else _presigned(stored, inline)


def _url(stored: Track | Media, request: Any, inline: bool) -> str:
    if not files.local():
        return _presigned(stored, inline)
    path = _path(stored, inline)
    if settings.PUBLIC_URL or request is None:
        return f"{settings.PUBLIC_URL}{path}"
    return str(request.build_absolute_uri(path))


def _path(stored: Track | Media, inline: bool) -> str:
    kind = "track" if isinstance(stored, Track) else "media"
    token = signing.dumps([kind, stored.pk, inline], salt=SALT)
    return reverse("file", args=[token, stored.name if isinstance(stored, Track) else "recording"])


def _presigned(stored: Track | Media, inline: bool) -> str:
    answer = {"ResponseContentDisposition": _disposition(stored, inline), "ResponseContentType": content_type(stored)}
    return str(default_storage.url(stored.file, parameters=answer, expire=settings.LINK_SECONDS))  # type: ignore[call-arg]  # S3's


def content_type(stored: Track | Media) -> str:
    if isinstance(stored, Track):
        return TRACK_TYPES[stored.kind]
    return RECORDING_TYPES.get(stored.container, "application/octet-stream")


def _disposition(stored: Track | Media, inline: bool) -> str:
    return str(content_disposition_header(not inline, stored.name))


# --- the view behind our own links


@require_safe
def file(request: HttpRequest, token: str, name: str) -> HttpResponseBase:  # noqa: ARG001 - see below
    """`name` is for those who save by the address; what is sent is in the token."""
    try:
        kind, pk, inline = signing.loads(token, salt=SALT, max_age=settings.LINK_SECONDS)
        return send(request, KINDS[kind].objects.filter(pk=pk).first(), inline)
    except signing.SignatureExpired:
        refusal = JobError("LINK_EXPIRED")
    except signing.BadSignature:
        refusal = JobError("LINK_INVALID")
    except FileNotFoundError:
        refusal = JobError("FILE_NOT_FOUND")
    return JsonResponse(refusal.body(), status=refusal.status)


def send(request: HttpRequest, stored: Track | Media | None, inline: bool) -> HttpResponseBase:
    """The file or the part of it that is asked for. Raises FileNotFoundError."""
    if stored is None:
        raise FileNotFoundError
    size = default_storage.size(stored.file)
    etag = quote_etag(salted_hmac(SALT, stored.file).hexdigest())  # names are never used twice
    response = get_conditional_response(request, etag) or _content(request, stored, size, etag)
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Content-Disposition"] = _disposition(stored, inline)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = f"private, max-age={settings.LINK_SECONDS}"
    return response


def _content(request: HttpRequest, stored: Track | Media, size: int, etag: str) -> HttpResponseBase:
    if request.method == "HEAD":  # for which Range means nothing
        return HttpResponse(content_type=content_type(stored), headers={"Content-Length": size})
    wanted = request.headers.get("Range", "") if request.headers.get("If-Range", etag) == etag else ""
    try:
        part = ranges.parse(wanted, size)
    except ranges.Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    sent = part or ranges.ByteRange(0, size - 1)
    chunks = streamed(request, _read(stored.file, sent))
    response = StreamingHttpResponse(chunks, content_type=content_type(stored), headers={"Content-Length": sent.length})
    if part:
        response.status_code = 206
        response["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
    return response


def _read(name: str, part: ranges.ByteRange) -> Chunks:
    with default_storage.open(name, "rb") as file:
        file.seek(part.first)
        left = part.length
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
