"""The answers as the OpenAPI document describes them; render.py makes them, and a test holds one to the other."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from audio_engine.music import STEMS
from audio_engine.sound import EQUALIZERS, QUALITIES
from audio_engine.types import OVERLAP_POLICIES, TASKS
from audio_engine.voices import GENDERS
from jobs.models import Track

from .render import STATUSES

Body = s.Serializer[Any]


def _text(meaning: str = "", **options: Any) -> s.CharField:
    return s.CharField(help_text=meaning, **options)


def _number(meaning: str = "", **options: Any) -> s.FloatField:
    return s.FloatField(help_text=meaning, **options)


def _whole(meaning: str = "", **options: Any) -> s.IntegerField:
    return s.IntegerField(help_text=meaning, **options)


class ErrorBody(Body):
    error_code = _text("One of the codes in the documentation.")
    message = _text("For a person.")
    details = s.DictField(help_text="For a program: the field, the limit, the reason.")


class DetailBody(Body):
    detail = _text("For a person.")
    error_code = _text(required=False)


class WrongMember(Body):
    pointer = _text("JSON Pointer (RFC 6901) into the request's body.")
    detail = _text()


class ProblemBody(Body):
    type = _text("A reference to what the code means; `about:blank` where the status says all.")
    title = _text("The code in words.")
    status = _whole("The same as the answer's.")
    detail = _text("What happened here, for a person.")
    instance = _text("The address that was asked.", required=False)
    code = _text("One of the codes in the documentation.")
    details = s.DictField(help_text="For a program: the field, the limit, the reason.", required=False)
    errors = WrongMember(many=True, required=False)


class ProblemTypeBody(Body):
    code = _text()
    status = _whole()
    title = _text()


class MediaBody(Body):
    id = s.UUIDField(help_text="What a batch names the recording by.")
    duration = _number("Seconds.")
    bytes = _whole()
    container = _text()
    codec = _text()
    sample_rate = _whole("Hz.")
    channels = _whole()


class OptionsBody(Body):
    """Those of the job's task."""

    engine = _text()
    num_speakers = _whole(required=False, allow_null=True)
    min_speakers = _whole(required=False, allow_null=True)
    max_speakers = _whole(required=False, allow_null=True)
    overlap = s.ChoiceField(OVERLAP_POLICIES, required=False)
    separator = _text("Of an extraction: the engine that splits what several say at once.", required=False)
    clean_background = s.BooleanField(required=False)
    cleaner = _text("Of an extraction: the engine that lowers the background.", required=False)
    compact = s.BooleanField(required=False)
    voiceprints = s.BooleanField(required=False)
    voice_attributes = s.BooleanField(required=False)
    speech_threshold = _number("Null for as the engine is tuned.", required=False, allow_null=True)
    known = s.DictField(child=s.CharField(), required=False, help_text="Voiceprints by label, of an identification.")
    threshold = _number(required=False)
    exclusive_matching = s.BooleanField(required=False)
    sample_rate = _whole("Hz; null for the recording's own.", required=False, allow_null=True)
    bit_depth = _whole("Null for the recording's own.", required=False, allow_null=True)
    split_background = s.BooleanField(required=False)
    words_only = s.BooleanField(required=False, help_text="Of a dialogue separation, as is the next.")
    recogniser = _text("The engine that knows the words.", required=False)
    language = _text("Of a transcription; empty to find it out.", required=False)
    speaker_labels = s.BooleanField(required=False, help_text="Of a transcription: whether it says who speaks.")
    diarizer = _text("Of a transcription: the engine that tells the speakers.", required=False)
    input_srt = s.BooleanField(required=False, help_text="Of a transcription: whether it was sent its lines.")
    turns = s.BooleanField(required=False, help_text="Whether the job was sent who spoke when.")
    speaker_names = s.ListField(child=s.CharField(), required=False, help_text="Of those who speak in these turns.")
    quality = s.ChoiceField(QUALITIES, required=False)
    strength = _number(required=False)
    equalizer = s.ChoiceField(EQUALIZERS, required=False, allow_null=True)
    compress = s.BooleanField(required=False)
    loudness = _number("LUFS; null leaves it as it is.", required=False, allow_null=True)
    stems = s.ListField(child=s.ChoiceField(STEMS), required=False, help_text="Of a stem extraction; empty for all.")


class PathBody(Body):
    type = s.ChoiceField(Track.Kind.choices)
    speaker = _text("Label of the speaker, for audio.", required=False)
    path = _text()


class FileBody(PathBody):
    bytes = _whole()
    download_url = _text("Good for an hour unless the server says otherwise; needs no credentials; answers Range.")


class AudioStatsBody(Body):
    rms_db = _number("dBFS where the speaker speaks.", allow_null=True)
    peak = _number("1.0 is full scale.", allow_null=True)
    loudness_lufs = _number("Integrated, ITU-R BS.1770-4.", allow_null=True)
    snr_db = _number("Estimated.", allow_null=True)


class VoiceprintBody(Body):
    model = _text("Comparable only with voiceprints of the same one.")
    vector = s.ListField(child=s.FloatField(), help_text="Of unit length; compare by cosine.")


class VoiceAttributesBody(Body):
    pitch_low = _number("Hz; the 10th percentile; null where too little was heard.", allow_null=True)
    pitch_median = _number("Hz.", allow_null=True)
    pitch_high = _number("Hz; the 90th percentile.", allow_null=True)
    gender = s.ChoiceField(GENDERS, help_text="A guess by the pitch.")
    gender_confidence = _whole("The guess's probability in %; null where it is unknown.", allow_null=True)


class SpeakerBody(Body):
    id = _whole()
    label = _text("`SPEAKER_0` in extractions, `SPEAKER_00` in diarizations, as AudioPod has it.")
    audio_path = _text(required=False)
    download_url = _text(required=False)
    audio_stats = AudioStatsBody()
    total_speaking_time = _number("Seconds.")
    talk_share = _number("Of all speakers' talk time, 0 to 1.")
    turns = _whole("How many times they speak.")
    mean_turn_seconds = _number()
    overlap_seconds = _number("Spoken while another spoke.")
    match = _text("Of an identification: the known voice's label.", required=False, allow_null=True)
    confidence = s.DictField(
        child=s.IntegerField(), required=False, help_text="Of an identification: 0 to 100 for each known voice."
    )
    voiceprint = VoiceprintBody(
        required=False, allow_null=True, help_text="Where `voiceprints` were asked for; null: too little was heard."
    )
    voice_attributes = VoiceAttributesBody(required=False, help_text="Where they were asked for.")


class TurnBody(Body):
    start = _number("Seconds from the recording's start.")
    end = _number("Seconds.")
    speaker = _text()
    confidence = _whole("0 to 100; null from an engine that tells none.", allow_null=True)


class ExportedSpeakerBody(Body):
    id = _whole()
    name = _text()


class ExportedTurnBody(TurnBody):
    speaker = _whole("The speaker's id.")
    name = _text()


class ExportedBody(Body):
    recording = _text("Its file name.")
    duration = _number("Seconds.")
    speakers = ExportedSpeakerBody(many=True)
    turns = ExportedTurnBody(many=True)


class RecordingBody(Body):
    speech_seconds = _number()
    silence_seconds = _number()
    overlap_seconds = _number()


class SpanBody(Body):
    track_start = _number("Seconds in the compact track.")
    source_start = _number("Seconds in the recording.")
    seconds = _number()


class OverlapBody(Body):
    start = _number()
    end = _number()
    speakers = s.ListField(child=s.CharField())
    separated = s.BooleanField(help_text="Each track holds its speaker's part; else a copy of all.")


class SoundBody(Body):
    noise_db = _number("dBFS where it is quietest.", allow_null=True)
    loudness_lufs = _number("Integrated, ITU-R BS.1770-4.", allow_null=True)
    peak = _number("1.0 is full scale.")


class StemBody(Body):
    stem = s.ChoiceField(STEMS)
    rms_db = _number("dBFS over the whole recording; null where the stem is silent.", allow_null=True)
    peak = _number("1.0 is full scale.")
    audio_path = _text()
    download_url = _text()


class ResultBody(Body):
    """Beside files, engine, models and warnings what the job's task finds."""

    num_speakers = _whole(required=False)
    speakers = SpeakerBody(many=True, required=False)
    timeline = TurnBody(many=True, required=False)
    segments = TurnBody(
        many=True, required=False, help_text="The same as `timeline`, under the name that other clients read."
    )
    files = FileBody(many=True)
    rttm_path = _text(required=False, allow_null=True)
    recording = RecordingBody(required=False)
    overlap = s.ChoiceField(OVERLAP_POLICIES, required=False, help_text="The policy that the tracks follow.")
    overlaps = OverlapBody(
        many=True, required=False, help_text="Where several speak at once and `overlap` is `separate`."
    )
    separator = _text("The engine that split them; empty where there were none to split.", required=False)
    cleaner = _text("The engine that lowered the background; empty where that was not asked for.", required=False)
    voiceprint = VoiceprintBody(required=False, help_text="Of a voiceprint's job.")
    speech_seconds = _number("In which at least one person speaks, of a dialogue separation.", required=False)
    noise_reduction_db = _number("Where the recording is quietest, of a denoising.", required=False, allow_null=True)
    before = SoundBody(required=False, help_text="The recording, of a denoising.")
    after = SoundBody(required=False, help_text="What is left of it, of a denoising.")
    stems = StemBody(many=True, required=False, help_text="Of a stem extraction.")
    engine = _text()
    models = s.ListField(child=s.CharField())
    warnings = s.ListField(child=s.CharField(), help_text="Such as that the number of speakers could not be honoured.")
    language = _text("Of a transcription; empty where nobody knows.", required=False)
    language_probability = _number("0 to 1; null where the language was given.", required=False, allow_null=True)
    sentences = _whole("Of a transcription.", required=False)
    words = _whole("Of a transcription.", required=False)
    compact_maps = s.DictField(
        child=SpanBody(many=True), required=False, help_text="By speaker: where a compact track's stretches come from."
    )


class CoreBody(Body):
    id = _whole()
    job_type = s.ChoiceField(TASKS)
    status = s.ChoiceField(STATUSES)
    stage = _text("What a running job is at.", allow_null=True)
    progress = _whole("0 to 100.")
    created_at = s.DateTimeField()
    completed_at = s.DateTimeField(allow_null=True)
    user_id = s.UUIDField()
    task_id = s.UUIDField(help_text="Changes with each retry.")
    display_name = _text()
    credits_required = _whole("Null until the length is known.", allow_null=True)
    credits_charged = _whole("Only a completed job costs anything.")
    error_code = _text(allow_null=True)
    error_message = _text(allow_null=True)


class FlatJobBody(CoreBody):
    original_filename = _text()
    options = OptionsBody()
    updated_at = s.DateTimeField()


class JobItemBody(CoreBody):
    version = _text("Changes with the job; what to say as `after` or `Last-Event-ID`.")
    started_at = s.DateTimeField(allow_null=True)
    filename = _text()
    source_url = _text(allow_null=True)
    duration = _number("Seconds; null until the recording is there.", allow_null=True)
    outputFiles = PathBody(many=True)


class JobBody(JobItemBody):
    media = MediaBody(allow_null=True)
    options = OptionsBody()
    error_details = s.DictField(allow_null=True)
    result = ResultBody(allow_null=True, help_text="Of a completed job.")


class StreamedEventBody(Body):
    """One of the stream's events, by the fields of Server-Sent Events."""

    id = _text("The job's version; what to say as `Last-Event-ID`.", required=False)
    event = s.ChoiceField(("state", "progress", "deleted"))
    data = _text("JSON: the job's `id`, `task_id`, `version`, `status`, and what has changed.")


class ListBody(Body):
    items = JobItemBody(many=True)
    next_cursor = _text("For the next page; null on the last.", allow_null=True)


class BatchResultBody(Body):
    index = _whole("Of the item in the request.")
    job = JobBody(required=False)
    error = ProblemBody(required=False, help_text="Why there is no job.")


class BatchBody(Body):
    items = BatchResultBody(many=True)
    accepted = _whole()
    refused = _whole()


class EstimateBody(Body):
    job_type = s.ChoiceField(TASKS)
    seconds = _number()
    exact = s.BooleanField(help_text="False where only the beginning of a large file was looked at.")
    credits = _whole()
    available = _whole("Credits that you can spend now.")
    affordable = s.BooleanField()


class JobsBody(Body):
    items = JobItemBody(many=True)
    total = _whole("Jobs that fit the filters.")
    hasMore = s.BooleanField()
