"""What was said, by whom and when. Times are seconds from the recording's start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Span = tuple[float, float]
"""Start and end, in seconds."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was recognised. `text` begins with a blank where one belongs before it: some scripts have none."""

    start: float
    end: float
    text: str
    probability: float | None = None  # 0 to 1
    speaker: int | None = None  # as in the diarization


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recogniser made of a recording: words in order of time, nobody's yet."""

    language: str  # a code as "en"
    language_probability: float | None  # None where the language was given, or nothing was there to tell it by
    words: tuple[Word, ...]
    models: tuple[str, ...]  # "name version" of each that took part


@dataclass(frozen=True, slots=True)
class Sentence:
    """One speaker's sentence, or the line of a subtitle file, whose `text` may have line breaks and which has no
    words.
    """

    start: float
    end: float
    text: str
    speaker: int | None = None
    words: tuple[Word, ...] = ()

    @property
    def probability(self) -> float | None:
        """Of its words, on average."""
        known = [word.probability for word in self.words if word.probability is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All sentences in order. `language` is a code as "en", empty where nobody knows."""

    language: str
    language_probability: float | None  # None where the language was given
    sentences: tuple[Sentence, ...]

    def words(self) -> list[Word]:
        return [word for sentence in self.sentences for word in sentence.words]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def transcript_json(transcript: Transcript) -> str:
    """The text of `transcript.json`."""
    return json.dumps(transcript.to_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def transcript_from_json(data: Mapping[str, Any]) -> Transcript:
    """Raises TypeError or KeyError where `data` is no transcript."""
    sentences = tuple(
        Sentence(**{**sentence, "words": tuple(Word(**word) for word in sentence["words"])})
        for sentence in data["sentences"]
    )
    return Transcript(data["language"], data["language_probability"], sentences)
