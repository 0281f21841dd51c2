"""The default diarization: runs on any CPU with the networks that its packages ship, without token or download."""

from __future__ import annotations

from .diarizer import EmbeddedDiarizer

__all__ = ["EmbeddedDiarizer"]
