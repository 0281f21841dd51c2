"""Which of what people utter are words: laughs, coughs and hums are none, even where a recogniser writes them down."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .tracks import Spans, union
from .transcription.transcript import Word

MARGIN = 0.05  # seconds around a word: recognisers tell its borders roughly
PAUSE = 0.25  # seconds, up to which two words are one stretch of speech; a laugh takes longer
NOT_SAID = "([*♪"  # how recognisers begin what is heard and not said, as "[laughter]"; it may have several words
ENDS = {"(": ")", "[": "]", "*": "*", "♪": "♪"}
SOUND = re.compile(r"[hm]*m[hm]*|ha|(?:h[aeiou]+){2,}h*|[aeiou]h{2,}", re.IGNORECASE)  # hums, laughs, sighs


def said(words: Iterable[Word]) -> list[Word]:
    """`words`, in order, without those that write down another sound: in brackets, a hum, or a laugh in letters."""
    kept, until = [], ""
    for word in words:
        text = word.text.strip()
        if not until and text[:1] and text[0] in NOT_SAID:
            until, text = ENDS[text[0]], text[1:]
            until = "" if until in text else until
        elif until:
            until = "" if until in text else until
        elif not SOUND.fullmatch(re.sub(r"[\W_]", "", text)):
            kept.append(word)
    return kept


def spans(words: Iterable[Word], rate: int, frames: int) -> Spans:
    """Where the words are, with MARGIN, in frames at `rate` Hz of a recording of `frames` frames."""
    bounds = ((round((word.start - MARGIN) * rate), round((word.end + MARGIN) * rate)) for word in words)
    return union(((max(0, start), min(frames, end)) for start, end in bounds), bridge=round(PAUSE * rate))
