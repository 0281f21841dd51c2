"""Subtitles that somebody has already, to be given speakers."""

from __future__ import annotations

from pathlib import Path

import srt

from ..errors import EngineError
from .transcript import Sentence

MOST_LINES = 100_000


def read_subtitles(path: Path) -> tuple[Sentence, ...]:
    """Raises EngineError INVALID_OPTION as `parse_srt` does, and where there is no file."""
    try:
        return parse_srt(path.read_bytes())
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}") from error


def parse_srt(content: bytes) -> tuple[Sentence, ...]:
    """The lines of a SubRip file in order of time, text and line breaks as they are.

    Raises EngineError INVALID_OPTION: not UTF-8 (a byte order mark of UTF-16 is understood), not SubRip, without a
    line, or with one that ends before it starts.
    """
    try:
        subtitles = sorted(srt.parse(_decoded(content)))
    except (srt.SRTParseError, srt.TimestampParseError) as error:
        raise _refused("is not a SubRip (SRT) file") from error
    if not 0 < len(subtitles) <= MOST_LINES:
        raise _refused(f"must have from 1 to {MOST_LINES} lines, and has {len(subtitles)}")
    for subtitle in subtitles:
        if subtitle.end < subtitle.start:
            raise _refused(f"has a line, number {subtitle.index}, that ends before it starts")
    return tuple(
        Sentence(subtitle.start.total_seconds(), subtitle.end.total_seconds(), subtitle.content)
        for subtitle in subtitles
    )


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise _refused("is not encoded in UTF-8") from None


def _refused(reason: str) -> EngineError:
    return EngineError("INVALID_OPTION", f"The subtitle file {reason}.", details={"field": "input_srt", "rule": reason})
