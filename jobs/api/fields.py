"""Fields of requests, for every surface."""

from __future__ import annotations

import math
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers

from audio_engine.errors import EngineError
from audio_engine.transcription.subtitles import decoded

LARGEST_SUBTITLES = 500_000  # characters; those of a long film have a fifth of it


class FiniteField(serializers.FloatField):
    """Of which nan and inf are none, as in JSON."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


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
