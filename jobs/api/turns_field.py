"""Turns in a request: who spoke when as somebody says it, as JSON or as RTTM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs import sent_turns
from jobs.sent_turns import LabelledTurns

TURNS = {
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
}
SHAPE = {
    "oneOf": [
        TURNS,
        {"type": "object", "properties": {"turns": TURNS}, "description": "An export as JSON, with its names."},
        {"type": "string", "description": "The same as JSON, or an RTTM file."},
    ]
}


@extend_schema_field(SHAPE)
class TurnsField(serializers.Field):  # type: ignore[type-arg]
    """A list in JSON, or a text or a file that has one or is RTTM."""

    def to_internal_value(self, data: Any) -> LabelledTurns:
        try:
            return sent_turns.from_upload(data) if isinstance(data, UploadedFile) else sent_turns.read(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request gives, with its turns as jobs/options.py takes them."""
    return {**given, **given["turns"].options()} if "turns" in given else dict(given)
