"""What a backend is: something that loads once and then does the part of a task that needs a model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from ..memory import Samples
from ..sound import Quality
from ..transcription.transcript import Heard, Span
from ..types import SPEAKER_TASKS, Diarization, MediaInfo, Progress, SpeakerBounds, Work
from ..voices import Voiceprint

if TYPE_CHECKING:
    from ..cleaning import Cleaning
    from ..decoding import Decoder
    from ..mixing import Mix
    from ..overlaps import Overlaps
    from ..separation import Separator
    from ..suppression import Suppressor

VOICEPRINT_DECIMALS = 6  # as fine as float32, and short in JSON


class Backend(Protocol):
    """Construction is free; `load` imports the torch family and reads weights, once for each process.

    There is a protocol for each kind of backend, with a method that does its work.
    """

    name: str
    tasks: ClassVar[tuple[Work, ...]]  # for which requests may name it and `auto` may take it

    @abstractmethod
    def missing(self) -> str | None:
        """What keeps this backend from running here and how to get it; None when it can run, if need be after
        `prepare`. Imports nothing heavy.
        """

    def suits(self) -> bool:
        """Whether `auto` may take it on this machine where nothing is missing. Imports nothing heavy."""
        return True

    def prepare(self) -> None:
        """Fetch what may be fetched and is not here yet: nothing else of a backend uses the network, and it is called
        where the network may be used. Raises EngineError ENGINE_UNAVAILABLE.
        """
        return

    @abstractmethod
    def load(self) -> None:
        """Read the models into memory. Raises EngineError ENGINE_UNAVAILABLE."""


class Diarizer(Backend, Protocol):
    """Tells who spoke when."""

    tasks: ClassVar[tuple[Work, ...]] = (*SPEAKER_TASKS, "identification", "voiceprint", "dialogue")

    @abstractmethod
    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        """Find the turns in `pcm`: shape (samples,), float32, 16 kHz mono, usually memory-mapped, full scale 1.0.

        `scratch` takes temporary files. Reports the stages from `activity` to `resegmentation`, with fractions of its
        own work from 0 to 1. Raises EngineError; silence gives a Diarization with no turns.
        """

    def hearing(self, threshold: float | None) -> Diarizer:
        """The same with less counting as speech above a `threshold` of 0.5, and more below it: 0 to 1, where 0.5 is as
        this backend is tuned, and so is None. Raises EngineError INVALID_OPTION where it cannot be tuned.
        """
        if threshold is None:
            return self
        told = {"field": "speech_threshold", "rule": f"is nothing that the engine {self.name} knows"}
        raise EngineError("INVALID_OPTION", f"speech_threshold {told['rule']}.", details=told)

    def speech(self, pcm: Samples, scratch: Path, progress: Progress) -> Diarization:
        """As `diarize`, for who only wants to know where anybody speaks: the turns may be of one speaker. Reports the
        stage `activity`. An engine that can tell that with less work has a way of its own.
        """
        return self.diarize(pcm, SpeakerBounds(), scratch, lambda _, fraction: progress("activity", fraction))


class SpeechSeparator(Backend, Protocol):
    """Splits what several people say at once."""

    tasks: ClassVar[tuple[Work, ...]] = ("separation",)
    ahead: ClassVar[float] = 0.0  # times as long as diarization that it probably works before it can give masks

    @abstractmethod
    def separator(self, pcm: Samples, overlaps: Overlaps, scratch: Path, progress: Progress) -> Separator:
        """What gives masks for the `overlaps` of `pcm`: shape (samples,), float32, 16 kHz mono, usually memory-mapped.

        Who speaks when is settled: it only tells what is whose. What it leaves in `scratch` is kept until all masks
        have been asked for. Reports the stage `overlaps`, with fractions of its own work from 0 to 1. Raises
        EngineError.
        """


class Cleaner(Backend, Protocol):
    """Lowers what is heard beside speech."""

    tasks: ClassVar[tuple[Work, ...]] = ("background",)
    ahead: ClassVar[float] = 0.0  # times as long as diarization that it probably works before that

    @abstractmethod
    def cleaning(self, pcm: Samples, decoder: Decoder, media: MediaInfo, scratch: Path, progress: Progress) -> Cleaning:
        """What is to be heard of a recording, and to be kept of it when it is known who speaks.

        `pcm` is the recording of `media` at 16 kHz mono, as for a `Diarizer`; `decoder` gives it once more as it is.
        What it leaves in `scratch` is kept until all masks have been asked for. Reports the stage `separation`, with
        fractions of its own work from 0 to 1. Raises EngineError.
        """


class Transcriber(Backend, Protocol):
    """Hears words."""

    tasks: ClassVar[tuple[Work, ...]] = ("transcription",)
    window_seconds: ClassVar[float] = 30.0  # the longest stretch that it hears at once

    @abstractmethod
    def transcribe(self, pcm: Samples, windows: Sequence[Span], language: str, progress: Progress) -> Heard:
        """The words of `pcm`: shape (samples,), float32, 16 kHz mono, usually memory-mapped, full scale 1.0.

        Only `windows` are heard: in order, none longer than `window_seconds`. `language` is one of
        `transcription.languages`, or empty to find it out. Reports the stage `transcription`, with fractions of its
        own work from 0 to 1. Raises EngineError; without windows there are no words.
        """


def voiceprint(model: str, embedding: npt.NDArray[np.floating[Any]]) -> Voiceprint | None:
    """`embedding`, shape (dimension,), at unit length; None where it is zero or no number, as of an unheard voice."""
    length = float(np.linalg.norm(embedding))
    if not 0 < length < np.inf:
        return None
    return Voiceprint(model, tuple(round(float(value), VOICEPRINT_DECIMALS) for value in embedding / length))


class Denoiser(Backend, Protocol):
    """Takes noise out of a recording."""

    tasks: ClassVar[tuple[Work, ...]] = ("denoising",)
    hears_pauses: ClassVar[bool] = True  # whether in quality `ultra` what sounds like the pauses is taken away before

    def models(self) -> tuple[str, ...]:
        """ "name version" of each model that takes part."""
        return ()

    @abstractmethod
    def suppressor(self, media: MediaInfo, quality: Quality, strength: float) -> Suppressor:
        """What takes the samples of a recording of this rate and these channels, once and in order."""


class Splitter(Backend, Protocol):
    """Takes music apart."""

    tasks: ClassVar[tuple[Work, ...]] = ("stems",)
    sources: tuple[str, ...]  # of `music.SOURCES`, those that it tells apart
    warning: str = ""  # in each result

    @property
    @abstractmethod
    def rate(self) -> int | None:
        """Hz of what it hears, None for the recording's own. Loads the backend."""

    @abstractmethod
    def models(self) -> tuple[str, ...]:
        """ "name version" of each model that takes part."""

    @abstractmethod
    def split(self, mix: Mix, wanted: frozenset[str]) -> Iterator[Mapping[str, Samples]]:
        """The `wanted` ones of `sources` in `mix`, which is at that rate: in stretches that follow each other and are
        all of it, each source as shape (frames, 2 * pairs) of the mix's pairs. Memory does not grow with the recording.
        Raises EngineError.
        """
