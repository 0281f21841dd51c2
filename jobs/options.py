"""What may be asked of a job, checked in one place for every surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from audio_engine import registry
from audio_engine.errors import EngineError
from audio_engine.formats import voiceprint_from_text
from audio_engine.music import StemsRequest
from audio_engine.options import LOUDEST, NOTHING_TO_CLEAN, QUIETEST, engine_for
from audio_engine.registry import AUTO
from audio_engine.sound import EQUALIZERS, QUALITIES, DenoisingRequest, Equalizer, Quality
from audio_engine.transcription.languages import LANGUAGES
from audio_engine.transcription.subtitles import parse_srt
from audio_engine.types import (
    OVERLAP_POLICIES,
    DialogueRequest,
    IdentificationRequest,
    MediaLimits,
    OverlapPolicy,
    SpeakerRequest,
    TranscriptionRequest,
    VoiceprintRequest,
)
from audio_engine.voices import Voiceprint

from . import given
from .errors import JobError
from .shared_options import BESIDE_TURNS, CountedOptions, JobOptions, invalid

MOST_KNOWN_VOICES = 50
LARGEST_SUBTITLES = 500_000  # characters; those of a long film have a fifth of it
TELLS = "tells who speaks when, which turns do; leave one of them out"
LONGEST_SAMPLE = 30.0  # seconds, of a voice
TOLERANCE = 1.01  # decoding may find a little more than a file's packets tell
OUTPUT_LIMITS = {"sample_rate": (8_000, 192_000), "bit_depth": (8, 32)}  # Hz, bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerOptions(CountedOptions):
    overlap: OverlapPolicy = "separate"
    separator: str = AUTO  # the engine that splits overlaps
    clean_background: bool = False
    cleaner: str = AUTO  # the engine that does
    compact: bool = False
    voiceprints: bool = False

    def __post_init__(self) -> None:
        CountedOptions.__post_init__(self)  # with slots, super() would look for a class that is no more
        if self.overlap not in OVERLAP_POLICIES:
            raise invalid("overlap", f"must be one of {', '.join(OVERLAP_POLICIES)}")
        if self.cleaner != AUTO and not self.clean_background:
            raise invalid("cleaner", NOTHING_TO_CLEAN)

    def _check_turns(self) -> None:
        CountedOptions._check_turns(self)
        if self.voiceprints:
            raise invalid("voiceprints", BESIDE_TURNS)
        if self.engine != AUTO:
            raise invalid("engine", TELLS)

    def engines(self, task: str) -> dict[str, tuple[str, str]]:
        telling = {} if self.turns else {"engine": (self.engine, task)}
        splitting = {"separator": (self.separator, "separation")} if task == "extraction" else {}
        cleaning = {"cleaner": (self.cleaner, "background")} if task == "extraction" else {}
        return {**telling, **splitting, **cleaning}

    def request(self, task: str, **common: Any) -> SpeakerRequest:
        return SpeakerRequest(
            task=task,  # type: ignore[arg-type]
            engine=self.engine,
            speakers=self.bounds,
            overlap=self.overlap,
            separator=self.separator,
            clean_background=self.clean_background,
            cleaner=self.cleaner,
            compact=self.compact,
            voiceprints=self.voiceprints,
            voice_attributes=self.voice_attributes,
            speech_threshold=self.speech_threshold,
            turns=given.turns(self.turns),
            **common,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions(CountedOptions):
    language: str = ""  # found out if empty
    speaker_labels: bool = True  # whether the transcript says who speaks
    diarizer: str = AUTO
    input_srt: str = ""  # the text of subtitles that are there, to whose lines speakers are given

    def __post_init__(self) -> None:
        CountedOptions.__post_init__(self)
        if self.input_srt:
            self._check_subtitles()
        if self.language and self.language not in LANGUAGES:
            raise invalid("language", f"must be one of {', '.join(sorted(LANGUAGES))}")

    def _check_turns(self) -> None:
        CountedOptions._check_turns(self)
        if self.diarizer != AUTO:
            raise invalid("diarizer", TELLS)

    def _check_subtitles(self) -> None:
        if self.engine != AUTO:
            raise invalid("engine", "recognises words, of which input_srt has all; leave one of them out")
        try:
            parse_srt(self.input_srt)
        except EngineError as error:
            raise invalid("input_srt", error.details["rule"]) from error

    @property
    def listener(self) -> str:
        return self.diarizer

    def engines(self, task: str) -> dict[str, tuple[str, str]]:
        recogniser = {} if self.input_srt else {"engine": (self.engine, task)}
        diarizer = {} if self.turns else {"diarizer": (self.diarizer, "diarization")}
        return {**recogniser, **diarizer}

    def request(self, task: str, **common: Any) -> TranscriptionRequest:
        return TranscriptionRequest(
            task=task,  # type: ignore[arg-type]
            engine=self.engine,
            diarizer=self.diarizer,
            speakers=self.bounds,
            language=self.language,
            labelled=self.speaker_labels,
            subtitles=self.input_srt,
            voice_attributes=self.voice_attributes,
            speech_threshold=self.speech_threshold,
            turns=given.turns(self.turns),
            **common,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationOptions(CountedOptions):
    known: dict[str, str] = field(default_factory=dict)  # voiceprints as text, by label
    threshold: float = 0.0
    exclusive_matching: bool = True

    def __post_init__(self) -> None:
        CountedOptions.__post_init__(self)
        if not 1 <= len(self.known) <= MOST_KNOWN_VOICES:
            raise invalid("known", f"must name 1 to {MOST_KNOWN_VOICES} voices")
        if not 0 <= self.threshold <= 100:
            raise invalid("threshold", "must be between 0 and 100")
        self.voices()

    def voices(self) -> dict[str, Voiceprint]:
        """Raises JobError INVALID_OPTION for one that is no voiceprint."""
        found = {}
        for label, text in self.known.items():
            try:
                found[label] = voiceprint_from_text(text)
            except ValueError as error:
                raise invalid("known", f"has no voiceprint of this server's making for {label!r}") from error
        return found

    def request(self, task: str, **common: Any) -> IdentificationRequest:
        return IdentificationRequest(
            task=task,  # type: ignore[arg-type]
            engine=self.engine,
            speakers=self.bounds,
            known=self.voices(),
            threshold=self.threshold,
            exclusive=self.exclusive_matching,
            voice_attributes=self.voice_attributes,
            speech_threshold=self.speech_threshold,
            turns=given.turns(self.turns),
            **common,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceprintOptions(JobOptions):
    def request(self, task: str, *, limits: MediaLimits, **common: Any) -> VoiceprintRequest:
        limits = replace(limits, seconds=min(limits.seconds, LONGEST_SAMPLE * TOLERANCE))
        return VoiceprintRequest(task=task, engine=self.engine, limits=limits, **common)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueOptions(JobOptions):
    sample_rate: int | None = None  # Hz; both as in the recording where they are None
    bit_depth: int | None = None
    split_background: bool = False
    words_only: bool = False  # laughs, breaths and the like are no speech then
    recogniser: str = AUTO  # the engine that knows the words

    def __post_init__(self) -> None:
        if self.words_only and self.split_background:
            raise invalid("words_only", "cannot be given together with split_background")
        for name, (least, most) in OUTPUT_LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise invalid(name, f"must be between {least} and {most}")

    def engines(self, task: str) -> dict[str, tuple[str, str]]:
        recogniser = {"recogniser": (self.recogniser, "transcription")} if self.words_only else {}
        return {"engine": (self.engine, task), **recogniser}

    def request(self, task: str, **common: Any) -> DialogueRequest:
        return DialogueRequest(
            task=task,
            engine=self.engine,
            sample_rate=self.sample_rate,
            bits=self.bit_depth,
            split_background=self.split_background,
            recogniser=self.recogniser if self.words_only else "",
            **common,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoisingOptions(JobOptions):
    quality: Quality = "studio"
    strength: float = 1.0
    equalizer: Equalizer | None = None
    compress: bool = False
    loudness: float | None = None  # LUFS

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES:
            raise invalid("quality", f"must be one of {', '.join(QUALITIES)}")
        if not 0 <= self.strength <= 1:
            raise invalid("strength", "must be between 0 and 1")
        if self.equalizer is not None and self.equalizer not in EQUALIZERS:
            raise invalid("equalizer", f"must be one of {', '.join(EQUALIZERS)}")
        if self.loudness is not None and not QUIETEST <= self.loudness <= LOUDEST:
            raise invalid("loudness", f"must be between {QUIETEST} and {LOUDEST} LUFS")

    def request(self, task: str, **common: Any) -> DenoisingRequest:
        return DenoisingRequest(task=task, **asdict(self), **common)


@dataclass(frozen=True, slots=True, kw_only=True)
class StemsOptions(JobOptions):
    stems: tuple[str, ...] = ()  # all that the engine tells apart if empty

    def __post_init__(self) -> None:
        object.__setattr__(self, "stems", tuple(dict.fromkeys(self.stems)))  # a list where they come from a job's row
        try:
            engine_for(self.stems, self.engine)
        except EngineError as error:
            raise JobError(error.code, error.message, details=error.details) from error

    def engines(self, task: str) -> dict[str, tuple[str, str]]:
        return {"engine": (engine_for(self.stems, self.engine), task)}

    def request(self, task: str, **common: Any) -> StemsRequest:
        return StemsRequest(task=task, **asdict(self), **common)


OPTIONS: dict[str, type[JobOptions]] = {
    "extraction": SpeakerOptions,
    "diarization": SpeakerOptions,
    "identification": IdentificationOptions,
    "voiceprint": VoiceprintOptions,
    "dialogue": DialogueOptions,
    "transcription": TranscriptionOptions,
    "denoising": DenoisingOptions,
    "stems": StemsOptions,
}


def asked_for(task: str, **options: Any) -> JobOptions:
    """The options of a new request. Raises JobError as the task's options do, also for one that it does not have, and
    ENGINE_UNAVAILABLE, with what is missing and how to get it, where the engine asked for cannot run here, or with
    `auto` none that does the task.
    """
    kind = OPTIONS[task]
    known = {option.name for option in fields(kind)}
    for name in options:
        if name not in known:
            raise invalid(name, f"is no option of {task}")
    checked = kind(**options)
    for option, (name, its_task) in checked.engines(task).items():
        _check_engine(option, name, its_task)
    return checked


def stored(task: str, options: Mapping[str, Any]) -> JobOptions:
    """The options of a job, as its row has them."""
    return OPTIONS[task](**options)


def _check_engine(field: str, name: str, task: str) -> None:
    names = (AUTO, *registry.engines_for(task))  # type: ignore[arg-type]
    if name not in names:
        raise invalid(field, f"must be one of {', '.join(names)}")
    try:
        registry.resolve(name, task)  # type: ignore[arg-type]
    except EngineError as error:
        raise JobError(error.code, error.message, details={**error.details, "field": field}) from error
