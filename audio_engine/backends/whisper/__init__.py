"""Transcription by OpenAI's Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision",
2022), run by faster-whisper. Each size is an engine of its own, named as its model.
"""

from __future__ import annotations

from .transcriber import WhisperTranscriber

__all__ = ["WhisperTranscriber", "base", "large_v3", "large_v3_turbo", "small"]


def large_v3_turbo() -> WhisperTranscriber:
    return WhisperTranscriber("whisper-large-v3-turbo")


def large_v3() -> WhisperTranscriber:
    return WhisperTranscriber("whisper-large-v3")


def small() -> WhisperTranscriber:
    return WhisperTranscriber("whisper-small")


def base() -> WhisperTranscriber:
    return WhisperTranscriber("whisper-base")
