"""What crosses the engine's border about how a voice sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Gender = Literal["female", "male", "unknown"]

GENDERS: tuple[Gender, ...] = get_args(Gender)


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """A voice as a unit vector. Comparable, by cosine, only with those of the same `model`, a "name version".

    It tells people apart, so it is biometric data: nobody gets one who did not ask for it.
    """

    model: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VoiceAttributes:
    """Of one speaker. Pitch is in Hz, low and high its 10th and 90th percentile; None where too little was heard of the
    speaker alone. `gender` is a guess by it and `gender_confidence` its probability in %, None where it is unknown.
    """

    speaker: int
    pitch_low: float | None = None
    pitch_median: float | None = None
    pitch_high: float | None = None
    gender: Gender = "unknown"
    gender_confidence: int | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """Who a speaker may be: `match` is a label of the known voices, None where none is near enough. `confidence` holds
    each label's, 0 to 100; 0 throughout for a speaker without a voiceprint.
    """

    speaker: int
    match: str | None
    confidence: dict[str, int]
