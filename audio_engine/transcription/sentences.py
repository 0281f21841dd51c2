"""Where one sentence ends and the next begins, in words that a model recognised and punctuated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .transcript import Sentence, Word

LONGEST_PAUSE = 2.0  # seconds; nobody pauses longer within a sentence that others can still follow
LONGEST_SENTENCE = 30.0  # seconds; where a model punctuates nothing, the longest pause of the last half ends it
END_MARKS = ".!?…。！？｡؟۔।॥։።"
CLOSING_MARKS = "\"'”’»」』)]）】"
# What ends with a full stop without ending a sentence: titles and what stands before a name or number.
ABBREVIATIONS = frozenset(
    {
        *("mr", "mrs", "ms", "dr", "prof", "st", "vs", "no", "vol", "fig", "approx", "e.g", "i.e", "cf"),
        *("nr", "hr", "fr", "z.b", "d.h", "bzw", "ca", "vgl", "usw"),
        *("mme", "mlle", "sr", "sra", "srta", "sig", "ing", "avv"),
    }
)


def sentences(words: Sequence[Word]) -> tuple[Sentence, ...]:
    """`words`, in order and with their speakers, as sentences of one speaker each."""
    found: list[Sentence] = []
    open_words: list[Word] = []
    for index, word in enumerate(words):
        open_words.append(word)
        following = words[index + 1] if index + 1 < len(words) else None
        if following is None or _ends(word, following):
            found += _bounded(open_words)
            open_words = []
    return tuple(found)


def text_of(words: Iterable[Word]) -> str:
    return " ".join("".join(word.text for word in words).split())


def _ends(word: Word, following: Word) -> bool:
    if word.speaker != following.speaker or following.start - word.end >= LONGEST_PAUSE:
        return True
    marked = word.text.strip().rstrip(CLOSING_MARKS)
    if not marked.endswith(tuple(END_MARKS)):
        return False
    return not (marked.endswith(".") and _goes_on(marked, following.text.strip()))


def _goes_on(marked: str, following: str) -> bool:
    """Whether a full stop is part of the word: of an abbreviation, an initial, a number that is split in two."""
    stem = marked.rstrip(".").lower().lstrip("\"'“‘«([")
    if stem in ABBREVIATIONS or re.fullmatch(r"[^\W\d_](\.[^\W\d_])*", stem):
        return True
    if following[:1].islower():
        return True
    return stem[-1:].isdigit() and following[:1].isdigit()


def _bounded(words: list[Word]) -> list[Sentence]:
    """One sentence, or as many as keep each within LONGEST_SENTENCE."""
    whole = []
    while len(words) > 1 and words[-1].end - words[0].start > LONGEST_SENTENCE:
        cut = _longest_pause(words)
        whole.append(_sentence(words[:cut]))
        words = words[cut:]
    return [*whole, _sentence(words)]


def _longest_pause(words: Sequence[Word]) -> int:
    """Before which word to cut: after the longest pause from half of the longest sentence on."""
    start = words[0].start
    allowed = [
        index
        for index in range(1, len(words))
        if LONGEST_SENTENCE / 2 <= words[index - 1].end - start <= LONGEST_SENTENCE
    ]
    if not allowed:
        return 1
    return max(allowed, key=lambda index: (words[index].start - words[index - 1].end, index))


def _sentence(words: Sequence[Word]) -> Sentence:
    return Sentence(words[0].start, max(word.end for word in words), text_of(words), words[0].speaker, tuple(words))
