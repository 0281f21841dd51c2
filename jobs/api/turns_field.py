"""Turns in a request: who spoke when as somebody says it, as JSON or as RTTM."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
NUMBERED = re.compile(r"(?:SPEAKER_)?(\d{1,4})", re.ASCII)  # a label as those that the service gives
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
                },
                "required": ["start", "end", "speaker"],
            },
        },
        {"type": "string", "description": "The same as JSON, or an RTTM file."},
    ]
}


class GivenTurns(NamedTuple):
    """`names` are those of the speakers by number; empty for one whose label is only a number."""

    rows: tuple[Row, ...]
    names: tuple[str, ...]


@extend_schema_field(SHAPE)
class TurnsField(serializers.Field):  # type: ignore[type-arg]
    """A list in JSON, or a text or a file that has one or is RTTM."""

    def to_internal_value(self, data: Any) -> GivenTurns:
        if isinstance(data, UploadedFile):
            data = self._text(data)
        if isinstance(data, str):
            data = data.lstrip("\ufeff").strip()
            return _numbered(*(_from_json(_loaded(data)) if data.startswith("[") else _from_rttm(data)))
        return _numbered(*_from_json(data))

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


def _from_rttm(text: str) -> tuple[list[Turn], list[str]]:
    try:
        turns, labels = labelled_rttm(text)
    except ValueError as error:
        raise serializers.ValidationError(f"This is no RTTM: {error}.") from error
    return list(turns), list(labels)


def _from_json(data: Any) -> tuple[list[Turn], list[str]]:
    if not isinstance(data, list):
        raise serializers.ValidationError("Give a list of turns, each with start, end and speaker, or RTTM.")
    if len(data) > MOST_TURNS:
        raise serializers.ValidationError(f"Give up to {MOST_TURNS:,} turns.")
    labels: dict[str, int] = {}
    turns = []
    for number, item in enumerate(data, start=1):
        start, end, label = _parts(number, item)
        turns.append(Turn(start, end, labels.setdefault(label, len(labels))))
    return turns, list(labels)


def _parts(number: int, item: Any) -> tuple[float, float, str]:
    if not isinstance(item, Mapping):
        raise serializers.ValidationError(f"Turn {number} is no object.")
    times = [item.get(name) for name in ("start", "end")]
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
        raise serializers.ValidationError(f"Turn {number} needs a start and an end, in seconds.")
    label = item.get("speaker")
    if isinstance(label, bool) or not isinstance(label, str | int) or not str(label).strip():
        raise serializers.ValidationError(f"Turn {number} needs a speaker, as a name or a number.")
    return float(times[0]), float(times[1]), str(label)  # type: ignore[arg-type]


def _numbered(turns: list[Turn], labels: list[str]) -> GivenTurns:
    """Speakers who all have numbers for labels keep their order; else they come in that of their first turn."""
    if not turns:
        raise serializers.ValidationError("There is no turn.")
    found = [NUMBERED.fullmatch(label.strip()) for label in labels]
    order = list(range(len(labels)))
    if all(found):
        order.sort(key=lambda index: int(found[index][1]))  # type: ignore[index]
    number = {index: place for place, index in enumerate(order)}
    names = tuple("" if found[index] else _name(labels[index]) for index in order)
    renumbered = (Turn(turn.start, turn.end, number[turn.speaker], turn.confidence) for turn in turns)
    return GivenTurns(given.rows(renumbered), names)


def _name(label: str) -> str:
    name = " ".join(label.replace("\0", "").split())
    if len(name) > naming.LONGEST:
        raise serializers.ValidationError(f"A speaker's name has at most {naming.LONGEST} characters.")
    return name


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request gives, with its turns as jobs/options.py takes them."""
    if "turns" not in given:
        return dict(given)
    turns: GivenTurns = given["turns"]
    return {**given, "turns": turns.rows, "speaker_names": turns.names}
