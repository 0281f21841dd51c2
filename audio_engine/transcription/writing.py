"""A transcript in the formats that other programs and people read. Pure text.

Speakers' names may hold anything: each is brought to one line, and each writer escapes what its format would take for
something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ..exports import SRT_MARKUP, clock, escaped, one_line
from .captions import Cue, cues
from .transcript import Sentence, Transcript

TAGS = re.compile(r"</?(?:[biu]|font)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)  # SubRip's

NameOf = Callable[[int], str] | None
"""How each speaker is called; None for a transcript that does not say who speaks."""


def as_json(transcript: Transcript, name_of: NameOf, *, words: bool) -> str:
    """The project's own, described in docs/api.md."""
    speakers = sorted({sentence.speaker for sentence in transcript.sentences if sentence.speaker is not None})
    told = {
        "language": transcript.language or None,
        "language_probability": transcript.language_probability,
        "speakers": [{"id": speaker, "name": one_line(name_of(speaker))} for speaker in speakers if name_of],
        "sentences": [_sentence(sentence, name_of, words=words) for sentence in transcript.sentences],
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_txt(transcript: Transcript, name_of: NameOf, *, words: bool) -> str:  # noqa: ARG001 - the same either way
    """A paragraph for each time that somebody speaks."""
    paragraphs = []
    for speaker, spoken in groupby(transcript.sentences, lambda sentence: sentence.speaker):
        text = " ".join(one_line(plain(sentence.text)) for sentence in spoken)
        name = _name(speaker, name_of)
        paragraphs.append(f"{name}: {text}\n" if name else f"{text}\n")
    return "\n".join(paragraphs)


def as_srt(transcript: Transcript, name_of: NameOf, *, words: bool) -> str:
    """SubRip, with the speaker's name before each caption."""
    return "".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{_srt_text(cue, name_of)}\n\n"
        for number, (start, end, cue) in enumerate(_timed(transcript, words=words), start=1)
    )


def as_vtt(transcript: Transcript, name_of: NameOf, *, words: bool) -> str:
    """W3C, WebVTT: The Web Video Text Tracks Format, with a voice span (section 4.2.2) in each cue."""
    return "WEBVTT\n" + "".join(
        f"\n{number}\n{clock(start, '.')} --> {clock(end, '.')}\n{_vtt_text(cue, name_of)}\n"
        for number, (start, end, cue) in enumerate(_timed(transcript, words=words), start=1)
    )


@dataclass(frozen=True, slots=True)
class TranscriptFormat:
    meaning: str  # for people who choose
    suffix: str
    content_type: str
    write: Callable[..., str]  # of a Transcript, a NameOf, and by name `words`: one cue a word, words in the JSON


TRANSCRIPT_FORMATS: dict[str, TranscriptFormat] = {
    "json": TranscriptFormat("JSON, for programs", ".json", "application/json", as_json),
    "txt": TranscriptFormat("Text, for people", ".txt", "text/plain; charset=utf-8", as_txt),
    "srt": TranscriptFormat("SRT subtitles", ".srt", "application/x-subrip; charset=utf-8", as_srt),
    "vtt": TranscriptFormat("WebVTT subtitles", ".vtt", "text/vtt; charset=utf-8", as_vtt),
}


def plain(text: str) -> str:
    """`text` without SubRip's tags."""
    return TAGS.sub("", text)


def _sentence(sentence: Sentence, name_of: NameOf, *, words: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "start": round(sentence.start, 3),
        "end": round(sentence.end, 3),
        "speaker": sentence.speaker if name_of else None,
        "name": _name(sentence.speaker, name_of) or None,
        "text": plain(sentence.text),
    }
    if words:
        told["words"] = [
            {
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "text": word.text.strip(),
                "probability": None if word.probability is None else round(word.probability, 3),
            }
            for word in sentence.words
        ]
    return told


def _timed(transcript: Transcript, *, words: bool) -> Iterator[tuple[int, int, Cue]]:
    """With whole milliseconds; none without length, and none without text, which would end the one before."""
    for cue in cues(transcript, words=words):
        if cue.lines:
            start = round(cue.start * 1000)
            yield start, max(start + 1, round(cue.end * 1000)), cue


def _srt_text(cue: Cue, name_of: NameOf) -> str:
    lines = [line if cue.markup else one_line(line).translate(SRT_MARKUP) for line in cue.lines]
    name = _name(cue.speaker, name_of).translate(SRT_MARKUP)
    return "\n".join([f"{name}: {lines[0]}" if name else lines[0], *lines[1:]])


def _vtt_text(cue: Cue, name_of: NameOf) -> str:
    text = "\n".join(escaped(one_line(plain(line) if cue.markup else line)) for line in cue.lines)
    name = escaped(_name(cue.speaker, name_of))
    return f"<v {name}>{text}</v>" if name else text


def _name(speaker: int | None, name_of: NameOf) -> str:
    return one_line(name_of(speaker)) if name_of and speaker is not None else ""
