"""All files of a job, or of many, in one ZIP, made while it is sent: no file is written, and sound stays out of memory.

Texts are as people corrected them since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.core.files.storage import default_storage
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.timezone import localtime

from . import naming, renewing
from .models import Job, Track
from .streaming import Chunks, streamed

CHUNK = 1 << 20
Contents = Sequence[tuple[str, Job, Track | bytes]]  # name in the archive, whose, and the file or what it holds now
Names = Mapping[int, str]  # that people gave to speakers
Called = Callable[[Job, Names], Callable[[int], str]]
"""How the texts of a job call its speakers."""


def response(
    request: HttpRequest, job: Job, tracks: Sequence[Track], called: Called, names: Names
) -> StreamingHttpResponse:
    """`names` stand beside the numbers of tracks, too."""
    return _response(request, Path(job.name).stem, _contents(job, tracks, called, names))


def response_of_many(request: HttpRequest, jobs: Sequence[Job], called: Called) -> StreamingHttpResponse:
    """A folder for each job."""
    contents = [
        (f"{folder(job)}/{name}", job, content)
        for job in jobs
        for name, _, content in _contents(job, job.tracks.all(), called, naming.given(job))
    ]
    return _response(request, "recordings", contents)


def _contents(job: Job, tracks: Iterable[Track], called: Called, names: Names) -> Contents:
    texts = renewing.renewed(job, called(job, names), named=bool(names))
    return [(_named(track, names), job, texts.get(track.kind, track)) for track in tracks]


def folder(job: Job) -> str:
    """What to call a job's folder on any system: no character that one of them refuses, and the number for sure."""
    return f"{job.number} {_harmless(Path(job.name).stem)}".rstrip(" .")


def _named(track: Track, names: Mapping[int, str]) -> str:
    if track.kind != Track.Kind.AUDIO or track.speaker not in names:
        return track.name
    stem, dot, suffix = track.name.rpartition(".")
    return f"{stem} {_harmless(names[track.speaker])}{dot}{suffix}"


def _harmless(name: str) -> str:
    return "".join("_" if char in '/\\:*?"<>|' else char for char in name)[:100]


def _response(request: HttpRequest, name: str, contents: Contents) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(streamed(request, zipped(contents)), content_type="application/zip")
    answer["Content-Disposition"] = content_disposition_header(True, f"{name}.zip")
    return answer


def zipped(contents: Contents) -> Chunks:
    sink = _Sink()
    with ZipFile(sink, "w") as archive:  # type: ignore[arg-type]  # write and flush are all it uses of a pipe
        for name, job, content in contents:
            with archive.open(_entry(name, job), "w", force_zip64=True) as entry:
                for chunk in [content] if isinstance(content, bytes) else _chunks(content):
                    entry.write(chunk)
                    yield from sink.drain()
    yield from sink.drain()


def _entry(name: str, job: Job) -> ZipInfo:
    entry = ZipInfo(name, localtime(job.finished_at or job.created_at).timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED  # a track is silent wherever the others speak
    entry._compresslevel = 1  # type: ignore[attr-defined]  # public from Python 3.13 on
    entry.external_attr = 0o644 << 16
    return entry


def _chunks(track: Track) -> Iterator[bytes]:
    with default_storage.open(track.file, "rb") as file:
        yield from file.chunks(CHUNK)


class _Sink:
    """What ZipFile writes to: a pipe without a way back."""

    def __init__(self) -> None:
        self.pending: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pending.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def drain(self) -> Iterator[bytes]:
        """What was written since, empty pieces left out: an empty one would end the stream."""
        joined, self.pending = b"".join(self.pending), []
        if joined:
            yield joined
