"""Diarization on Timbr's surface: subtitles, with words and without, and those that are there already."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import pytest
import srt
from django.test import Client

from audio_engine.transcription.transcript import Sentence, Transcript, Word
from audio_engine.types import Turn
from audio_engine.voices import VoiceAttributes
from jobs.compat.timbr.turns import said_in, tidied, within
from jobs.models import Job
from tests.api.programs import succeed
from tests.api.transcripts import models_folder
from tests.api.transcripts import succeed as transcribed
from tests.compat.programs import VendorProgram
from tests.compat.timbr import DIARIZE, ask, get, offered, put, refusal, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/timbr/v1")


@pytest.fixture
def bobs(bob, program) -> VendorProgram:
    return program(bob, "/timbr/v1")


# --- diarization


def test_a_diarization_gives_subtitles_with_the_speakers_names(api, media, recording):
    job = ask(api, DIARIZE, media, num_speakers=2, language="en")
    assert (job.task, job.credits, job.options["num_speakers"]) == ("diarization", 3, 2)
    succeed(job, recording)
    done = get(api, job)
    assert (done["status"], done["job_type"], set(done["result"])) == ("completed", "diarize", {"timbr"})
    answer = Client().get(done["result"]["timbr"])
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-subrip; charset=utf-8")
    cues = list(srt.parse(answer.content.decode()))
    assert [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in cues] == [
        (0.1, 1.0, "SPEAKER_00"),
        (1.2, 2.5, "SPEAKER_01"),
    ]


def test_short_turns_are_left_out_of_the_subtitles_as_asked(api, media, recording):
    job = ask(api, DIARIZE, media, vad_min_speech_duration=1.0)
    answer = Client().get(get(api, succeed(job, recording))["result"]["timbr"])
    assert [cue.content for cue in srt.parse(answer.content.decode())] == ["SPEAKER_01"]


def test_turns_are_joined_over_short_pauses_before_short_ones_are_left_out():
    turns = (Turn(0.0, 0.4, 0), Turn(0.5, 0.9, 0), Turn(0.6, 0.7, 1), Turn(2.0, 2.5, 0))
    assert tidied(turns, shortest=0.6, pause=0.2) == (Turn(0.0, 0.9, 0),)
    assert len(tidied(turns, shortest=0.0, pause=0.0)) == 4


def test_links_to_subtitles_expire_and_cannot_be_forged(api, media, recording, settings):
    url = get(api, succeed(ask(api, DIARIZE, media), recording))["result"]["timbr"]
    assert Client().get(url.replace(".srt", "x.srt")).status_code == 403
    settings.LINK_SECONDS = -1
    assert refusal(Client().get(url)) == (403, "This link has expired; ask for the job again to get a fresh one.")


def test_nulls_are_as_good_as_nothing(api, media):
    nulls = dict.fromkeys(("num_speakers", "input_srt_file_id", "transcribe_model"))
    assert ask(api, DIARIZE, media, **nulls).options["num_speakers"] is None


def test_a_threshold_of_ones_own_is_heard_by_the_engine_that_can(api, media, monkeypatch, tmp_path):
    plain = ask(api, DIARIZE, media, vad_type="ten-vad", vad_threshold=0.5).options
    assert (plain["engine"], plain["speech_threshold"]) == ("auto", None)
    strict = ask(api, DIARIZE, media, vad_threshold=0.8).options
    assert (strict["engine"], strict["speech_threshold"]) == ("embedded", 0.8)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models_folder(tmp_path)))
    said = ask(api, DIARIZE, media, vad_threshold=0)
    assert (said.task, said.options["diarizer"], said.options["speech_threshold"]) == ("transcription", "embedded", 0.0)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("num_speakers", 0, "Ensure this value is greater than or equal to 1."),
        ("num_speakers", 21, "Ensure this value is less than or equal to 20."),
        ("transcribe_model", "whisper", "No model for transcription is installed on this server"),
        ("transcribe_model", "parrot", "This server transcribes by whisper only."),
        ("vad_type", "silero", "This server's engine hears speech in its own way; leave it out."),
        ("vad_threshold", -0.1, "Ensure this value is greater than or equal to 0."),
        ("vad_threshold", 1.1, "Ensure this value is less than or equal to 1."),
        ("vad_min_speech_duration", 5.1, "Ensure this value is less than or equal to 5."),
        ("vad_min_speech_duration", "nan", "A valid number is required."),
        ("vad_min_silence_duration", -1, "Ensure this value is greater than or equal to 0."),
        ("detect_gender", "perhaps", "Must be a valid boolean."),
    ],
)
def test_a_diarization_that_cannot_be_done_is_refused_by_its_option(api, media, option, value, reason):
    answer = api.send("post", DIARIZE, {"file_id": str(media.uuid), option: value})
    [(member, told)] = wrong(answer).items()
    assert member == f"body.{option}"
    assert told.startswith(reason)
    assert not Job.objects.exists()


# --- transcription


@pytest.fixture
def able(monkeypatch, tmp_path):
    """Somebody installed a model."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models_folder(tmp_path)))


def test_a_diarization_tells_what_was_said_where_there_is_a_model(api, able, media, tmp_path):
    job = ask(api, DIARIZE, media, num_speakers=2, language="en-US")
    assert (job.task, job.credits, job.options["language"]) == ("transcription", 3, "en")
    done = get(api, transcribed(job, tmp_path))
    assert (done["status"], done["job_type"], set(done["result"])) == (
        "completed",
        "diarize",
        {"timbr", "sentence_split"},
    )
    for name in ("timbr", "sentence_split"):
        cues = list(srt.parse(Client().get(done["result"][name]).content.decode()))
        assert [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in cues] == [
            (0.1, 1.0, "SPEAKER_00: Who wrote?"),
            (1.2, 2.5, "SPEAKER_01: ‹Lincoln› did."),
        ]


def test_a_long_sentence_stays_in_one_piece_where_that_is_asked_for(api, able, media, tmp_path):
    words = tuple(Word(n / 10, n / 10 + 0.1, f" word{n}", 0.9, 0) for n in range(25))
    long = Transcript("en", 0.9, (Sentence(0.0, 2.5, "".join(word.text for word in words).strip(), 0, words),))
    result = get(api, transcribed(ask(api, DIARIZE, media, transcribe_model="whisper"), tmp_path, long))["result"]
    pieces, [whole] = (
        list(srt.parse(Client().get(result[name]).content.decode())) for name in ("timbr", "sentence_split")
    )
    assert len(pieces) > 1
    assert whole.content == f"SPEAKER_00: {long.sentences[0].text}"


def test_words_can_be_left_out(api, able, media):
    assert ask(api, DIARIZE, media, transcribe_model=None).task == "diarization"
    answer = api.send("post", DIARIZE, {"file_id": str(media.uuid), "language": "klingon"})
    assert list(wrong(answer)) == ["body.language"]


def test_what_is_said_in_turns_that_are_too_short_is_left_out(api, able, media, tmp_path):
    """Here the first speaker's, of 0.9 s."""
    done = get(api, transcribed(ask(api, DIARIZE, media, vad_min_speech_duration=1), tmp_path))
    for name in ("timbr", "sentence_split"):
        cues = list(srt.parse(Client().get(done["result"][name]).content.decode()))
        assert [cue.content for cue in cues] == ["SPEAKER_01: ‹Lincoln› did."]


def test_a_sentence_keeps_what_is_said_in_longer_turns():
    words = (Word(0.0, 0.4, " Oh,", 0.9, 0), Word(1.0, 1.5, " no", 0.9, 0), Word(1.5, 2.0, " way.", 0.9, 0))
    edited = Sentence(0.0, 0.4, "Ah.", 0)
    found = said_in((Sentence(0.0, 2.0, "Oh, no way.", 0, words), edited), [Turn(1.0, 2.0, 0)], [Turn(0.0, 0.4, 0)])
    assert [(kept.start, kept.end, kept.text) for kept in found] == [(1.0, 2.0, "no way.")]


def test_parts_of_turns_are_found_in_those_of_their_own_speaker():
    turns = (Turn(0.0, 2.0, 0), Turn(5.0, 6.0, 0), Turn(1.0, 3.0, 1))
    parts = [Turn(0.0, 1.0, 0), Turn(1.0, 3.0, 1), Turn(2.5, 3.0, 0), Turn(5.5, 6.0, 0), Turn(0.0, 1.0, 2)]
    assert within(parts, turns) == ([parts[0], parts[1], parts[3]], [parts[2], parts[4]])


# --- gender


def test_the_gender_of_voices_is_guessed_where_that_is_asked_for(api, media, recording):
    plain = succeed(ask(api, DIARIZE, media), recording)
    assert "speakers" not in get(api, plain)["result"]
    job = succeed(ask(api, DIARIZE, media, detect_gender=True), recording)
    assert job.options["voice_attributes"] is True
    attributes = [asdict(VoiceAttributes(0, 92.0, 110.5, 143.0, "male", 93)), asdict(VoiceAttributes(1))]
    Job.objects.filter(pk=job.pk).update(result=job.result | {"voice_attributes": attributes})
    assert get(api, job)["result"]["speakers"] == [
        {"speaker": "SPEAKER_00", "gender": "male", "confidence": 93},
        {"speaker": "SPEAKER_01", "gender": "unknown", "confidence": None},
    ]


# --- subtitles that are there already

LINES = """1
00:00:00,200 --> 00:00:00,900
<i>Who wrote</i> this?

2
00:00:01,300 --> 00:00:02,400
Lincoln.
\x00Twice.
"""


def test_lines_that_are_there_are_given_speakers(api, bobs, media, recording):
    srt_id, url = offered(api)
    assert put(url, LINES.encode("utf-16")).status_code == 200
    assert refusal(put(url, LINES.encode()))[0] == 412
    job = ask(api, DIARIZE, media, input_srt_file_id=srt_id)
    assert job.task == "diarization"
    done = get(api, succeed(job, recording))
    assert set(done["result"]) == {"timbr"}
    short = succeed(ask(api, DIARIZE, media, input_srt_file_id=srt_id, vad_min_speech_duration=1), recording)
    answer = Client().get(get(api, short)["result"]["timbr"])
    assert {cue.content.partition(":")[0] for cue in srt.parse(answer.content.decode())} == {"SPEAKER_01"}
    cues = list(srt.parse(Client().get(done["result"]["timbr"]).content.decode()))
    assert [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in cues] == [
        (0.2, 0.9, "SPEAKER_00: <i>Who wrote</i> this?"),
        (1.3, 2.4, "SPEAKER_01: Lincoln.\nTwice."),
    ]
    for program, ids in ((bobs, srt_id), (api, str(uuid.uuid4())), (api, "../../etc")):
        answer = program.send("post", DIARIZE, {"file_id": str(media.uuid), "input_srt_file_id": ids})
        assert refusal(answer) == (404, "File not found")
    answer = api.send("post", DIARIZE, {"file_id": srt_id})
    assert refusal(answer) == (404, "File not found")


def test_a_text_that_is_no_subtitles_is_refused(api):
    _, url = offered(api)
    assert refusal(put(url, b"Who wrote this?\n" * 99))[0] == 400
