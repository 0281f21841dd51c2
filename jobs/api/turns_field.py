"""Turns in a request: who spoke when as somebody says it, as JSON or as RTTM."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audio_engine.formats import labelled_rttm
from audio_engine.given_turns import MOST_TURNS
from audio_engine.types import Turn
from jobs import given, naming
from jobs.given import Row

LARGEST = 10_000_000  # bytes; the most turns have as many as that in RTTM
COUNTED = re.compile(r"(?:SPEAKER_)?(\d{1,4})", re.ASCII)  # a label as the service gives it
NUMBERED = re.compile(r"Speaker[ _](\d{1,4})", re.ASCII)  # and a name as the portal does
SHAPE = {
    "oneOf": [
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "start": {"type": "number"},
                    "end": {"type": "number"},
                    "speaker": {"type": "string"},
                    "confidence": {"type": "number", "nullable": True},
                },
                "required": ["start", "end", "speaker"],
            },
        },
        {"type": "string", "description": "The same as JSON, or an RTTM file."},
    ]
}


class LabelledTurns(NamedTuple):
    """`labels` are those of the speakers, in the order of their first turn, which is how they are numbered."""

    turns: tuple[Turn, ...]
    labels: tuple[str, ...]


@extend_schema_field(SHAPE)
class TurnsField(serializers.Field):  # type: ignore[type-arg]
    """A list in JSON, or a text or a file that has one or is RTTM."""

    def to_internal_value(self, data: Any) -> LabelledTurns:
        if isinstance(data, UploadedFile):
            data = self._text(data)
        if isinstance(data, str):
            data = data.lstrip("\ufeff").strip()
            found = _from_json(_loaded(data)) if data.startswith("[") else _from_rttm(data)
        else:
            found = _from_json(data)
        if not found.turns:
            raise serializers.ValidationError("There is no turn.")
        return found

    def _text(self, file: UploadedFile) -> str:
        if (file.size or 0) > LARGEST:
            raise serializers.ValidationError(f"The file is larger than {LARGEST // 1_000_000} MB.")
        try:
            return file.read().decode()
        except UnicodeDecodeError as error:
            raise serializers.ValidationError("The file is no text in UTF-8.") from error


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise serializers.ValidationError("This is no JSON.") from error


def _from_rttm(text: str) -> LabelledTurns:
    try:
        turns, labels = labelled_rttm(text)
    except ValueError as error:
        raise serializers.ValidationError(f"This is no RTTM: {error}.") from error
    return LabelledTurns(turns, tuple(map(_label, labels)))


def _from_json(data: Any) -> LabelledTurns:
    if not isinstance(data, list):
        raise serializers.ValidationError("Give a list of turns, each with start, end and speaker, or RTTM.")
    if len(data) > MOST_TURNS:
        raise serializers.ValidationError(f"Give up to {MOST_TURNS:,} turns.")
    labels: dict[str, int] = {}
    turns = []
    for number, item in enumerate(data, start=1):
        start, end, label, confidence = _parts(number, item)
        turns.append(Turn(start, end, labels.setdefault(_label(label), len(labels)), confidence))
    return LabelledTurns(tuple(turns), tuple(labels))


def _parts(number: int, item: Any) -> tuple[float, float, str, int | None]:
    if not isinstance(item, Mapping):
        raise serializers.ValidationError(f"Turn {number} is no object.")
    times = [item.get(name) for name in ("start", "end")]
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
        raise serializers.ValidationError(f"Turn {number} needs a start and an end, in seconds.")
    label = item.get("speaker")
    if isinstance(label, bool) or not isinstance(label, str | int) or not str(label).strip():
        raise serializers.ValidationError(f"Turn {number} needs a speaker, as a name or a number.")
    sure = item.get("confidence")
    if sure is not None and (isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 100):
        raise serializers.ValidationError(f"Turn {number} has a confidence that is not from 0 to 100.")
    return float(times[0]), float(times[1]), str(label), None if sure is None else round(sure)  # type: ignore[arg-type]


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
    name = " ".join(label.replace("\0", "").split())
    if len(name) > naming.LONGEST:
        raise serializers.ValidationError(f"A speaker's name has at most {naming.LONGEST} characters.")
    return name


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request gives, with its turns as jobs/options.py takes them."""
    if "turns" not in given:
        return dict(given)
    rows, names = _numbered(*given["turns"])
    return {**given, "turns": rows, "speaker_names": names}


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
