"""Lists of recordings, which people send in place of one."""

from __future__ import annotations

import re

_BEFORE_THE_ROOT = rb"(?><\?[^>]*>\s*|<!--(?>.*?-->)\s*)*+"  # of an XML document
_A_COMMENT = rb"(?>#[^\n]*\n\s*)*+"
_AN_ADDRESS = rb"(?:https?://\S+|[^\n\0<]{1,250}\.(?:mp3|m4a|wav|flac|ogg|opus|aac|wma|mp4|webm|mkv))\s*(?:\n|\Z)"
_STARTS = (
    ("M3U", rb"#EXTM3U\b"),
    ("PLS", rb"\[playlist\]"),
    ("XSPF", _BEFORE_THE_ROOT + rb"<playlist\b"),
    ("ASX", _BEFORE_THE_ROOT + rb"<asx\b"),
    ("RSS", _BEFORE_THE_ROOT + rb"<rss\b"),
    ("Atom", _BEFORE_THE_ROOT + rb"<feed\b"),
    ("M3U", _A_COMMENT + _AN_ADDRESS),
)
_PATTERNS = [(name, re.compile(rb"(?:\xef\xbb\xbf)?\s*" + start, re.IGNORECASE | re.DOTALL)) for name, start in _STARTS]


def playlist_format(beginning: bytes) -> str | None:
    """The format of the playlist or feed that starts with `beginning`, None where that starts something else."""
    return next((name for name, pattern in _PATTERNS if pattern.match(beginning)), None)
