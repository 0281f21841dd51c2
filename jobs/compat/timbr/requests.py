"""What Timbr's clients may send. Limits and defaults are its documentation's."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from audio_engine.sound import EQUALIZERS
from jobs.api.fields import FiniteField, OneOf
from jobs.shared_options import MOST_SPEAKERS

STATUSES = ("pending", "queued", "processing", "completed", "failed")
LOUDNESS = -16.0  # LUFS, usual for speech that is listened to on the way
MOST_A_PAGE = 100
LARGEST_PAGE = 10**6


class TimbrUpload(s.Serializer[Any]):
    filename = s.CharField(required=False, max_length=255, help_text="Ours: what to call the recording.")


class TimbrFile(s.Serializer[Any]):
    file_id = s.CharField(max_length=100, help_text="Of an upload that is complete.")


class TimbrSeparate(TimbrFile):
    separation_type = OneOf(["dialogue-me", "dialogue-music-effect", "speech-nonlingual"], default="dialogue-me")
    sample_rate = s.IntegerField(default=48_000, min_value=8_000, max_value=192_000, help_text="Hz.")
    bit_depth = s.IntegerField(default=16, min_value=8, max_value=32)
    output_format = s.CharField(default="wav", max_length=20)


class TimbrEnhance(TimbrFile):
    denoise = s.BooleanField(default=True)
    noise_reduction = FiniteField(
        default=0.5, min_value=0, max_value=1, help_text="How much of the noise is taken away."
    )
    eq_preset = OneOf(EQUALIZERS, default="balanced")
    compression = s.BooleanField(default=False)
    normalize = s.BooleanField(default=True, help_text=f"Bring it to {LOUDNESS} LUFS.")


class TimbrDiarize(TimbrFile):
    num_speakers = s.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_SPEAKERS, help_text="Found out if left out."
    )
    language = s.CharField(default="auto", max_length=20)
    transcribe_model = s.CharField(required=False, allow_null=True, max_length=40)
    vad_type = s.CharField(default="ten-vad", max_length=40)
    vad_threshold = FiniteField(default=0.5, min_value=0, max_value=1)
    vad_min_speech_duration = FiniteField(default=0.1, min_value=0, max_value=5, help_text="Seconds.")
    vad_min_silence_duration = FiniteField(default=0.1, min_value=0, max_value=5, help_text="Seconds.")
    detect_gender = s.BooleanField(default=False, help_text="Guess it by the pitch of each voice.")
    input_srt_file_id = s.CharField(required=False, allow_null=True, max_length=100)


class TimbrJobsQuery(s.Serializer[Any]):
    page = s.IntegerField(default=1, min_value=1, max_value=LARGEST_PAGE)
    page_size = s.IntegerField(default=20, min_value=1, max_value=MOST_A_PAGE)
    status = OneOf(STATUSES, required=False)
