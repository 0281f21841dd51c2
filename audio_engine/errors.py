"""What the engine says when it cannot go on: one type, a stable code, and whether trying again can help."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, Literal

ErrorCode = Literal[
    "INVALID_AUDIO_FORMAT",  # not media, or a format outside the allow-list
    "NO_AUDIO_STREAM",  # media, but nothing to hear in it
    "AUDIO_TOO_SHORT",
    "AUDIO_TOO_LONG",
    "UNUSABLE_AUDIO",  # decodes to nothing that a voice could be in: all NaN, 100 Hz sample rate
    "NO_SPEECH",
    "INVALID_OPTION",
    "ENGINE_UNAVAILABLE",  # the named engine lacks a package, weights or hardware
    "OUT_OF_MEMORY",
    "DISK_FULL",
    "ENGINE_FAILED",  # a defect of ours
]

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of an OSError


class EngineError(Exception):
    """Raised for every failure the engine foresees.

    `permanent` says that the same input will fail again, so that a caller does not retry it.
    `details` holds JSON values only: it crosses the process boundary and reaches API clients.
    """

    def __init__(
        self, code: ErrorCode, message: str, *, permanent: bool = True, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.permanent = permanent
        self.details: dict[str, Any] = dict(details or {})

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "permanent": self.permanent, "details": self.details}


class Canceled(Exception):
    """Raised inside the engine by a progress callback whose caller no longer wants the result."""
