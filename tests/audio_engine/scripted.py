"""An engine whose answer is known beforehand, for tests of everything around it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audio_engine.backends.base import Diarizer, Transcriber
from audio_engine.errors import EngineError
from audio_engine.memory import Samples
from audio_engine.transcription.transcript import Heard, Span, Word
from audio_engine.types import Diarization, Progress, SpeakerBounds, Turn
from audio_engine.voices import Voiceprint

PATH = "tests.audio_engine.scripted:ScriptedDiarizer"
BESIDE = {  # it, which extraction needs too
    "exemplars": "audio_engine.backends.exemplars:ExemplarSeparation",
    "pauses": "audio_engine.backends.pauses:PauseCleaner",
}
VOICEPRINTS = (Voiceprint("scripted 1", (0.6, 0.8)), None)


class ScriptedDiarizer(Diarizer):
    """Two speakers take turns of one second that overlap by a fifth; none where the signal is silent."""

    name = "scripted"
    loads = 0

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        self.loads += 1
        sys.stdout.write("a library that prints\n")

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        (scratch / "left-behind.tmp").write_text("scratch")
        for step in range(1, 5):
            progress("embedding", step / 4)
        seconds = len(pcm) / 16_000
        if np.abs(pcm).max(initial=0) < 1e-4:
            return Diarization((), (), 0, ("scripted 1",))
        starts = np.arange(0, seconds, 1.0)
        turns = tuple(Turn(float(at), float(at) + 1.2, n % 2) for n, at in enumerate(starts))
        exclusive = tuple(Turn(float(at), float(at) + 1.0, n % 2) for n, at in enumerate(starts))
        speakers = min(2, len(starts))
        return Diarization(turns, exclusive, speakers, ("scripted 1",), voiceprints=VOICEPRINTS[:speakers])


class ScriptedTranscriber(Transcriber):
    """Two words in the first turn of PausingDiarizer with a laugh between them, and a sigh in the second."""

    name = "scripted-words"
    tasks = ("transcription",)
    window_seconds = 30.0

    def missing(self) -> str | None:
        return None

    def load(self) -> None: ...

    def transcribe(self, pcm: Samples, windows: Sequence[Span], language: str, progress: Progress) -> Heard:
        progress("transcription", 1.0)
        words = (
            (1.2, 1.6, " Well,"),
            (2.0, 3.0, " haha"),
            (3.2, 3.7, " yes."),
            (6.0, 6.5, " [heavy"),
            (6.5, 7, " sigh]"),
        )
        return Heard("en", 0.9, tuple(Word(*word) for word in words) if windows else (), ("scripted words 1",))


class SlowDiarizer(ScriptedDiarizer):
    name = "slow"

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        for step in range(600):
            progress("embedding", step / 600)
            time.sleep(0.1)
        return super().diarize(pcm, bounds, scratch, progress)


class FailingDiarizer(ScriptedDiarizer):
    name = "failing"

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        raise EngineError("OUT_OF_MEMORY", "No memory left.", permanent=False, details={"needed": 1})


class BuggyDiarizer(ScriptedDiarizer):
    name = "buggy"

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        raise KeyError("a defect")


class PausingDiarizer(ScriptedDiarizer):
    """Somebody speaks for three seconds of each four, from the second second on."""

    name = "pausing"

    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        turns = tuple(Turn(at, at + 3, n % 2) for n, at in enumerate(np.arange(1.0, len(pcm) / 16_000 - 3, 4)))
        return Diarization(turns, turns, 2, ("pausing 1",))
