"""A transcript that follows corrected turns: what is said where something changed gets the speaker it has now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from audio_engine.given_turns import exclusive
from audio_engine.transcription.attribution import Speakers
from audio_engine.transcription.sentences import sentences
from audio_engine.transcription.transcript import Sentence, Word
from audio_engine.types import Turn

from . import revisions, transcripts
from .errors import JobError
from .models import Job


@contextmanager
def revised(job: Job, changed: Iterable[Turn], turns: Sequence[Turn], notes: str) -> Iterator[Callable[[], None]]:
    """Gives what makes the revision a version of the transcript, to be called in the transaction of the correction;
    the file is removed where that fails. It does nothing where no transcript is touched.

    `changed` are the turns that went or came, `turns` all there are now.
    """
    try:
        version = transcripts.latest(job)
        present = transcripts.read(job, version)
    except JobError:  # there is none, or its file is gone
        yield _nothing
        return
    attributed = Attribution(changed, turns)
    followed = tuple(piece for sentence in present.sentences for piece in attributed.of(sentence))
    changes = len(set(followed) - set(present.sentences))
    if not changes:
        yield _nothing
        return
    with revisions.stored(job, version + 1, replace(present, sentences=followed), notes, changes) as keep:
        yield keep


class Attribution:
    """Whose words are whose, where turns changed."""

    def __init__(self, changed: Iterable[Turn], turns: Sequence[Turn]) -> None:
        self._changed = _union(changed)
        self._ends = [end for _, end in self._changed]
        self._speakers = Speakers(exclusive(turns))

    def of(self, sentence: Sentence) -> tuple[Sentence, ...]:
        """The sentence, or several where it turned out to be of more than one speaker."""
        if not self._touches(sentence.start, sentence.end):
            return (sentence,)
        if not sentence.words:
            return (replace(sentence, speaker=self._speakers.during(sentence.start, sentence.end, sentence.speaker)),)
        words = tuple(self._word(word, sentence.speaker) for word in sentence.words)
        whose = {word.speaker for word in words}
        if len(whose) > 1:
            return sentences(words)
        return (replace(sentence, speaker=words[0].speaker, words=words),)

    def _word(self, word: Word, speaker: int | None) -> Word:
        """`speaker` is the sentence's, which people may have corrected."""
        if self._touches(word.start, word.end):
            speaker = self._speakers.during(word.start, word.end, speaker)
        return replace(word, speaker=speaker)

    def _touches(self, start: float, end: float) -> bool:
        after = bisect_right(self._ends, start)
        return after < len(self._changed) and self._changed[after][0] < end


def _union(turns: Iterable[Turn]) -> list[tuple[float, float]]:
    """The stretches in which at least one of them runs, in order."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted((turn.start, turn.end) for turn in turns):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], end)
        else:
            spans.append((start, end))
    return spans


def _nothing() -> None:
    pass
