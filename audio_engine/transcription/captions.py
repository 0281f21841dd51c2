"""What was said, as captions: pieces of sentences that can be read while they are heard.

Sizes follow the Netflix Timed Text Style Guide: two lines of 42 columns, up to seven seconds; wide characters, as of
Chinese, take two columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .sentences import text_of
from .transcript import Sentence, Transcript, Word

COLUMNS = 42
LONGEST = 7.0  # seconds
CLAUSE_MARKS = (",", ";", ":", "–", "—", "，", "、", "；", "：", "،")
CLAUSE_BONUS = 0.4  # of a cue's width by which its halves may differ, for the sake of a cut between clauses
PAUSE_BONUS = 0.4  # the same for each second of a pause


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption. `markup`: the text is from a subtitle file and may hold SubRip's tags."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: int | None
    markup: bool = False


def cues(transcript: Transcript, *, words: bool = False) -> Iterator[Cue]:
    """In order. `words`: one for each word. Lines of a subtitle file, which have no words, stay as they are."""
    for sentence in transcript.sentences:
        if not sentence.words:
            yield _kept(sentence)
        elif words:
            yield from (_cue([word]) for word in sentence.words)
        else:
            yield from (_cue(part) for part in _parts(sentence.words))


def _kept(sentence: Sentence) -> Cue:
    lines = tuple(line.strip() for line in sentence.text.splitlines() if line.strip())
    return Cue(sentence.start, sentence.end, lines, sentence.speaker, markup=True)


def _cue(words: Sequence[Word]) -> Cue:
    return Cue(words[0].start, max(word.end for word in words), _lines(words), words[0].speaker)


def _parts(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """`words` in halves of halves until each fits."""
    if len(words) == 1 or _fits(words):
        yield words
        return
    cut = _best_cut(words)
    yield from _parts(words[:cut])
    yield from _parts(words[cut:])


def _fits(words: Sequence[Word]) -> bool:
    return words[-1].end - words[0].start <= LONGEST and all(width(line) <= COLUMNS for line in _lines(words))


def _best_cut(words: Sequence[Word]) -> int:
    """Before which word: near the middle, rather between clauses and in pauses."""
    before = list(accumulate(width(word.text) for word in words))

    def badness(index: int) -> float:
        unevenness = abs(before[-1] - 2 * before[index - 1]) / max(1, before[-1])
        clause = CLAUSE_BONUS if words[index - 1].text.rstrip().endswith(CLAUSE_MARKS) else 0.0
        return unevenness - clause - PAUSE_BONUS * max(0.0, words[index].start - words[index - 1].end)

    return min(range(1, len(words)), key=badness)


def _lines(words: Sequence[Word]) -> tuple[str, ...]:
    """One line, or two of about the same width where one is not enough."""
    whole = text_of(words)
    if width(whole) <= COLUMNS or len(words) == 1:
        return (whole,)
    splits = ((text_of(words[:index]), text_of(words[index:])) for index in range(1, len(words)))
    return min(splits, key=lambda lines: max(map(width, lines)))


def width(text: str) -> int:
    """Columns that `text` takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
