"""Fields of requests, for every surface."""

from __future__ import annotations

import math
import re
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers

from audio_engine.errors import EngineError
from audio_engine.music import STEMS
from audio_engine.transcription.subtitles import decoded
from jobs.options import LARGEST_SUBTITLES


class OneOf(serializers.ChoiceField):
    """A choice that says what there is to choose from."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        if "error_messages" not in options:
            self.error_messages["invalid_choice"] += f" There are {', '.join(map(str, self.choices))}."


class FiniteField(serializers.FloatField):
    """Of which nan and inf are none, as in JSON."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class StemsField(serializers.ListField):
    """Names of stems, which a form has as a list in JSON or as Python writes it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=OneOf(STEMS), min_length=1, required=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        names = re.findall(r"\w+", data) if isinstance(data, str) else data
        for name in names if isinstance(names, list) else ():
            if name not in STEMS:
                raise serializers.ValidationError(f"{name!r} is no stem; there are {', '.join(STEMS)}.")
        return super().to_internal_value(names)


class SubtitlesField(serializers.CharField):
    """A SubRip file, sent as a file or as its text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LARGEST_SUBTITLES, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        text = self._text(data) if isinstance(data, UploadedFile) else super().to_internal_value(data)
        return text.replace("\0", "")  # which PostgreSQL's JSON cannot hold

    def _text(self, file: UploadedFile) -> str:
        if (file.size or 0) > LARGEST_SUBTITLES:
            self.fail("max_length", max_length=LARGEST_SUBTITLES)
        try:
            return decoded(file.read()) or self.fail("blank")
        except EngineError as error:
            raise serializers.ValidationError(error.message) from error
