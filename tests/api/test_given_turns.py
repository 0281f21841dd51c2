"""Jobs that are sent who spoke when: as JSON or RTTM, by name, for less."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import ledger
from audio_engine.formats import voiceprint_to_text
from audio_engine.voices import Voiceprint as Heard
from jobs import lifecycle, naming, wording
from jobs.models import Job, Media, Voiceprint
from jobs.options import SpeakerOptions, stored
from tests.api.programs import succeed
from tests.api.test_schema import conforms
from tests.api.transcripts import models_folder

TURNS = [
    {"start": 0.1, "end": 1.0, "speaker": "Ana"},
    {"start": 0.9, "end": 2.5, "speaker": "SPEAKER_07"},
    {"start": 2.5, "end": 3.5, "speaker": "Ana"},
]
RTTM = "SPEAKER tones 1 0.5 1.0 <NA> <NA> SPEAKER_01 0.9 <NA>\nSPEAKER tones 1 2.0 0.5 <NA> <NA> SPEAKER_00 <NA> <NA>\n"


@pytest.fixture
def document(nobody) -> dict[str, Any]:
    return dict(nobody.get("/api/v1/schema").json())


def sent(answer: Any) -> Job:
    assert answer.status_code == 200, answer.content
    return Job.objects.get(pk=answer.json()["id"])


def test_turns_come_as_json_with_names(api, media, alice):
    answer = api.send("post", "speaker/extract", {"media": str(media.uuid), "turns": TURNS})
    job = sent(answer)
    assert answer.json()["options"] | {"turns": True, "speaker_names": ["Ana", ""]} == answer.json()["options"]
    request = stored("extraction", job.options).request("extraction", source="a", output="b")
    assert [(t.start, t.end, t.speaker) for t in request.turns] == [(0.1, 1.0, 0), (0.9, 2.5, 1), (2.5, 3.5, 0)]
    assert "embedded" not in dict(request.engines())
    assert naming.given(job) == {0: "Ana"}
    assert job.credits == 4  # 3 seconds at 1.1
    assert ledger.available(alice) == 1_000_000 - 4


def test_a_name_that_came_with_the_turns_can_be_changed_and_had_again(api, media, recording):
    job = succeed(sent(api.send("post", "speaker/extract", {"media": str(media.uuid), "turns": TURNS})), recording)
    assert "Ana" in api.send("get", f"jobs/{job.number}/export?format=csv").content.decode()
    naming.call(job, 0, "Anna")
    told = api.send("get", f"jobs/{job.number}/export?format=rttm").content.decode()
    assert " Anna " in told
    assert " SPEAKER_1 " in told  # who has no name is called as in the result
    naming.call(job, 0, "")
    assert naming.given(job) == {0: "Ana"}


@pytest.mark.parametrize("as_file", [True, False])
@pytest.mark.parametrize("text", [RTTM, json.dumps(TURNS), "\ufeff" + RTTM])
def test_turns_come_as_a_file_or_a_text(upload, as_file, text):
    turns = SimpleUploadedFile("turns.txt", text.encode()) if as_file else text
    options = SpeakerOptions(**sent(upload(turns=turns)).options)
    if text.endswith(RTTM):
        assert options.turns == ((0.5, 1.5, 1, 90), (2.0, 2.5, 0, None))  # numbers keep their order
        assert options.speaker_names == ("", "")
    else:
        assert options.speaker_names == ("Ana", "")


def test_half_of_a_character_is_no_part_of_a_name(upload):
    job = sent(upload(turns='[{"start": 0, "end": 1, "speaker": "An\\ud800a"}]'))
    assert naming.given(job) == {0: "Ana"}


def test_an_export_is_taken_with_its_names(api, media):
    speakers = [{"id": 0, "name": "Speaker 1"}, {"id": 1, "name": "Ben"}]
    turns = [
        {"start": 1, "end": 2, "speaker": 1, "name": "Ben", "confidence": 80},
        {"start": 0, "end": 1, "speaker": 0},
    ]
    for exported in (
        {"speakers": speakers, "turns": turns},
        {"timeline": [turn | {"speaker": "Ben"} for turn in turns]},
    ):
        job = sent(api.send("post", "speaker/diarize", {"media": str(media.uuid), "turns": exported}))
        assert naming.given(job) == {0: "Ben"}


def test_a_retry_keeps_turns_and_names(api, media):
    job = sent(api.send("post", "speaker/diarize", {"media": str(media.uuid), "turns": TURNS}))
    again = lifecycle.retry(lifecycle.cancel(job))
    assert again.options == job.options
    assert naming.given(again) == {0: "Ana"}
    assert again.credits == job.credits


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "There is no turn"),
        ("soon", "There is no turn"),
        ("SPEAKER tones 1 zero 1.0 <NA> <NA> A <NA> <NA>", "line 1"),
        ("[{]", "no JSON"),
        ({"start": 0}, "Give a list of turns"),
        ({"turns": "all"}, "Give a list of turns"),
        ([{"start": 0, "end": 10**400, "speaker": "A"}], "Turn 1 needs a start and an end"),
        ("[" * 100_000, "no JSON"),
        ("\nSPEAKER tones 1 2 -1 <NA> <NA> A", "line 2 is from 2 to 1 s"),
        (["Ana"], "Turn 1 is no object"),
        ([{"start": "0", "end": 1, "speaker": "A"}], "Turn 1 needs a start and an end"),
        ([{"start": True, "end": 2, "speaker": "A"}], "Turn 1 needs a start and an end"),
        ([{"start": 0, "end": 1, "speaker": ""}], "Turn 1 needs a speaker"),
        ([{"start": 0, "end": 1, "speaker": "A" * 81}], "at most 80 characters"),
        ([{"start": 2, "end": 1, "speaker": "A"}], "number 1 is 2 to 1 s"),
        ("[" + '{"start": 0, "end": NaN, "speaker": "A"}' + "]", "must have times that are numbers"),
        ([{"start": 3.0, "end": 4, "speaker": "A"}], "must lie in the recording of 3.000 s"),
        ([{"start": 0, "end": 1, "speaker": n} for n in range(51)], "may be of 50 speakers"),
    ],
)
def test_turns_that_do_not_do_are_refused_in_words(api, media, alice, turns, words):
    answer = api.send("post", "speaker/extract", {"media": str(media.uuid), "turns": turns})
    assert answer.status_code in (400, 422)
    assert words in answer.json()["message"]
    assert not Job.objects.exists()
    assert ledger.available(alice) == 1_000_000


@pytest.mark.parametrize(
    "also", [{"num_speakers": 2}, {"engine": "embedded"}, {"voiceprints": True}, {"min_speakers": 1}]
)
def test_what_only_an_engine_could_do_is_refused_beside_turns(api, media, also):
    answer = api.send("post", "speaker/extract", {"media": str(media.uuid), "turns": TURNS, **also})
    assert answer.status_code == 422
    assert next(iter(also)) in answer.json()["message"]


# --- of words and of known voices


@pytest.fixture
def with_models(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models_folder(tmp_path)))


@pytest.mark.parametrize("as_file", [True, False])
def test_a_transcription_takes_turns_and_has_nobody_told_apart(with_models, api, recording, alice, as_file):
    turns = SimpleUploadedFile("turns.rttm", RTTM.encode()) if as_file else json.dumps(TURNS)
    with recording.open("rb") as file:
        job = sent(api.post("/api/v1/transcription/transcribe-upload", {"files": file, "turns": turns}))
    request = stored("transcription", job.options).request("transcription", source="a", output="b")
    assert [work for _, work in request.engines()] == ["transcription"]
    assert len(request.turns) == (2 if as_file else 3)
    assert naming.given(job) == ({} if as_file else {0: "Ana"})
    assert (job.credits, ledger.available(alice)) == (4, 1_000_000 - 4)
    assert [stage for stage, _ in wording.steps(job)] == ["decode", "transcription"]


def test_a_transcription_by_link_takes_turns_too(with_models, api, document):
    answer = api.send(
        "post", "transcription/transcribe", {"source_urls": ["https://example.org/a.mp3"], "turns": TURNS}
    )
    conforms(document, "/api/v1/transcription/transcribe", "post", answer)
    assert answer.json()["options"]["turns"] is True
    assert len(sent(answer).options["turns"]) == 3


def test_lines_of_subtitles_get_the_given_speakers_without_any_engine(api, recording):
    lines = "1\n00:00:00,100 --> 00:00:00,900\nHello\n"
    with recording.open("rb") as file:
        fields = {"files": file, "turns": RTTM, "input_srt": lines}
        job = sent(api.post("/api/v1/transcription/transcribe-upload", fields))
    assert stored("transcription", job.options).request("transcription", source="a", output="b").engines() == ()


@pytest.mark.parametrize(
    ("also", "field"),
    [
        ({"turns": "SPEAKER a 1 zero 1.0 <NA> <NA> A"}, "turns"),
        ({"turns": [{"start": 2, "end": 1, "speaker": "A"}]}, "turns"),
        ({"turns": TURNS, "diarizer": "embedded"}, "diarizer"),
        ({"turns": TURNS, "num_speakers": 2}, "num_speakers"),
    ],
)
def test_a_transcription_refuses_turns_that_do_not_do_in_audiopods_format(with_models, api, also, field):
    answer = api.send("post", "transcription/transcribe", {"source_urls": ["https://example.org/a.mp3"], **also})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_OPTION")
    assert answer.json()["details"]["field"] == field
    assert not Job.objects.exists()


def test_turns_beyond_a_recording_that_is_to_be_transcribed_are_refused(with_models, api, recording, alice):
    late = json.dumps([{"start": 3.5, "end": 4, "speaker": "A"}])
    with recording.open("rb") as file:
        answer = api.post("/api/v1/transcription/transcribe-upload", {"files": file, "turns": late})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_OPTION")
    assert "must lie in the recording of 3.000 s" in answer.json()["message"]
    assert not Media.objects.exists()
    assert ledger.available(alice) == 1_000_000


@pytest.fixture
def sam(alice) -> Voiceprint:
    text = voiceprint_to_text(Heard("scripted 1", (0.6, 0.8)))
    return Voiceprint.objects.create(owner=alice, name="Sam", text=text, model="scripted 1", engine="embedded")


def test_an_identification_takes_turns_and_hears_only_their_voices(api, media, sam, document):
    answer = api.send("post", "speaker/identify", {"media": str(media.uuid), "voices": ["Sam"], "turns": TURNS})
    conforms(document, "/api/v1/speaker/identify", "post", answer)
    job = sent(answer)
    request = stored("identification", job.options).request("identification", source="a", output="b")
    assert request.engines() == (("embedded", "identification"),)
    assert len(request.turns) == 3
    assert job.credits == 4
    assert [stage for stage, _ in wording.steps(job)] == ["decode", "embedding"]


@pytest.mark.parametrize(
    "also",
    [{"turns": "soon"}, {"turns": TURNS, "max_speakers": 2}, {"turns": TURNS, "speech_threshold": 0.4}],
)
def test_an_identification_refuses_turns_that_do_not_do_as_a_problem(api, media, sam, also):
    answer = api.send("post", "speaker/identify", {"media": str(media.uuid), "voices": ["Sam"], **also})
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "INVALID_OPTION"
    assert list(also)[-1] in answer.json()["detail"]
    assert not Job.objects.exists()


def test_a_batch_takes_turns_for_every_task_that_tells_who_spoke_when(with_models, api, media, sam):
    tasks = ("extraction", "diarization", "transcription", "identification")
    items = [{"media": str(media.uuid), "job_type": task} for task in tasks]
    items[-1]["voices"] = ["Sam"]
    told = api.send("post", "jobs/batch", {"items": items, "defaults": {"turns": TURNS}}).json()
    assert [its["job"]["credits_required"] for its in told["items"]] == [4] * 4


def test_no_other_task_takes_turns(api, media):
    items = [{"media": str(media.uuid), "turns": TURNS, "job_type": task} for task in ("dialogue", "extraction")]
    refused, accepted = api.send("post", "jobs/batch", {"items": items}).json()["items"]
    assert "turns is no option of dialogue" in refused["error"]["detail"]
    assert accepted["job"]["credits_required"] == 4


@pytest.mark.parametrize(("task", "credits"), [("extraction", 110), ("transcription", 110), ("dialogue", 550)])
def test_an_estimate_knows_what_given_turns_save(api, task, credits):
    asked = {"seconds": 100, "job_type": task, "given_turns": True}
    assert api.send("post", "jobs/estimate", asked).json()["credits"] == credits


def test_given_turns_never_cost_more_than_the_task(api, settings):
    settings.CREDITS_PER_SECOND = settings.CREDITS_PER_SECOND | {"extraction": 1}
    asked = {"seconds": 100, "job_type": "extraction", "given_turns": True}
    assert api.send("post", "jobs/estimate", asked).json()["credits"] == 100
