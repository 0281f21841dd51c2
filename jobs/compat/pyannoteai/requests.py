"""What pyannoteAI's requests may carry: https://docs.pyannote.ai/api-reference/diarize."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers as s

from jobs.api.fields import FiniteField, OneOf
from jobs.options import MOST_KNOWN_VOICES
from jobs.shared_options import MOST_SPEAKERS

from .rendering import STATUSES

MEDIA_KEY = r"^media://[a-zA-Z0-9\-_./]+\Z"
MODELS = ["precision-1", "precision-2", "community-1"]
TRANSCRIBERS = ["parakeet-tdt-0.6b-v3", "faster-whisper-large-v3-turbo"]
MOST_A_PAGE = 100
Request = s.Serializer[Any]


class MediaRequest(Request):
    url = s.RegexField(
        MEDIA_KEY, max_length=255, error_messages={"invalid": "Give media:// and letters, digits, -, _, . and /."}
    )


def _speakers(meaning: str) -> s.IntegerField:
    return s.IntegerField(required=False, min_value=1, max_value=MOST_SPEAKERS, help_text=meaning)


def _flag(meaning: str) -> s.BooleanField:
    return s.BooleanField(default=False, help_text=meaning)


class WorkRequest(Request):
    """What all requests for work share."""

    url = s.CharField(max_length=2000, help_text="A direct link on a public server, or `media://…`.")
    model = OneOf(
        MODELS,
        required=False,
        help_text="`community-1` is run where this server has it; the precision models are pyannoteAI's own, and the "
        "best of this server's engines does their work.",
    )
    webhook = s.CharField(required=False, max_length=2000, help_text="Told how the job ends.")
    webhookStatusOnly = _flag("Tell it no output.")


class SpeakersRequest(WorkRequest):
    numSpeakers = _speakers("Exactly so many people speak. Not with the two others.")
    minSpeakers = _speakers("At least so many people speak.")
    maxSpeakers = _speakers("At most so many people speak.")
    exclusive = _flag("Tell also `exclusiveDiarization`, without overlapping speech.")
    confidence = _flag("Tell also how sure the engine is of each 20 ms.")
    turnLevelConfidence = _flag("Tell also how sure the engine is of each turn.")


class TranscriptionConfig(Request):
    model = OneOf(
        TRANSCRIBERS,
        required=False,
        help_text="`faster-whisper-large-v3-turbo` is run where this server has it; in the place of others comes the "
        "best of what it has.",
    )


class DiarizeRequest(SpeakersRequest):
    transcription = _flag("Tell also what was said, where a model for that is installed.")
    transcriptionConfig = TranscriptionConfig(required=False)


class KnownVoice(Request):
    label = s.RegexField(
        re.compile("^(?!speaker_)", re.IGNORECASE),
        max_length=100,
        help_text="Does not begin with `SPEAKER_`.",
        error_messages={"invalid": "A label cannot begin with SPEAKER_."},
    )
    voiceprint = s.CharField(max_length=20_000, help_text="The output of a voiceprint's job.")


class Matching(Request):
    exclusive = s.BooleanField(default=True, help_text="Nobody is two speakers.")
    threshold = FiniteField(default=0, min_value=0, max_value=100, help_text="Least confidence of a match.")


class IdentifyRequest(SpeakersRequest):
    voiceprints = s.ListField(child=KnownVoice(), min_length=1, max_length=MOST_KNOWN_VOICES)
    matching = Matching(required=False)

    def validate_voiceprints(self, voices: list[dict[str, str]]) -> list[dict[str, str]]:
        if len({voice["label"] for voice in voices}) < len(voices):
            raise s.ValidationError("Two voiceprints have the same label.")
        return voices


class ListQuery(Request):
    limit = s.IntegerField(default=10, min_value=1, max_value=MOST_A_PAGE)
    cursor = s.UUIDField(required=False, help_text="The `nextCursor` of the page before.")
    status = OneOf(STATUSES, required=False)


class OldListQuery(Request):
    take = s.IntegerField(required=False, min_value=1, max_value=MOST_A_PAGE, help_text="So many jobs; 10 if left out.")
    skip = s.IntegerField(required=False, min_value=0, max_value=10**9, help_text="Without the first so many.")
    limit = s.IntegerField(required=False, min_value=1, max_value=MOST_A_PAGE, help_text="The same as `take`.")
    offset = s.IntegerField(required=False, min_value=0, max_value=10**9, help_text="The same as `skip`.")
    status = OneOf(STATUSES, required=False)
