"""Diarization with pyannote.audio's published pipelines, for machines with a GPU or with patience.

`fast` and `version_3_1` compute what pyannote.audio's own pipeline computes, with less work; `shared` nearly the same,
with still less; `exact` is its own pipeline.
"""

from __future__ import annotations

from .diarizer import PyannoteDiarizer

__all__ = ["PyannoteDiarizer", "exact", "fast", "shared", "version_3_1"]


def fast() -> PyannoteDiarizer:
    return PyannoteDiarizer("pyannote", "speaker-diarization-community-1", recommended=True)


def shared() -> PyannoteDiarizer:
    return PyannoteDiarizer("pyannote-shared", "speaker-diarization-community-1", "shared")


def exact() -> PyannoteDiarizer:
    return PyannoteDiarizer("pyannote-exact", "speaker-diarization-community-1", "exact")


def version_3_1() -> PyannoteDiarizer:
    return PyannoteDiarizer("pyannote-3.1", "speaker-diarization-3.1")
