"""The values that cross the engine's border. Times are seconds from the recording's start, levels are dB or LUFS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from .voices import Identification, VoiceAttributes, Voiceprint

Task = Literal[
    "extraction", "diarization", "identification", "voiceprint", "transcription", "dialogue", "denoising", "stems"
]
# Of a task: what engines of its own do, the splitting of overlapped speech and the lowering of a background.
Part = Literal["separation", "background"]
Work = Task | Part
OverlapPolicy = Literal["separate", "keep", "mute"]  # what a track holds where several people speak at once
Stage = Literal[
    "decode",
    "activity",
    "embedding",
    "clustering",
    "resegmentation",
    "transcription",
    "overlaps",
    "tracks",
    "denoising",
    "levelling",
    "separation",
]
FileKind = Literal["audio", "rttm", "json", "confidence", "transcript", "txt", "srt", "vtt"]

TASKS: tuple[Task, ...] = get_args(Task)
SPEAKER_TASKS: tuple[Task, ...] = ("extraction", "diarization")
TURN_TASKS: tuple[Task, ...] = (*SPEAKER_TASKS, "identification", "transcription")  # whose results tell who spoke when
OVERLAP_POLICIES: tuple[OverlapPolicy, ...] = get_args(OverlapPolicy)
STAGES: tuple[Stage, ...] = get_args(Stage)

CONFIDENCE_SECONDS = 0.02  # a frame of `Diarization.confidence`

Progress = Callable[[Stage, float], None]
"""Called with a stage and the fraction of the whole work done, 0 to 1, never falling. May raise `Canceled`."""


@dataclass(frozen=True, slots=True)
class SpeakerBounds:
    """How many speakers the caller expects. `exact` excludes the other two."""

    exact: int | None = None
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What a recording may be. Decoded seconds count, since headers and file sizes prove nothing."""

    seconds: float = 24 * 3600 * 1.01
    channels: int = 8
    minimum_rate: int = 4_000
    maximum_rate: int = 192_000


@dataclass(frozen=True, slots=True)
class Request:
    """One piece of work for the engine, as far as all tasks have it in common; each task's own class adds its options.

    `output` is an existing empty folder; the engine writes only there.
    """

    source: Path
    output: Path
    task: Task
    title: str = ""  # what RTTM calls the recording; the source's name without suffix if empty
    engine: str = "auto"
    limits: MediaLimits = MediaLimits()

    def engines(self) -> tuple[tuple[str, Work], ...]:
        """The engines that will work on it, each with the task or part of one that it does for it."""
        return ((self.engine, self.task),)


@dataclass(frozen=True, slots=True)
class SpeakerRequest(Request):
    """Who spoke when, and for an extraction everyone on a track of their own."""

    task: Literal["extraction", "diarization", "identification", "transcription"] = "extraction"
    speakers: SpeakerBounds = SpeakerBounds()
    overlap: OverlapPolicy = "separate"
    separator: str = "auto"  # the engine that splits overlaps, where they are to be split
    clean_background: bool = False  # lower noise and music in the tracks
    cleaner: str = "auto"  # the engine that does
    compact: bool = False
    voiceprints: bool = False  # in the result, where the engine makes them
    voice_attributes: bool = False  # in the result
    speech_threshold: float | None = None  # of `Diarizer.hearing`
    turns: tuple[Turn, ...] = ()  # who spoke when, where somebody says it instead of an engine
    names: tuple[str, ...] = ()  # in texts, of those who speak in `turns`; who has none is called by the label

    @property
    def separates(self) -> bool:
        """Whether overlaps are to be split between tracks."""
        return self.task == "extraction" and self.overlap == "separate"

    @property
    def cleans(self) -> bool:
        """Whether the background is to be lowered."""
        return self.task == "extraction" and self.clean_background

    @property
    def listener(self) -> tuple[str, Work]:
        """The engine that tells who speaks, and what it does to tell it."""
        return self.engine, self.task

    def engines(self) -> tuple[tuple[str, Work], ...]:
        splitting: tuple[tuple[str, Work], ...] = ((self.separator, "separation"),) if self.separates else ()
        cleaning: tuple[tuple[str, Work], ...] = ((self.cleaner, "background"),) if self.cleans else ()
        telling: tuple[tuple[str, Work], ...] = () if self.turns else (self.listener,)
        return (*telling, *splitting, *cleaning)


@dataclass(frozen=True, slots=True)
class TranscriptionRequest(SpeakerRequest):
    """What was said and by whom. `engine` hears the words, `diarizer` tells the speakers."""

    task: Literal["transcription"] = "transcription"
    diarizer: str = "auto"
    language: str = ""  # one of transcription.languages; found out if empty
    labelled: bool = True  # whether text and captions say who speaks
    subtitles: str = ""  # the text of a SubRip file, to whose lines speakers are given instead of recognising words

    @property
    def listener(self) -> tuple[str, Work]:
        return self.diarizer, "diarization"

    def engines(self) -> tuple[tuple[str, Work], ...]:
        telling: tuple[tuple[str, Work], ...] = () if self.turns else (self.listener,)
        recogniser: tuple[tuple[str, Work], ...] = () if self.subtitles else ((self.engine, self.task),)
        return (*telling, *recogniser)


@dataclass(frozen=True, slots=True)
class IdentificationRequest(SpeakerRequest):
    """Who spoke when, and which of the known voices they are."""

    task: Literal["identification"] = "identification"
    known: dict[str, Voiceprint] = field(default_factory=dict)  # by label
    threshold: float = 0.0  # least confidence of a match, 0 to 100
    exclusive: bool = True  # no known voice is two speakers

    def engines(self) -> tuple[tuple[str, Work], ...]:
        """The same with turns: whoever speaks in them has to be heard to be known."""
        return (self.listener,)


@dataclass(frozen=True, slots=True)
class VoiceprintRequest(Request):
    """The voice of the one person who speaks in a sample."""

    task: Literal["voiceprint"] = "voiceprint"


@dataclass(frozen=True, slots=True)
class DialogueRequest(Request):
    """All that is spoken in one stem, the rest in another or, split, in two. Rate and depth: the source's if None."""

    task: Literal["dialogue"] = "dialogue"
    sample_rate: int | None = None  # Hz
    bits: int | None = None  # per sample, 8 to 32
    split_background: bool = False
    recogniser: str = ""  # the engine by whose words alone speech is known; all that people utter is speech if empty

    def engines(self) -> tuple[tuple[str, Work], ...]:
        hearing: tuple[tuple[str, Work], ...] = ((self.recogniser, "transcription"),) if self.recogniser else ()
        return ((self.engine, self.task), *hearing)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A recording as its container and its packets tell. `seconds` comes from the packets, not from the header."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    bits: int | None  # bits per sample of PCM and lossless sources, None for lossy ones
    floating: bool  # whether those samples are floating-point numbers
    seconds: float
    layout: str = ""  # FFmpeg's name of the channel layout, such as "stereo" or "5.1(side)"


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's uninterrupted stretch of speech. `speaker` counts from 0 in order of first appearance."""

    start: float
    end: float
    speaker: int
    confidence: int | None = None  # 0 to 100, in %; None from an engine that tells none

    @property
    def duration(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when. `turns` may overlap; `exclusive` holds the same with one speaker at a time.

    `confidence` holds a byte of 0 to 100 for each `CONFIDENCE_SECONDS`, silence included: the probability in % that
    just those speak there whose turns say so. It is empty from an engine that tells none.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    speakers: int
    models: tuple[str, ...]  # "name version" of each model that took part
    warnings: tuple[str, ...] = ()
    confidence: bytes = b""
    voiceprints: tuple[Voiceprint | None, ...] = ()  # by speaker; None: too little was heard of the voice alone


@dataclass(frozen=True, slots=True)
class SpeakerStats:
    """One speaker in figures. Levels are measured where the speaker speaks, None where nothing can be measured."""

    speaker: int
    talk_seconds: float
    talk_share: float  # of all speakers' talk time, 0 to 1
    turns: int
    mean_turn_seconds: float
    overlap_seconds: float
    rms_db: float | None  # dBFS
    peak: float | None  # linear, 1.0 is full scale
    loudness_lufs: float | None  # integrated, ITU-R BS.1770-4
    snr_db: float | None


@dataclass(frozen=True, slots=True)
class RecordingStats:
    speech_seconds: float
    silence_seconds: float
    overlap_seconds: float


@dataclass(frozen=True, slots=True)
class OverlapSpan:
    """A stretch in which several people speak at once. `separated`: each track holds its speaker's part, not a copy."""

    start: float
    end: float
    speakers: tuple[int, ...]
    separated: bool


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file in the output folder, named relative to it."""

    kind: FileKind
    name: str
    bytes: int
    speaker: int | None = None


@dataclass(frozen=True, slots=True)
class CompactSpan:
    """Where a stretch of a compact track lies in the source: source = track + (source_start - track_start)."""

    track_start: float
    source_start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a request, as far as all tasks have it in common; `result.json` is the task's own class, as JSON."""

    task: Task
    engine: str
    models: tuple[str, ...]  # "name version" of each model that took part
    media: MediaInfo
    files: tuple[OutputFile, ...] = field(default=(), kw_only=True)
    warnings: tuple[str, ...] = field(default=(), kw_only=True)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SpeakerResult(Result):
    """Everything an extraction, a diarization or an identification found."""

    overlap: OverlapPolicy
    speakers: tuple[SpeakerStats, ...]
    recording: RecordingStats
    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    overlaps: tuple[OverlapSpan, ...] = ()  # where the request asked to separate them
    compact_maps: dict[int, tuple[CompactSpan, ...]] = field(default_factory=dict)  # by speaker
    peaks: tuple[float, ...] = ()  # the waveform for a timeline: up to 2,000 maxima of |x|, evenly spaced
    voiceprints: tuple[Voiceprint | None, ...] = ()  # by speaker, where the request asked for them
    voice_attributes: tuple[VoiceAttributes, ...] = ()  # the same
    identifications: tuple[Identification, ...] = ()  # by speaker, of an identification
    separator: str = ""  # the engine that split the overlaps; empty where there were none to split
    cleaner: str = ""  # the engine that lowered the background, where the request asked for it


@dataclass(frozen=True, slots=True)
class VoiceprintResult(Result):
    """What was learned of a voice."""

    voiceprint: Voiceprint


@dataclass(frozen=True, slots=True)
class TranscriptionResult(SpeakerResult):
    """Everything a transcription found, but for the words themselves, which are in the file of kind `transcript`."""

    language: str = ""  # empty where nobody knows
    language_probability: float | None = None  # None where the language was given
    sentences: int = 0
    words: int = 0  # none in lines of a subtitle file


@dataclass(frozen=True, slots=True)
class DialogueResult(Result):
    """What a dialogue separation found; its files are the stems."""

    speech_seconds: float  # in which at least one person speaks
