"""What a request says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers


def validated(fields: type[serializers.Serializer[Any]], given: Any, *, partial: bool = False) -> dict[str, Any]:
    """What a request says. Raises ValidationError, which names what there is no field for, too."""
    serializer = fields(data=given, partial=partial)
    names = given.keys() if isinstance(given, Mapping) else set()
    unknown = {name: [_unknown(name, serializer.fields)] for name in sorted(names - serializer.fields.keys())}
    if not serializer.is_valid() or unknown:
        raise serializers.ValidationError({**serializer.errors, **unknown})
    return dict(serializer.validated_data)


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"There is no such option here. Is {close[0]} meant?" if close else "There is no such option here."
