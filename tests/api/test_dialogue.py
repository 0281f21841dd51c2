"""Dialogue separations: asked for in a batch, looked at where every job is."""

from __future__ import annotations

from pathlib import Path

from audio_engine import registry
from audio_engine.types import DialogueRequest
from jobs.models import Job
from jobs.options import stored
from jobs.wording import steps
from tests.api.programs import separated
from tests.api.test_schema import conforms

SCRIPTED_WORDS = "tests.audio_engine.scripted:ScriptedTranscriber"


def ask(api, media, **item) -> dict:
    answer = api.send("post", "jobs/batch", {"items": [{"media": str(media.uuid), "job_type": "dialogue", **item}]})
    assert answer.status_code == 200, answer.content
    return answer.json()["items"][0]


def test_stems_are_asked_for_and_come_with_their_links(api, media, recording):
    told = ask(api, media, sample_rate=48_000, bit_depth=24)["job"]
    assert (told["job_type"], told["credits_required"]) == ("dialogue", 17)
    assert told["options"] == {
        "engine": "auto",
        "sample_rate": 48_000,
        "bit_depth": 24,
        "split_background": False,
        "words_only": False,
        "recogniser": "auto",
    }
    separated(Job.objects.get(), recording)
    answer = api.send("get", f"jobs/{told['id']}")
    result = answer.json()["result"]
    assert result["speech_seconds"] == 2.5
    assert {file["path"].rpartition("/")[2] for file in result["files"]} == {"speech.wav", "background.wav"}
    assert api.get(result["files"][0]["download_url"]).getvalue() == recording.read_bytes()
    conforms(api.get("/api/v1/schema").json(), "/api/v1/jobs/{job_id}", "get", answer)


def test_a_background_is_split_where_that_is_asked_for(api, media):
    told = ask(api, media, split_background=True)["job"]
    asked = stored("dialogue", told["options"]).request("dialogue", source=Path("in"), output=Path("out"))
    assert asked == DialogueRequest(Path("in"), Path("out"), split_background=True)


def test_words_alone_are_speech_where_that_is_asked_for(api, media, monkeypatch):
    missing = ask(api, media, words_only=True)["error"]
    assert (missing["code"], missing["details"]["field"]) == ("ENGINE_UNAVAILABLE", "recogniser")
    monkeypatch.setattr(registry, "ENGINES", {**registry.ENGINES, "words": SCRIPTED_WORDS})
    told = ask(api, media, words_only=True)["job"]
    asked = stored("dialogue", told["options"]).request("dialogue", source=Path("in"), output=Path("out"))
    assert asked == DialogueRequest(Path("in"), Path("out"), recogniser="auto")
    both = ask(api, media, words_only=True, split_background=True)["error"]
    assert both["details"]["field"] == "words_only"
    assert "transcription" in [stage for stage, _ in steps(Job.objects.get())]


def test_options_that_cannot_be_used_are_refused_by_name(api, media):
    for option, value in {"sample_rate": 7_999, "bit_depth": 33, "num_speakers": 2, "overlap": "keep"}.items():
        error = ask(api, media, **{option: value})["error"]
        assert (error["code"], error["details"]["field"]) == ("INVALID_OPTION", option)
    assert not Job.objects.exists()


def test_nobody_exports_turns_of_a_separation(api, media, recording):
    job = ask(api, media)["job"]
    separated(Job.objects.get(), recording)
    assert api.send("get", f"jobs/{job['id']}/export?format=srt").json()["code"] == "JOB_HAS_NO_TURNS"
