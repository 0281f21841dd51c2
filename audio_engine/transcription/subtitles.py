"""Subtitles that somebody has already, to be given speakers."""

from __future__ import annotations

from pathlib import Path

import srt

from ..errors import EngineError
from .transcript import Sentence

MOST_LINES = 100_000


def read_subtitles(path: Path) -> str:
    """The text of a SubRip file. Raises EngineError INVALID_OPTION as the two below do, and where there is no file."""
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}") from error
    parse_srt(text)
    return text


def decoded(content: bytes) -> str:
    """Raises EngineError INVALID_OPTION: not UTF-8 (a byte order mark of UTF-16 is understood)."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise _refused("is not encoded in UTF-8") from None


def parse_srt(text: str) -> tuple[Sentence, ...]:
    """The lines of a SubRip file in order of time, text and line breaks as they are.

    Raises EngineError INVALID_OPTION: not SubRip, without a line, or with one that ends before it starts.
    """
    try:
        subtitles = sorted(srt.parse(text.replace("\r\n", "\n")))
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


def _refused(reason: str) -> EngineError:
    return EngineError("INVALID_OPTION", f"The subtitle file {reason}.", details={"field": "input_srt", "rule": reason})
