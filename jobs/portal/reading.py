"""What was said, as a job's page shows it: paragraphs whose lines and words know when they are said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from audio_engine.transcription.transcript import Sentence, Transcript
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS, plain
from jobs import naming, transcripts
from jobs.errors import JobError
from jobs.models import Job

from .figures import colour_of

MOST_WORDS = 20_000  # of a transcript whose words can be clicked; those of a longer one would make its page slow
DOUBTFUL = 0.5  # below this a word is more likely wrong than right


@dataclass(frozen=True, slots=True)
class Said:
    """A word, or the whole line where its words have no times."""

    start: float  # seconds
    text: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    start: float
    end: float
    words: list[Said]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What somebody says before somebody else does."""

    name: str  # empty where it is not to be told
    colour: int
    start: float
    lines: list[Line]


def context(job: Job, version: int | None) -> dict[str, Any]:
    """Of a job that tells what was said and whose files are still there; a version of it, the latest if None.

    Raises JobError VERSION_NOT_FOUND.
    """
    try:
        said = transcripts.read(job, version)
    except JobError as error:
        if error.code == "VERSION_NOT_FOUND":
            raise
        return {}
    latest = transcripts.latest(job)
    return {
        "has_transcript": True,
        "transcript": paragraphs(said, transcripts.names(job, naming.name_of(job))),
        "transcript_formats": TRANSCRIPT_FORMATS,
        "versions": list(job.transcript_versions.order_by("-number")),
        "version": version or latest,
        "latest_version": latest,
    }


def paragraphs(transcript: Transcript, names: Callable[[int], str] | None) -> list[Paragraph]:
    by_word = len(transcript.words()) <= MOST_WORDS
    found = []
    for speaker, spoken in groupby(transcript.sentences, lambda sentence: sentence.speaker):
        lines = [_line(sentence, by_word=by_word) for sentence in spoken]
        named = names is not None and speaker is not None
        name, colour = (names(speaker), colour_of(speaker)) if named else ("", 0)  # type: ignore[misc, arg-type]
        found.append(Paragraph(name, colour, lines[0].start, lines))
    return found


def _line(sentence: Sentence, *, by_word: bool) -> Line:
    start, end = round(sentence.start, 2), round(sentence.end, 2)
    words = [
        Said(round(word.start, 2), word.text, word.probability is not None and word.probability < DOUBTFUL)
        for word in sentence.words
    ]
    if not by_word or not words:
        words = [Said(start, " ".join(plain(sentence.text).split()))]
    return Line(start, end, words)
