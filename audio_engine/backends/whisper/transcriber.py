"""A Whisper model as a backend: what it needs, and how it is run."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import EngineError
from ...memory import Samples, release_pages, short_of_memory
from ...models import MODELS, locate
from ...models.needs import not_here, too_large
from ...models.offline import go_offline
from ...transcription.transcript import Heard, Span, Word
from ...transcription.windows import RATE
from ...types import Progress
from ..base import Transcriber

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline
    from faster_whisper.transcribe import Segment, TranscriptionInfo

log = logging.getLogger(__name__)

PACKAGE = "faster-whisper==1.2.*"
BEAM_SIZE = 5  # as OpenAI evaluates it
LANGUAGE_WINDOWS = 8  # of 30 s that are asked for the language until one is sure of it
WINDOWS_A_PIECE = 32  # whose features, 1.5 MB each and as much again on the way, are in memory at once


class WhisperTranscriber(Transcriber):
    """The Whisper model `name` of the catalogue."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model = MODELS[name]
        self._pipeline: BatchedInferencePipeline | None = None
        self._batch = 1

    def missing(self) -> str | None:
        if find_spec("faster_whisper") is None:
            return f"The package faster-whisper is not installed: pip install '{PACKAGE}'"
        if locate(self._model) is None:
            return not_here(self._model, self.name)
        return too_large(self.name)

    def load(self) -> None:
        if self._pipeline is not None:
            return
        go_offline()
        if reason := self.missing():
            raise EngineError("ENGINE_UNAVAILABLE", reason, details={"engine": self.name})
        from .loading import load_pipeline

        self._pipeline, self._batch = load_pipeline(self._model)

    def transcribe(self, pcm: Samples, windows: Sequence[Span], language: str, progress: Progress) -> Heard:
        self.load()
        assert self._pipeline is not None
        ends = [end for _, end in windows]
        segments: list[Segment] = []
        probability: float | None = None
        for start in range(0, len(windows), WINDOWS_A_PIECE):
            # By which faster-whisper judges how long a piece's first word may be; it would begin at 0 each time.
            self._pipeline.last_speech_timestamp = segments[-1].end if segments else 0.0
            piece, info = self._hear(
                pcm,
                windows[start : start + WINDOWS_A_PIECE],
                language,
                lambda end: progress("transcription", bisect_left(ends, end) / len(ends)),
            )
            release_pages(pcm)
            segments += piece
            if not language:
                language, probability = info.language, float(info.language_probability)
        words = (word for segment in segments for word in _words(segment, len(pcm) / RATE))
        return Heard(language, probability, tuple(words), self._versions())

    def _hear(
        self, pcm: Samples, windows: Sequence[Span], language: str, on_end: Callable[[float], None]
    ) -> tuple[list[Segment], TranscriptionInfo]:
        """In batches of half the size each time that memory runs out. `on_end` is told the end of each segment."""
        assert self._pipeline is not None
        while True:
            try:
                segments, info = self._pipeline.transcribe(
                    pcm,
                    language=language or None,
                    beam_size=BEAM_SIZE,
                    word_timestamps=True,
                    clip_timestamps=[{"start": start, "end": end} for start, end in windows],
                    batch_size=self._batch,
                    language_detection_segments=LANGUAGE_WINDOWS,
                )
                heard = []
                for segment in segments:
                    heard.append(segment)
                    on_end(segment.end)
            except RuntimeError as error:  # all that CTranslate2 raises
                self._batch = _smaller(self._batch, error)
            else:
                return heard, info

    def _versions(self) -> tuple[str, ...]:
        stored = locate(self._model)
        revision = stored.revision[:8] if stored else ""
        return (f"{self._model.name} {revision}".strip(), f"faster-whisper {version('faster-whisper')}")


def _words(segment: Segment, seconds: float) -> list[Word]:
    """Within the recording, since a model may hear beyond its end, and none that ends before it starts."""
    found = []
    for word in segment.words or ():
        start = min(max(0.0, float(word.start)), seconds)
        end = min(max(start, float(word.end)), seconds)
        if word.word.strip():
            found.append(Word(start, end, word.word, float(word.probability)))
    return found


def _smaller(batch: int, error: RuntimeError) -> int:
    if not short_of_memory(error):
        raise error
    if batch == 1:
        raise EngineError(
            "OUT_OF_MEMORY",
            "The GPU's memory is too small for even one window at a time, or other programs hold too much of it.",
            permanent=False,
        ) from error
    log.warning("Memory ran out with %d windows at once; going on with %d.", batch, batch // 2)
    return batch // 2
