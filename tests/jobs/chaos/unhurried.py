"""A backend that is at work long enough to be killed."""

from __future__ import annotations

import time
from pathlib import Path

from audio_engine.backends.base import Diarizer
from audio_engine.memory import Samples
from audio_engine.types import Diarization, Progress, SpeakerBounds, Turn

STEPS = 10


class UnhurriedDiarizer(Diarizer):
    name = "unhurried"

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        seconds = len(pcm) / 16_000
        for step in range(STEPS):
            progress("embedding", step / STEPS)
            time.sleep(seconds / 6 / STEPS)
        turns = (Turn(0.0, 1.0, 0), Turn(1.0, seconds, 1))
        return Diarization(turns, turns, 2, ("unhurried 1",))
