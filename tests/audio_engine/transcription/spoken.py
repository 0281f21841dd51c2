"""Words with times, written shortly."""

from __future__ import annotations

from audio_engine.transcription.transcript import Word

SECONDS_A_WORD = 0.3


def said(text: str, start: float = 0.0, speaker: int | None = None, every: float = SECONDS_A_WORD) -> list[Word]:
    """The words of `text`, one after the other without a pause, each with the blank before it."""
    return [
        Word(round(start + every * n, 3), round(start + every * (n + 1), 3), f" {word}", 0.9, speaker)
        for n, word in enumerate(text.split())
    ]
