"""What the requests and answers of /api/v1/transcription hold, and what the OpenAPI document says of them."""

from __future__ import annotations

import math
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers as s

from audio_engine.transcription.languages import language_code
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS
from jobs.revisions import LONGEST_NOTES, LONGEST_TEXT

from . import turns_field
from .bodies import Body, JobBody, JobItemBody
from .fields import OneOf, SubtitlesField
from .render import STATUSES
from .schema import AGAIN, FORMS, KEY, REFUSED, answers, recording
from .serializers import MOST_JOBS_A_PAGE, TURNS, VOICE_ATTRIBUTES, speaker_count
from .turns_field import TurnsField

TAGS = ["Transcription"]
AUTOMATIC = ("", "auto")
MOST_SEGMENTS = 100_000
ANY_MODEL = ("auto", "whisperx", "faster-whisper")  # AudioPod's names for its models


class TranscribeSerializer(s.Serializer[Any]):
    source_urls = s.ListField(
        child=s.CharField(max_length=2000),
        required=False,
        min_length=1,
        help_text="One direct http(s) link to a recording on a public server.",
    )
    language = s.CharField(required=False, max_length=20, help_text="Such as `en`; found out if left out or `auto`.")
    model_type = s.CharField(
        required=False, max_length=40, help_text="One of the server's engines for transcription; by default the best."
    )
    enable_speaker_diarization = s.BooleanField(
        required=False, help_text="Whether the transcript says who speaks; it does by default."
    )
    num_speakers = speaker_count("Exactly so many people speak.")
    min_speakers = speaker_count("At least so many people speak.")
    max_speakers = speaker_count("At most so many people speak.")
    diarizer = s.CharField(required=False, max_length=40, help_text="The engine that tells the speakers.")
    voice_attributes = s.BooleanField(required=False, help_text=VOICE_ATTRIBUTES)
    input_srt = SubtitlesField(
        required=False,
        help_text="Subtitles (SRT) that are there already: speakers are given to their lines, and no words recognised.",
    )
    turns = TurnsField(required=False, help_text=TURNS)
    webhook_url = s.CharField(required=False, max_length=2000, help_text="Told how this job ends.")
    enable_word_timestamps = s.BooleanField(required=False, help_text="Changes nothing: they are always told.")
    enable_confidence_scores = s.BooleanField(required=False, help_text="Changes nothing: they are always told.")
    chunk_duration = s.FloatField(required=False, help_text="Changes nothing: pieces are cut where nobody speaks.")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data.get("source_urls"), str):
            data = {**data, "source_urls": [data["source_urls"]]}
        fields = super().to_internal_value(data)
        if (model := fields.pop("model_type", None)) and model not in ANY_MODEL:
            fields["engine"] = model
        if "enable_speaker_diarization" in fields:
            fields["speaker_labels"] = fields.pop("enable_speaker_diarization")
        return turns_field.options(fields)

    def validate_source_urls(self, urls: list[str]) -> list[str]:
        if len(urls) > 1:
            raise s.ValidationError("Give one link with each request; /api/v1/jobs/batch takes many.")
        return urls

    def validate_language(self, tag: str) -> str:
        if tag.lower() in AUTOMATIC:
            return ""
        if not (code := language_code(tag)):
            raise s.ValidationError(f"{tag!r} is no language that can be transcribed.")
        return code


class TranscribeUploadSerializer(TranscribeSerializer):
    """For the document."""

    source_urls = None
    files = s.FileField(help_text="An audio or video file.")


class TranscriptionsQuery(s.Serializer[Any]):
    status = OneOf(STATUSES, required=False, help_text="Any case will do.")
    skip = s.IntegerField(default=0, min_value=0, max_value=10**9)
    offset = s.IntegerField(required=False, min_value=0, max_value=10**9, help_text="The same as `skip`.")
    limit = s.IntegerField(default=50, min_value=1, max_value=MOST_JOBS_A_PAGE)

    def to_internal_value(self, data: Any) -> Any:
        given = {name: value for name, value in data.items() if value != ""}
        if "status" in given:
            given["status"] = given["status"].upper()
        if "offset" in given:
            given.setdefault("skip", given["offset"])
        return super().to_internal_value(given)


class TranscriptQuery(s.Serializer[Any]):
    format = OneOf([(name, its.meaning) for name, its in TRANSCRIPT_FORMATS.items()], default="json")
    words = s.BooleanField(default=False, help_text="In captions: one for each word, not for each sentence.")
    version = s.IntegerField(required=False, min_value=1, help_text="The latest if left out; 1 is the engine's own.")


class Seconds(s.FloatField):
    """Not NaN, which is no less than anything and no more."""

    def to_internal_value(self, data: Any) -> float:
        seconds = super().to_internal_value(data)
        if not math.isfinite(seconds):
            self.fail("invalid")
        return seconds


class SegmentSerializer(s.Serializer[Any]):
    id = s.IntegerField(required=False, allow_null=True, min_value=0, help_text="Of the segment that it was.")
    start = Seconds(min_value=0, help_text="Seconds from the recording's start.")
    end = Seconds(min_value=0)
    text = s.CharField(max_length=LONGEST_TEXT)
    speaker_id = s.IntegerField(required=False, allow_null=True, min_value=0)
    speaker_label = s.CharField(required=False, allow_null=True, allow_blank=True, max_length=100)


class EditSerializer(s.Serializer[Any]):
    segments = SegmentSerializer(many=True, max_length=MOST_SEGMENTS)
    edit_notes = s.CharField(required=False, default="", allow_blank=True, max_length=LONGEST_NOTES)


class TranscriptionItemBody(JobItemBody):
    job_id = s.IntegerField(help_text="The same as `id`.")
    estimated_credits = s.IntegerField(allow_null=True, help_text="Null until the length is known.")
    estimated_duration = s.FloatField(allow_null=True, help_text="Of the recording, in seconds.")
    source_urls = s.ListField(child=s.CharField())


class TranscriptionBody(JobBody, TranscriptionItemBody):
    message = s.CharField(required=False, help_text="For a person.")


class TranscriptWordBody(Body):
    word = s.CharField()
    start = s.FloatField(help_text="Seconds from the recording's start.")
    end = s.FloatField()
    probability = s.FloatField(allow_null=True, help_text="0 to 1.")


class TranscriptSegmentBody(Body):
    id = s.IntegerField()
    start = s.FloatField()
    end = s.FloatField()
    text = s.CharField(help_text="A sentence of one speaker's.")
    confidence = s.FloatField(allow_null=True, help_text="Of its words, on average.")
    speaker_id = s.IntegerField(allow_null=True)
    speaker_label = s.CharField(allow_null=True)
    words = TranscriptWordBody(many=True)


class TranscriptSpeakerBody(Body):
    id = s.IntegerField()
    label = s.CharField()
    total_speaking_time = s.FloatField(help_text="Seconds.")


class TranscriptBody(Body):
    job_id = s.IntegerField()
    detected_language = s.CharField(allow_null=True)
    confidence_score = s.FloatField(allow_null=True, help_text="Of all words, on average.")
    total_duration = s.FloatField(help_text="Seconds.")
    segments = TranscriptSegmentBody(many=True)
    speakers = TranscriptSpeakerBody(many=True)
    video_metadata = s.ListField(child=s.CharField(), help_text="Empty.")


class EditableBody(Body):
    job_id = s.IntegerField()
    version = s.IntegerField()
    segments = TranscriptSegmentBody(many=True)


class RevisedBody(Body):
    job_id = s.IntegerField()
    version = s.IntegerField(help_text="The one that counts now.")
    changes_count = s.IntegerField(
        help_text="Segments that changed, came or went; without any there is no new version."
    )


class VersionBody(Body):
    version = s.IntegerField()
    created_at = s.DateTimeField()
    edit_notes = s.CharField()
    changes_count = s.IntegerField()


# --- the operations

SEGMENT = {
    "id": 0,
    "start": 0.42,
    "end": 1.9,
    "text": "How are you?",
    "confidence": 0.94,
    "speaker_id": 0,
    "speaker_label": "SPEAKER_00",
    "words": [{"word": "How", "start": 0.42, "end": 0.6, "probability": 0.97}],
}
SPOKEN = {
    "job_id": 123,
    "detected_language": "en",
    "confidence_score": 0.94,
    "total_duration": 300.0,
    "segments": [SEGMENT],
    "speakers": [{"id": 0, "label": "SPEAKER_00", "total_speaking_time": 245.7}],
    "video_metadata": [],
}
NO_MODEL = OpenApiExample(
    "No model is installed",
    {
        "error_code": "ENGINE_UNAVAILABLE",
        "message": "No engine for transcription is installed on this server. whisper-large-v3-turbo: …",
        "details": {"field": "engine", "missing": {"whisper-large-v3-turbo": "…"}},
    },
)
UNUSABLE = OpenApiResponse(
    REFUSED[422].response, "An option with an unusable value, or no model", examples=[*REFUSED[422].examples, NO_MODEL]
)
JOB = OpenApiResponse(TranscriptionBody, "The job")


def _submit(name: str, summary: str, request: Any) -> Any:
    return extend_schema(
        operation_id=name,
        summary=summary,
        tags=TAGS,
        parameters=[KEY],
        request=request,
        responses=answers(JOB, 400, 402, 409, 413, 415) | {422: UNUSABLE},
    )


TRANSCRIBE = _submit(
    "transcribe", "What is said at a URL and by whom", dict.fromkeys(reversed(FORMS), TranscribeSerializer)
)
TRANSCRIBE_UPLOAD = _submit(
    "transcribe_upload", "What is said in a file and by whom", {FORMS[0]: TranscribeUploadSerializer}
)
LIST = extend_schema(
    operation_id="list_transcriptions",
    summary="Your transcriptions, newest first",
    tags=TAGS,
    parameters=[TranscriptionsQuery],
    responses=answers(TranscriptionItemBody(many=True), 422),
)
GET = extend_schema(
    operation_id="get_transcription",
    summary="A transcription job",
    tags=TAGS,
    parameters=[AGAIN],
    responses=answers(JOB, 404),
)
DELETE = extend_schema(
    operation_id="delete_transcription",
    summary="Remove a transcription, its recording and its files; one under way is canceled",
    tags=TAGS,
    responses={204: OpenApiResponse(description="Gone")} | {status: REFUSED[status] for status in (401, 403, 404, 429)},
)
RETRY = extend_schema(
    operation_id="retry_transcription",
    summary="Run a failed or canceled transcription again, under the same id",
    tags=TAGS,
    parameters=[KEY],
    request=None,
    responses=answers(JOB, 400, 402, 404, 409, 422),
)
CANCEL = extend_schema(
    operation_id="cancel_transcription",
    summary="Stop a transcription that has not ended; nothing is charged",
    tags=TAGS,
    request=None,
    responses=answers(JOB, 404, 409),
)


class TranscriptTextBody(Body):
    """Subtitles or text, for those who accept JSON only."""


class TranscriptTextString(OpenApiSerializerExtension):
    target_class = TranscriptTextBody

    def map_serializer(self, *_: Any) -> dict[str, str]:
        return {"type": "string"}


TRANSCRIPT = extend_schema(
    operation_id="get_transcript",
    summary="What was said",
    description="Who accepts `application/json` and no text gets the text formats as a JSON string.",
    tags=TAGS,
    parameters=[TranscriptQuery],
    responses=answers(
        OpenApiResponse(
            PolymorphicProxySerializer("TranscriptOrTextBody", [TranscriptBody, TranscriptTextBody], None),
            "The transcript",
            examples=[OpenApiExample("A sentence", SPOKEN)],
        ),
        404,
        409,
        422,
    )
    | {(200, its.content_type.partition(";")[0]): OpenApiTypes.STR for its in list(TRANSCRIPT_FORMATS.values())[1:]},
)
AUDIO = extend_schema(
    operation_id="get_transcribed_recording",
    summary="The recording that was transcribed",
    description="`index` is 0, since a transcription has one recording. Answers Range.",
    tags=TAGS,
    responses=recording("The recording, as it was sent") | {status: REFUSED[status] for status in (401, 403, 404, 429)},
)
EDIT = extend_schema(
    operation_id="get_editable_transcript",
    summary="The segments of a transcript, to be corrected",
    tags=TAGS,
    responses=answers(EditableBody, 404, 409),
)
REVISE = extend_schema(
    operation_id="revise_transcript",
    summary="Correct a transcript",
    description="Makes a version of `segments` as they should be: one with an `id` is what that segment becomes, one "
    "without is new, and what is left out goes.",
    tags=TAGS,
    request={"application/json": EditSerializer},
    responses=answers(RevisedBody, 400, 404, 409, 413, 415, 422),
)
VERSIONS = extend_schema(
    operation_id="list_transcript_versions",
    summary="The versions of a transcript",
    tags=TAGS,
    responses=answers(VersionBody(many=True), 404, 409),
)
