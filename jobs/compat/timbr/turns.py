"""Which turns subtitles are made of, by the shortest speech and the shortest silence that were asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from audio_engine.transcription.attribution import Speakers
from audio_engine.transcription.transcript import Sentence
from audio_engine.types import Turn
from jobs.models import Job


def wanted(job: Job, turns: Iterable[Turn]) -> tuple[Turn, ...]:
    return tidied(turns, shortest=job.asked.get("min_speech", 0), pause=job.asked.get("min_silence", 0))


def tidied(turns: Iterable[Turn], *, shortest: float, pause: float) -> tuple[Turn, ...]:
    """Each speaker's turns joined over pauses shorter than `pause` seconds, then without those below `shortest`."""
    joined: dict[int, list[Turn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start):
        own = joined.setdefault(turn.speaker, [])
        if own and turn.start - own[-1].end < pause:
            own[-1] = replace(own[-1], end=max(own[-1].end, turn.end))
        else:
            own.append(turn)
    return tuple(turn for own in joined.values() for turn in own if turn.duration >= shortest)


def within(parts: Iterable[Turn], turns: Iterable[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Those of `parts` whose middle lies in one of `turns` of the same speaker, and the others. No speaker's `turns`
    overlap."""
    own: dict[int, list[Turn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start):
        own.setdefault(turn.speaker, []).append(turn)
    inside, outside = [], []
    for part in parts:
        middle, its = (part.start + part.end) / 2, own.get(part.speaker, [])
        index = bisect_right(its, middle, key=lambda turn: turn.start) - 1
        (inside if index >= 0 and middle <= its[index].end else outside).append(part)
    return inside, outside


def said_in(sentences: Iterable[Sentence], kept: Iterable[Turn], left_out: Iterable[Turn]) -> Iterator[Sentence]:
    """What of the sentences is nearer to turns that are kept than to those that are left out; none of them overlap."""
    turns = Speakers([*(replace(turn, speaker=1) for turn in kept), *(replace(turn, speaker=0) for turn in left_out)])
    for sentence in sentences:
        words = tuple(word for word in sentence.words if turns.during(word.start, word.end))
        if len(words) < len(sentence.words):
            if words:
                text = "".join(word.text for word in words).strip()
                yield replace(sentence, start=words[0].start, end=words[-1].end, text=text, words=words)
        elif words or turns.during(sentence.start, sentence.end):
            yield sentence
