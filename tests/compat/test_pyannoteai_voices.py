"""Voiceprints and identification on pyannoteAI's surface."""

from __future__ import annotations

import json

import pytest

from audio_engine.formats import voiceprint_from_text, voiceprint_to_text
from audio_engine.voices import Voiceprint
from jobs import lifecycle
from jobs.models import Job
from tests.compat.programs import VendorProgram, diarized

pytestmark = pytest.mark.django_db
VOICE = Voiceprint("scripted 1", (0.6, 0.8))
TEXT = voiceprint_to_text(VOICE)
URL = "https://example.org/talk.wav"
KNOWN = [{"label": "Sam", "voiceprint": TEXT}, {"label": "Rick", "voiceprint": TEXT}]


@pytest.fixture
def api(alice, program) -> VendorProgram:
    return program(alice, "/pyannoteai/v1")


@pytest.fixture
def keyed(media):
    media.key = "tones.wav"
    media.save()
    return media


def ask(api: VendorProgram, path: str, **body) -> Job:
    answer = api.send("post", path, {"url": "media://tones.wav", **body})
    assert answer.status_code == 200, answer.content
    return Job.objects.get(uuid=answer.json()["jobId"])


def output(api: VendorProgram, job: Job) -> dict:
    return api.send("get", f"jobs/{job.uuid}").json()["output"]


# --- voiceprints


def test_a_voiceprint_is_learned_and_told_as_text(api, keyed):
    job = ask(api, "voiceprint", model="precision-2")
    assert (job.task, job.surface) == ("voiceprint", "pyannoteai")
    result = {"engine": "embedded", "models": [], "warnings": ["A word."], "voiceprint": VOICE.__class__.__name__}
    result["voiceprint"] = {"model": VOICE.model, "vector": list(VOICE.vector)}
    done = lifecycle.succeed(lifecycle.claim("engine", "tests"), result, [])
    told = output(api, done)
    assert set(told) == {"voiceprint", "warning"}
    assert voiceprint_from_text(told["voiceprint"]).model == "scripted 1"
    assert told["voiceprint"] == TEXT


@pytest.mark.parametrize("option", ["numSpeakers", "exclusive", "confidence", "voiceprints", "transcription"])
def test_a_voiceprint_has_no_other_options(api, option):
    answer = api.send("post", "voiceprint", {"url": URL, option: 1})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, option)


# --- identification


def test_known_voices_are_asked_for_with_every_option(api, keyed):
    matching = {"exclusive": False, "threshold": 60}
    job = ask(api, "identify", voiceprints=KNOWN, matching=matching, minSpeakers=2, exclusive=True, confidence=False)
    assert (job.task, job.asked) == ("identification", {"exclusive": True})
    assert (job.options["known"], job.options["min_speakers"]) == ({"Sam": TEXT, "Rick": TEXT}, 2)
    assert (job.options["exclusive_matching"], job.options["threshold"]) == (False, 60)
    plain = ask(api, "identify", voiceprints=KNOWN, numSpeakers=None)
    assert (plain.options["exclusive_matching"], plain.options["threshold"]) == (True, 0)


def test_speakers_are_told_by_their_names(api, keyed, tmp_path):
    job = ask(api, "identify", voiceprints=KNOWN, turnLevelConfidence=True)
    diarized(job, tmp_path)
    result = Job.objects.get(pk=job.pk).result
    result["identifications"] = [
        {"speaker": 0, "match": "Sam", "confidence": {"Sam": 91, "Rick": 12}},
        {"speaker": 1, "match": None, "confidence": {"Sam": 3, "Rick": 4}},
    ]
    Job.objects.filter(pk=job.pk).update(result=result)
    told = output(api, job)
    assert told["identification"] == [
        {"speaker": "Sam", "start": 0.1, "end": 1.0, "diarizationSpeaker": "SPEAKER_00", "match": "Sam",
         "confidence": {"SPEAKER_00": 90}},
        {"speaker": "SPEAKER_01", "start": 1.2, "end": 2.5, "diarizationSpeaker": "SPEAKER_01", "match": None,
         "confidence": {"SPEAKER_01": 85}},
    ]  # fmt: skip
    assert told["voiceprints"] == [
        {"speaker": "SPEAKER_00", "match": "Sam", "confidence": {"Sam": 91, "Rick": 12}},
        {"speaker": "SPEAKER_01", "match": None, "confidence": {"Sam": 3, "Rick": 4}},
    ]
    assert [turn["speaker"] for turn in told["diarization"]] == ["SPEAKER_00", "SPEAKER_01"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "voiceprints"),
        ({"voiceprints": []}, "voiceprints"),
        ({"voiceprints": {"Sam": TEXT}}, "voiceprints"),
        ({"voiceprints": KNOWN[:1] * 2}, "voiceprints"),
        ({"voiceprints": [{"label": str(number), "voiceprint": TEXT} for number in range(51)]}, "voiceprints"),
        ({"voiceprints": [{"label": "Sam", "voiceprint": "no voiceprint"}]}, "voiceprints"),
        ({"voiceprints": [{"label": "Sam", "voiceprint": "aGVsbG8="}]}, "voiceprints"),
        ({"voiceprints": [{"label": "Sam"}]}, "voiceprints.0.voiceprint"),
        ({"voiceprints": [*KNOWN, {"label": "SPEAKER_00", "voiceprint": TEXT}]}, "voiceprints.2.label"),
        ({"voiceprints": [{"label": "a" * 101, "voiceprint": TEXT}]}, "voiceprints.0.label"),
        ({"voiceprints": [{"label": "Sam", "voiceprint": "a" * 20_001}]}, "voiceprints.0.voiceprint"),
        ({"voiceprints": KNOWN, "matching": {"threshold": 101}}, "matching.threshold"),
        ({"voiceprints": KNOWN, "matching": {"threshold": "nan"}}, "matching.threshold"),
        ({"voiceprints": KNOWN, "matching": {"exclusive": "perhaps"}}, "matching.exclusive"),
        ({"voiceprints": KNOWN, "transcription": True}, "transcription"),
        ({"voiceprints": KNOWN, "numSpeakers": 2, "minSpeakers": 1}, "numSpeakers"),
    ],
)
def test_what_cannot_be_used_is_named(api, body, field):
    answer = api.send("post", "identify", {"url": URL, **body})
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Job.objects.exists()


def test_answers_are_as_described(api, keyed, tmp_path, client):
    from tests.api.test_schema import conforms

    document = json.loads(client.get("/api/v1/schema").content)
    for path, body in (("identify", {"voiceprints": KNOWN}), ("voiceprint", {}), ("identify", {})):
        answer = api.send("post", path, {"url": "media://tones.wav", **body})
        conforms(document, f"/pyannoteai/v1/{path}", "post", answer)
