"""Turns as people send them: RTTM, or JSON as a list or as exports here have it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.core.files.uploadedfile import UploadedFile

from audio_engine.given_turns import MOST_TURNS, rttm_turns
from audio_engine.types import Turn

from . import given, naming
from .given import Row

LARGEST = 10_000_000  # bytes; the most turns have as many as that in RTTM
COUNTED = re.compile(r"(?:SPEAKER_)?(\d{1,4})", re.ASCII)  # a label as the service gives it
NUMBERED = re.compile(r"Speaker[ _](\d{1,4})", re.ASCII)  # and a name as the portal does
LISTS = ("turns", "timeline")  # what an export and a result call them


class LabelledTurns(NamedTuple):
    """`labels` are those of the speakers, in the order of their first turn, which is how they are numbered."""

    turns: tuple[Turn, ...]
    labels: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """As jobs/options.py takes them."""
        rows, names = _numbered(*self)
        return {"turns": rows, "speaker_names": names}


def from_upload(file: UploadedFile) -> LabelledTurns:
    """Raises ValueError as `read` does."""
    if (file.size or 0) > LARGEST:
        raise ValueError(f"The file is larger than {LARGEST // 1_000_000} MB.")
    try:
        return read(file.read().decode())
    except UnicodeDecodeError as error:
        raise ValueError("The file is no text in UTF-8.") from error


def read(data: Any) -> LabelledTurns:
    """Of a text, or of what JSON gives. Raises ValueError, in words, for what is no turns."""
    if isinstance(data, str):
        text = data.lstrip("\ufeff")
        found = _from_json(_loaded(text)) if text.lstrip()[:1] in ("[", "{") else _from_rttm(text)
    else:
        found = _from_json(data)
    if not found.turns:
        raise ValueError("There is no turn.")
    return found


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("This is no JSON.") from error


def _from_rttm(text: str) -> LabelledTurns:
    try:
        turns, labels = rttm_turns(text)
    except ValueError as error:
        raise ValueError(f"This is no RTTM that can be used: {error}.") from error
    if not turns:
        raise ValueError("There is no turn: no line begins with SPEAKER, as in RTTM.")
    return LabelledTurns(turns, tuple(map(_label, labels)))


def _from_json(data: Any) -> LabelledTurns:
    names: dict[str, Any] = {}
    if isinstance(data, Mapping):
        names = _names(data)
        data = next((data[name] for name in LISTS if name in data), None)
    if not isinstance(data, list):
        raise ValueError("Give a list of turns, each with start, end and speaker, or RTTM.")
    if len(data) > MOST_TURNS:
        raise ValueError(f"Give up to {MOST_TURNS:,} turns.")
    labels: dict[str, int] = {}
    turns = []
    for number, item in enumerate(data, start=1):
        start, end, label, confidence = _parts(number, item)
        turns.append(Turn(start, end, labels.setdefault(_label(label), len(labels)), confidence))
    return LabelledTurns(tuple(turns), tuple(_label(str(names.get(label, label))) for label in labels))


def _names(exported: Mapping[str, Any]) -> dict[str, Any]:
    """What an export calls each of its speakers, by their number."""
    speakers = exported.get("speakers")
    named = [its for its in speakers if isinstance(its, Mapping)] if isinstance(speakers, list) else []
    return {str(its.get("id")): its["name"] for its in named if its.get("name")}


def _parts(number: int, item: Any) -> tuple[float, float, str, int | None]:
    if not isinstance(item, Mapping):
        raise ValueError(f"Turn {number} is no object.")
    start, end = (_seconds(item.get(name)) for name in ("start", "end"))
    if start is None or end is None:
        raise ValueError(f"Turn {number} needs a start and an end, in seconds.")
    label = item.get("speaker")
    if isinstance(label, bool) or not isinstance(label, str | int) or not str(label).strip():
        raise ValueError(f"Turn {number} needs a speaker, as a name or a number.")
    sure = item.get("confidence")
    if sure is not None and (isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 100):
        raise ValueError(f"Turn {number} has a confidence that is not from 0 to 100.")
    return start, end, str(label), None if sure is None else round(sure)


def _seconds(time: Any) -> float | None:
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    try:
        return float(time)
    except OverflowError:  # JSON's whole numbers have no end
        return None


def _numbered(turns: Sequence[Turn], labels: Sequence[str]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The turns and the names of their speakers, empty for those whose label is only a number. Where all have numbers
    they keep their order; else they come in that of their first turn.
    """
    counted = [_number(label) for label in labels]
    order = list(range(len(labels)))
    if None not in counted:
        order.sort(key=lambda index: counted[index] or 0)
    number = {index: place for place, index in enumerate(order)}
    names = tuple(labels[index] if counted[index] is None else "" for index in order)
    renumbered = (Turn(turn.start, turn.end, number[turn.speaker], turn.confidence) for turn in turns)
    return given.rows(renumbered), names


def _label(label: str) -> str:
    whole = label.replace("\0", "").encode(errors="ignore").decode()  # JSON may have half of a character
    name = " ".join(whole.split())
    if len(name) > naming.LONGEST:
        raise ValueError(f"A speaker's name has at most {naming.LONGEST} characters.")
    return name


def matched(sent: LabelledTurns, called: Mapping[int, str], unheard: int) -> tuple[list[Turn], dict[int, str]]:
    """Turns of people some of whom are speakers of a job already, who are `called` by their numbers. A label is such a
    speaker's name or number; any other is somebody new, from the number `unheard` on. Their names come, too.
    """
    known = {_in_rttm(name): speaker for speaker, name in called.items()}
    numbers: list[int] = []
    names: dict[int, str] = {}
    for label in sent.labels:
        counted = _number(label)
        speaker = known.get(_in_rttm(label)) if counted is None else counted
        if speaker not in called:
            speaker = unheard
            unheard += 1
            names |= {speaker: label} if counted is None else {}
        assert speaker is not None
        numbers.append(speaker)
    return [Turn(turn.start, turn.end, numbers[turn.speaker], turn.confidence) for turn in sent.turns], names


def _number(label: str) -> int | None:
    """The number from 0 that a label is, None for a name."""
    if counted := COUNTED.fullmatch(label):
        return int(counted[1])
    numbered = NUMBERED.fullmatch(label)
    return int(numbered[1]) - 1 if numbered else None


def _in_rttm(name: str) -> str:
    """What is left of a name where an export as RTTM has it, in any case."""
    return "_".join(name.split()).replace('"', "'").casefold()
