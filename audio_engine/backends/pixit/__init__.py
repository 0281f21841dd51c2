"""Separation of overlapped speech with pyannote.audio's published network, run only around the overlaps.

Kalda, Pagés, Marxer, Alumäe & Bredin, "PixIT: Joint Training of Speaker Diarization and Speech Separation from
Real-world Multi-speaker Recordings" (Odyssey 2024). Its streams have no names: each is given to the speaker whose voice
it holds, by embedding. Its estimates at 16 kHz are not heard themselves: they say which part of each bin of the
recording is whose, so that the tracks keep the recording's own band, channels and quality.
"""

from __future__ import annotations

from .backend import PixitSeparator

__all__ = ["PixitSeparator"]
