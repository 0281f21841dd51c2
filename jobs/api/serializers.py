"""What requests may carry. Rules that hold for every surface are in jobs/options.py."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

from audio_engine.exports import FORMATS
from audio_engine.options import LOUDEST, QUIETEST
from audio_engine.sound import EQUALIZERS, QUALITIES
from audio_engine.types import OVERLAP_POLICIES, SPEAKER_TASKS, TASKS
from jobs.options import MOST_KNOWN_VOICES
from jobs.shared_options import MOST_SPEAKERS

from . import turns_field
from .fields import FiniteField, OneOf, StemsField, SubtitlesField
from .render import STATUSES
from .turns_field import TurnsField

MOST_JOBS_A_PAGE = 100
LONGEST_WAIT = 60
MOST_JOBS_A_BATCH = 100
NOISE_TYPES = ("general", "electrical_hum", "air_conditioning", "traffic", "crowd")  # AudioPod's
VOICE_ATTRIBUTES = "Tell each speaker's range of pitch with the result, and a guess of their gender by it."
TURNS = (
    "Who spoke when, where you know it: a list of turns, or RTTM as text or as a file. No engine has to tell it then, "
    "which costs less."
)
UNSUPPORTED = {"stationary", "time_constant_s", "freq_mask_smooth_hz", "time_mask_smooth_ms"}


def speaker_count(meaning: str) -> serializers.IntegerField:
    return serializers.IntegerField(required=False, min_value=1, max_value=MOST_SPEAKERS, help_text=meaning)


class WorkSerializer(serializers.Serializer[Any]):
    """What every request for work carries; each task adds its options, under the names of jobs/options.py."""

    file = serializers.FileField(required=False, allow_empty_file=True, help_text="An audio or video file.")
    url = serializers.CharField(
        required=False,
        max_length=2000,
        help_text="Instead of a file: an http(s) link to one on a public server, or to its page on an allowed site.",
    )
    media = serializers.UUIDField(required=False, help_text="Instead: the `id` of a stored recording.")
    webhook_url = serializers.CharField(
        required=False, max_length=2000, help_text="Told how this job ends, besides the account's webhook endpoints."
    )


class CountedSerializer(WorkSerializer):
    num_speakers = speaker_count("Exactly so many people speak.")
    min_speakers = speaker_count("At least so many people speak.")
    max_speakers = speaker_count("At most so many people speak.")
    engine = serializers.CharField(
        required=False, max_length=40, help_text="One of the server's engines; `auto` (the default) takes the best."
    )
    speech_threshold = FiniteField(
        required=False,
        min_value=0,
        max_value=1,
        help_text="Of the engine `embedded`: above 0.5, as which it is tuned, less counts as speech, below it more.",
    )
    turns = TurnsField(required=False, help_text=TURNS)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        return turns_field.options(given)


class DiarizeSerializer(CountedSerializer):
    voiceprints = serializers.BooleanField(
        required=False, help_text="Give a voiceprint of each speaker with the result. It is biometric data."
    )
    voice_attributes = serializers.BooleanField(required=False, help_text=VOICE_ATTRIBUTES)


class ExtractSerializer(DiarizeSerializer):
    overlap = OneOf(
        OVERLAP_POLICIES,
        required=False,
        help_text="Where several speak at once: `separate` (the default) gives each track its speaker's part, `keep` "
        "leaves all on each of their tracks, `mute` on none.",
    )
    separator = serializers.CharField(
        required=False,
        max_length=40,
        help_text="The engine that splits what several say at once; `auto` (the default) takes the best.",
    )
    clean_background = serializers.BooleanField(required=False, help_text="Lower noise and music in the tracks.")
    cleaner = serializers.CharField(
        required=False, max_length=40, help_text="The engine that does; `auto` (the default) takes the best."
    )
    compact = serializers.BooleanField(required=False, help_text="Leave the silence out of the tracks.")


class VoicesField(serializers.ListField):
    """In a form, names with commas in between, of which they therefore have none."""

    def __init__(self, **options: Any) -> None:
        child = serializers.CharField(max_length=100)
        super().__init__(child=child, min_length=1, max_length=MOST_KNOWN_VOICES, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.split(",") if isinstance(data, str) else data)


class MatchingSerializer(serializers.Serializer[Any]):
    """Of an identification."""

    voices = VoicesField(help_text="Names or ids of saved voiceprints that speakers are compared with.")
    threshold = FiniteField(
        required=False, min_value=0, max_value=100, help_text="Least confidence of a match; 50 if left out."
    )
    exclusive_matching = serializers.BooleanField(
        required=False, help_text="Nobody is two speakers, which is the default."
    )


class IdentifySerializer(MatchingSerializer, CountedSerializer):
    pass


class DenoiseSerializer(WorkSerializer):
    quality_mode = OneOf(
        QUALITIES,
        required=False,
        source="quality",
        help_text="What the noise is known by: `balanced` follows it, `studio` (the default) also looks ahead, `ultra` "
        "goes further.",
    )
    strength = FiniteField(
        required=False, min_value=0, max_value=1, help_text="0 leaves the noise, 1 (the default) takes what can go."
    )
    equalizer = OneOf(EQUALIZERS, required=False, help_text="None if left out.")
    compress = serializers.BooleanField(required=False, help_text="Bring loud and soft closer together.")
    loudness = FiniteField(
        required=False,
        min_value=QUIETEST,
        max_value=LOUDEST,
        help_text="LUFS to bring it to (EBU R 128); it stays as loud as it was if left out.",
    )
    engine = serializers.CharField(
        required=False, max_length=40, help_text="`rnnoise`, `spectral`, or `auto`, the default."
    )


class SpectralDenoiseSerializer(WorkSerializer):
    noise_type = OneOf(
        NOISE_TYPES,
        required=False,
        help_text="Changes nothing: what the noise sounds like is heard from the recording itself.",
    )
    prop_decrease = FiniteField(
        required=False, min_value=0, max_value=1, source="strength", help_text="How much of the noise goes, 0 to 1."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        for name in UNSUPPORTED & self.initial_data.keys():
            raise serializers.ValidationError({name: "This server has no such setting; leave it out."})
        return {name: value for name, value in given.items() if name != "noise_type"}


class PageQuery(serializers.Serializer[Any]):
    skip = serializers.IntegerField(default=0, min_value=0, max_value=10**9)
    limit = serializers.IntegerField(default=50, min_value=1, max_value=MOST_JOBS_A_PAGE)


class JobsQuery(PageQuery):
    job_type = OneOf(SPEAKER_TASKS, required=False)
    status = OneOf(STATUSES, required=False, help_text="Any case will do.")

    def to_internal_value(self, data: Any) -> Any:
        given = {name: value for name, value in data.items() if value != ""}
        if "status" in given:
            given["status"] = given["status"].upper()
        return super().to_internal_value(given)


class ExportQuery(serializers.Serializer[Any]):
    format = OneOf([(name, its.meaning) for name, its in FORMATS.items()])


class WaitQuery(serializers.Serializer[Any]):
    wait = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=LONGEST_WAIT,
        help_text="Seconds to wait for a change, if there is none yet. Progress alone ends a wait after a second.",
    )
    after = serializers.CharField(
        required=False, help_text="The `version` that is known already; the one at the request's time if left out."
    )


class ListQuery(serializers.Serializer[Any]):
    status = OneOf(STATUSES, required=False, help_text="Any case will do.")
    job_type = OneOf(TASKS, required=False)
    name = serializers.CharField(required=False, max_length=255, help_text="Part of the name, in any case.")
    engine = serializers.CharField(
        required=False, max_length=40, help_text="The engine that did the work, or that is asked for."
    )
    created_after = serializers.DateTimeField(required=False, help_text="At this moment or later, ISO 8601.")
    created_before = serializers.DateTimeField(required=False, help_text="Before this moment, ISO 8601.")
    cursor = serializers.CharField(required=False, max_length=100, help_text="The `next_cursor` of the page before.")
    limit = serializers.IntegerField(default=50, min_value=1, max_value=MOST_JOBS_A_PAGE)

    def to_internal_value(self, data: Any) -> Any:
        given = {name: value for name, value in data.items() if value != ""}
        if "status" in given:
            given["status"] = given["status"].upper()
        return super().to_internal_value(given)


class BatchItem(ExtractSerializer):
    """Each as in a request for one job; a recording is named instead of sent."""

    file = None
    language = serializers.CharField(required=False, max_length=20, help_text="Of a transcription, such as `en`.")
    speaker_labels = serializers.BooleanField(
        required=False, help_text="Of a transcription: whether it says who speaks."
    )
    diarizer = serializers.CharField(
        required=False, max_length=40, help_text="Of a transcription: the engine that tells the speakers."
    )
    input_srt = SubtitlesField(required=False, help_text="Of a transcription: the text of subtitles that are there.")
    job_type = OneOf(TASKS, default="extraction")
    voices = VoicesField(required=False, help_text="Of an identification: names or ids of saved voiceprints.")
    threshold = FiniteField(required=False, help_text="Of an identification, as is the next.")
    exclusive_matching = serializers.BooleanField(required=False)
    sample_rate = serializers.IntegerField(required=False, help_text="Hz, of a dialogue separation's files.")
    bit_depth = serializers.IntegerField(required=False, help_text="Of a dialogue separation's files.")
    split_background = serializers.BooleanField(
        required=False, help_text="Of a dialogue separation: music and effects in files of their own, by basic means."
    )
    words_only = serializers.BooleanField(
        required=False, help_text="Of a dialogue separation: laughs, breaths and the like are no speech."
    )
    recogniser = serializers.CharField(
        required=False, max_length=40, help_text="The engine that knows the words then, as of a transcription."
    )
    quality = OneOf(QUALITIES, required=False, help_text="Of a denoising, as are the next four.")
    strength = FiniteField(required=False)
    equalizer = OneOf(EQUALIZERS, required=False)
    compress = serializers.BooleanField(required=False)
    loudness = FiniteField(required=False)
    stems = StemsField(help_text="Of a stem extraction; all if left out.")


class BatchSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=MOST_JOBS_A_BATCH
    )
    defaults = serializers.DictField(default=dict, help_text="What holds for every item that does not say otherwise.")


class BatchRequest(serializers.Serializer[Any]):
    """BatchSerializer, for the document: items are checked one by one, so that one refuses no other."""

    items = BatchItem(many=True)
    defaults = BatchItem(required=False)


class ArchiveQuery(serializers.Serializer[Any]):
    ids = serializers.CharField(max_length=1200, help_text="The jobs' ids, with commas in between; up to 100.")

    def validate_ids(self, text: str) -> list[int]:
        ids = list(dict.fromkeys(part.strip() for part in text.split(",")))
        if len(ids) > MOST_JOBS_A_BATCH or not all(part.isdecimal() and len(part) < 19 for part in ids):
            raise serializers.ValidationError(f"Give up to {MOST_JOBS_A_BATCH} ids of jobs, as 1,2,3.")
        return [int(part) for part in ids]


class AddressSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(
        required=False, default="", max_length=255, allow_blank=True, help_text="What to call the recording."
    )
    bytes = serializers.IntegerField(min_value=1, max_value=10**15, help_text="Of the file: that many are taken.")


class UploadRequest(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="An audio or video file.")


class EstimateSerializer(serializers.Serializer[Any]):
    job_type = OneOf(TASKS, default="extraction")
    seconds = FiniteField(required=False, min_value=0, help_text="How long the recording is.")
    media = serializers.UUIDField(required=False, help_text="Instead: the `id` of a stored recording.")
    url = serializers.CharField(
        required=False,
        max_length=2000,
        help_text="Instead: a link, of which the beginning is looked at, or a page whose site says.",
    )
    given_turns = serializers.BooleanField(
        default=False, help_text="Whether the job is to be sent its `turns`, where it takes any."
    )

    def validate_seconds(self, seconds: float) -> float:
        if not math.isfinite(seconds):
            raise serializers.ValidationError("A valid number is required.")
        return seconds
