"""What may be asked of a job of each task, and what its row says, as the engine is asked for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audio_engine.formats import voiceprint_to_text
from audio_engine.options import NOTHING_TO_CLEAN
from audio_engine.types import IdentificationRequest, MediaLimits, SpeakerBounds, SpeakerRequest, VoiceprintRequest
from audio_engine.voices import Voiceprint
from jobs import options
from jobs.errors import JobError


@pytest.mark.parametrize("task", ["extraction", "diarization"])
def test_a_row_without_options_asks_for_the_engines_defaults(task: str):
    asked = options.stored(task, {}).request(task, source=Path("in"), output=Path("out"))
    assert asked == SpeakerRequest(Path("in"), Path("out"), task=task)  # type: ignore[arg-type]


def test_what_a_row_says_is_what_the_engine_is_asked_for():
    row = options.SpeakerOptions(
        min_speakers=2,
        overlap="mute",
        separator="exemplars",
        clean_background=True,
        cleaner="pauses",
        compact=True,
        voiceprints=True,
        voice_attributes=True,
        engine="embedded",
    ).to_json()
    asked = options.stored("extraction", row).request("extraction", source=Path("in"), output=Path("out"))
    assert asked == replace(
        SpeakerRequest(Path("in"), Path("out")),
        engine="embedded",
        speakers=SpeakerBounds(minimum=2),
        overlap="mute",
        separator="exemplars",
        clean_background=True,
        cleaner="pauses",
        compact=True,
        voiceprints=True,
        voice_attributes=True,
    )


VOICE = Voiceprint("made-up 1", (0.5, -0.5))


def test_an_identification_asks_for_its_known_voices():
    row = options.asked_for("identification", known={"Ann": voiceprint_to_text(VOICE)}, threshold=50).to_json()
    asked = options.stored("identification", row).request("identification", source=Path("in"), output=Path("out"))
    assert asked == IdentificationRequest(Path("in"), Path("out"), known={"Ann": VOICE}, threshold=50)


@pytest.mark.parametrize(
    ("known", "more", "field"),
    [({}, {}, "known"), ({"Ann": "x"}, {}, "known"), (None, {"threshold": -1}, "threshold")],
)
def test_an_identification_that_cannot_be_done_is_refused_by_name(known, more, field):
    with pytest.raises(JobError) as refusal:
        options.asked_for(
            "identification", known={"Ann": voiceprint_to_text(VOICE)} if known is None else known, **more
        )
    assert (refusal.value.code, refusal.value.details["field"]) == ("INVALID_OPTION", field)


def test_a_sample_of_a_voice_may_be_half_a_minute_long():
    common = {"source": Path("in"), "output": Path("out")}
    for most, expected in ((86_400.0, 30.3), (10.0, 10.0)):
        asked = options.asked_for("voiceprint").request("voiceprint", limits=MediaLimits(seconds=most), **common)
        assert asked == VoiceprintRequest(**common, limits=MediaLimits(seconds=expected))


def test_every_option_of_a_denoising_reaches_the_engine():
    wanted = {"quality": "ultra", "strength": 0.5, "equalizer": "vocal", "compress": True, "loudness": -16.0}
    request = options.asked_for("denoising", **wanted).request("denoising", source=Path("in"), output=Path("out"))
    assert {name: getattr(request, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("task", "engine"), [("extraction", "engine"), ("identification", "engine"), ("transcription", "diarizer")]
)
def test_a_threshold_of_speech_reaches_the_engine(task: str, engine: str):
    needed = {"known": {"Ann": voiceprint_to_text(VOICE)}} if task == "identification" else {}
    asked = options.OPTIONS[task](speech_threshold=0.7, **{engine: "embedded"}, **needed)
    assert asked.request(task, source=Path("in"), output=Path("out")).speech_threshold == 0.7
    with pytest.raises(JobError, match="can be given to the engine embedded only; name it"):
        options.OPTIONS[task](speech_threshold=0.7, **needed)


@pytest.mark.parametrize(
    ("task", "given", "field"),
    [
        ("extraction", {"speech_threshold": 1.1, "engine": "embedded"}, "speech_threshold"),
        ("extraction", {"speech_threshold": 0.4, "engine": "pyannote"}, "speech_threshold"),
        ("extraction", {"volume": 11}, "volume"),
        ("extraction", {"engine": "nobody"}, "engine"),
        ("extraction", {"engine": "spectral"}, "engine"),
        ("extraction", {"min_speakers": 3, "max_speakers": 2}, "min_speakers"),
        ("denoising", {"num_speakers": 2}, "num_speakers"),
        ("denoising", {"engine": "embedded"}, "engine"),
        ("denoising", {"quality": "best"}, "quality"),
        ("denoising", {"strength": 1.01}, "strength"),
        ("denoising", {"strength": float("nan")}, "strength"),
        ("denoising", {"equalizer": "treble"}, "equalizer"),
        ("denoising", {"loudness": -3.0}, "loudness"),
        ("stems", {"stems": ["vocals", "kick"]}, "stems"),
        ("stems", {"stems": ["piano"], "engine": "htdemucs"}, "stems"),
        ("stems", {"engine": "spectral"}, "engine"),
        ("extraction", {"cleaner": "pauses"}, "cleaner"),
        ("extraction", {"cleaner": "spectral", "clean_background": True}, "cleaner"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(task: str, given: dict, field: str):
    with pytest.raises(JobError) as refused:
        options.asked_for(task, **given)
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", field)


def test_a_cleaner_without_cleaning_is_refused_in_the_command_lines_words():
    with pytest.raises(JobError, match=NOTHING_TO_CLEAN):
        options.asked_for("extraction", cleaner="pauses")


@pytest.mark.parametrize(
    ("stems", "engine", "weights"), [(["drums"], "htdemucs", 84), (["no_piano"], "htdemucs_6s", 55)]
)
def test_stems_whose_model_is_not_here_are_refused_with_how_to_get_it(stems: list[str], engine: str, weights: int):
    with pytest.raises(JobError) as refused:
        options.asked_for("stems", stems=stems)
    assert (refused.value.code, refused.value.details["field"]) == ("ENGINE_UNAVAILABLE", "engine")
    assert f"({weights} MB) are not on this machine" in refused.value.message
    assert f"models fetch {engine}." in refused.value.message


def test_stems_outlive_the_jobs_row():
    row = json.loads(json.dumps(options.StemsOptions(stems=("vocals", "instrumental", "vocals")).to_json()))
    request = options.stored("stems", row).request("stems", source=Path("in"), output=Path("out"))
    assert (request.stems, request.engine) == (("vocals", "instrumental"), "auto")
