"""What can be done with recordings of people: who spoke when, and everyone on a track of their own.

`run` does a whole request in this process; `EngineProcess` keeps a warm process that does requests one after
another. Both raise `EngineError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import EngineDied, EngineProcess
from .errors import Canceled, EngineError, ErrorCode
from .types import (
    Diarization,
    MediaInfo,
    MediaLimits,
    Progress,
    Request,
    Result,
    SpeakerBounds,
    SpeakerRequest,
    SpeakerResult,
    Turn,
)

if TYPE_CHECKING:
    from .media import probe
    from .pipeline import run

__all__ = [
    "Canceled",
    "Diarization",
    "EngineDied",
    "EngineError",
    "EngineProcess",
    "ErrorCode",
    "MediaInfo",
    "MediaLimits",
    "Progress",
    "Request",
    "Result",
    "SpeakerBounds",
    "SpeakerRequest",
    "SpeakerResult",
    "Turn",
    "probe",
    "run",
]


def __getattr__(name: str) -> Any:  # numpy and FFmpeg come in only where they are used
    if name == "run":
        from .pipeline import run

        return run
    if name == "probe":
        from .media import probe

        return probe
    raise AttributeError(name)
