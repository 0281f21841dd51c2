"""Known voices in a recording: the arithmetic on made-up voiceprints, and the embedded engine's own on real people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine.backends.embedded import EmbeddedDiarizer
from audio_engine.errors import EngineError
from audio_engine.formats import voiceprint_from_text, voiceprint_to_text
from audio_engine.identification import CALIBRATIONS, confidence, identify
from audio_engine.progress import ignore_progress
from audio_engine.types import Diarization, SpeakerBounds
from audio_engine.voices import Identification, Voiceprint

from .conftest import EVAL

RATE = 16_000
CONVERSATION = EVAL / "sim" / "s03_2spk_samesex" / "mix.flac"
ENROLLED = ("libri_533", "timit_falk0", "libri_1688", "libri_1998", "libri_3005")


def voice(*values: float, model: str = "made-up 1") -> Voiceprint:
    length = float(np.linalg.norm(values))
    return Voiceprint(model, tuple(value / length for value in values))


ANN, BOB = voice(1, 0, 0), voice(0, 1, 0)
LIKE_ANN, MORE_LIKE_ANN = voice(1, 0.2, 0.5), voice(1, 0, 0.1)
STRANGER = voice(0, 0, 1)


def matches(found: tuple[Identification, ...]) -> list[str | None]:
    return [speaker.match for speaker in found]


def test_each_speaker_is_told_the_confidence_of_every_label():
    found = identify([LIKE_ANN, BOB], {"Ann": ANN, "Bob": BOB})
    assert found == (
        Identification(0, "Ann", {"Ann": 88, "Bob": 18}),
        Identification(1, "Bob", {"Ann": 0, "Bob": 100}),
    )


def test_exclusive_matching_gives_a_name_once_and_to_the_likelier():
    voices = {"Ann": ANN, "Bob": BOB}
    assert matches(identify([LIKE_ANN, MORE_LIKE_ANN], voices)) == ["Bob", "Ann"]
    assert matches(identify([LIKE_ANN, MORE_LIKE_ANN], voices, threshold=50)) == [None, "Ann"]
    assert matches(identify([LIKE_ANN, MORE_LIKE_ANN], voices, exclusive=False)) == ["Ann", "Ann"]


def test_exclusive_matching_looks_at_all_speakers_together():
    between = voice(1, 0.9, 0)  # likest to Ann, who is likest to the other
    assert matches(identify([between, MORE_LIKE_ANN], {"Ann": ANN, "Bob": BOB})) == ["Bob", "Ann"]


def test_nobody_below_the_threshold_is_named_and_what_is_shown_decides():
    assert matches(identify([STRANGER], {"Ann": ANN}, threshold=1)) == [None]
    assert matches(identify([STRANGER], {"Ann": ANN})) == ["Ann"]
    assert matches(identify([LIKE_ANN], {"Ann": ANN}, threshold=88)) == ["Ann"]  # 87.97 is shown as 88
    assert matches(identify([LIKE_ANN], {"Ann": ANN}, threshold=89)) == [None]


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_speaker_of_whom_too_little_was_heard_is_nobody(exclusive: bool):
    found = identify([None, ANN], {"Ann": ANN}, exclusive=exclusive)
    assert found == (Identification(0, None, {"Ann": 0}), Identification(1, "Ann", {"Ann": 100}))


@pytest.mark.parametrize("exclusive", [True, False])
def test_without_speakers_or_known_voices_there_is_nobody_to_name(exclusive: bool):
    assert identify([], {"Ann": ANN}, exclusive=exclusive) == ()
    assert identify([ANN], {}, exclusive=exclusive) == (Identification(0, None, {}),)
    assert matches(identify([ANN, BOB, STRANGER], {"Bob": BOB}, threshold=50)) == [None, "Bob", None]


def test_confidence_is_even_where_both_are_equally_likely_and_rises_with_the_cosine():
    curve = CALIBRATIONS["resemblyzer"]
    cosines = np.linspace(-1, 1, 201)
    for model in ("resemblyzer 0.1.4", "another 2"):
        found = confidence(cosines, model)
        assert (np.diff(found) >= 0).all()
        assert found.min() >= 0
        assert found.max() <= 100
    assert confidence(np.array([curve.even]), "resemblyzer 0.1.4") == pytest.approx(50)
    assert confidence(np.array([0.42]), "another 2") == pytest.approx(42)


# --- what cannot be compared


def refused(*arguments: object, **options: object) -> EngineError:
    with pytest.raises(EngineError) as caught:
        identify(*arguments, **options)  # type: ignore[arg-type]
    assert caught.value.code == "INVALID_OPTION"
    return caught.value


def test_a_voiceprint_of_another_model_is_refused_by_its_label():
    error = refused([None, BOB], {"Ann": voice(1, 0, 0, model="made-up 2")})
    assert error.details == {"field": "voiceprints", "label": "Ann", "model": "made-up 2", "needed": "made-up 1"}
    assert "'Ann' was made by made-up 2, those of this recording by made-up 1" in error.message


@pytest.mark.parametrize("vector", [(0.0, 0.0, 0.0), (float("nan"), 0.0, 1.0), (float("inf"), 0.0, 0.0), (), (1.0,)])
def test_a_vector_that_is_no_voiceprint_is_refused_by_its_label(vector: tuple[float, ...]):
    error = refused([ANN], {"Ann": Voiceprint("made-up 1", vector)})
    assert (error.details["field"], error.details["label"]) == ("voiceprints", "Ann")


@pytest.mark.parametrize("threshold", [-1, 100.5, float("nan")])
def test_a_threshold_is_from_0_to_100(threshold: float):
    assert refused([ANN], {"Ann": ANN}, threshold=threshold).details == {"field": "threshold"}


# --- as text


def test_a_voiceprint_survives_its_text():
    kept = voiceprint_from_text(voiceprint_to_text(LIKE_ANN))
    assert kept.model == LIKE_ANN.model
    assert kept.vector == pytest.approx(LIKE_ANN.vector)


@pytest.mark.parametrize(
    "text", ["", "no base64!", "bm8gemVybw==", "AAAA", "bQAA", "bQAAAAAA", "bQAAAMB/", "/wAAAIA/", "é"]
)
def test_a_text_that_is_no_voiceprint_is_refused(text: str):
    with pytest.raises(ValueError):
        voiceprint_from_text(text)


# --- real people


@pytest.fixture(scope="module")
def engine() -> EmbeddedDiarizer:
    return EmbeddedDiarizer()


@pytest.fixture
def heard(engine: EmbeddedDiarizer, tmp_path: Path):
    def diarize(path: Path, speakers: int, seconds: float | None = None) -> Diarization:
        frames = -1 if seconds is None else round(seconds * RATE)
        pcm, rate = soundfile.read(path, dtype="float32", frames=frames)
        assert rate == RATE
        return engine.diarize(pcm, SpeakerBounds(exact=speakers), tmp_path, ignore_progress)

    return diarize


@pytest.mark.skipif(not (EVAL / "enrol").is_dir(), reason="the recordings with references are not here")
def test_speakers_of_a_conversation_are_known_by_clips_of_them(heard):
    known = {name: heard(EVAL / "enrol" / f"{name}.ogg", 1).voiceprints[0] for name in ENROLLED}
    found = heard(CONVERSATION, 2, seconds=40)  # two women in a room
    for exclusive in (True, False):
        assert matches(identify(found.voiceprints, known, threshold=70, exclusive=exclusive)) == [
            "libri_1998",
            "libri_533",
        ]
    strangers = {name: voiceprint for name, voiceprint in known.items() if name not in ("libri_533", "libri_1998")}
    assert matches(identify(found.voiceprints, strangers, threshold=70)) == [None, None]


def test_the_sample_has_a_voiceprint_of_each_speaker_and_the_engine_says_of_which_model(heard, sample: Path):
    found = heard(sample, 2)
    first, second = found.voiceprints
    assert first
    assert second
    assert first.model == second.model
    assert first.model in found.models
    for voiceprint in (first, second):
        assert np.linalg.norm(voiceprint.vector) == pytest.approx(1, abs=1e-4)
    again = heard(sample, 1, seconds=12).voiceprints[0]  # of whom speaks first
    assert again
    assert np.dot(again.vector, first.vector) > 0.7 > 0.5 > np.dot(first.vector, second.vector)
