"""The tasks that deal in voices, from the request to the files: learning one, and naming a recording's speakers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from audio_engine.enrolment import TOO_LITTLE
from audio_engine.errors import EngineError
from audio_engine.formats import result_from_json
from audio_engine.pipeline import run
from audio_engine.types import IdentificationRequest, MediaLimits, VoiceprintRequest
from audio_engine.voices import Identification, Voiceprint
from tests.audio_engine.scripted import VOICEPRINTS

ANN, BOB = Voiceprint("scripted 1", (0.6, 0.8)), Voiceprint("scripted 1", (-0.8, 0.6))


def test_a_voice_is_learned_from_a_sample(tmp_path: Path, recording: Path, scripted: str) -> None:
    result = run(VoiceprintRequest(recording, tmp_path / "out", engine=scripted))
    assert result.voiceprint == VOICEPRINTS[0]  # type: ignore[attr-defined]
    assert [file.name for file in result.files] == ["result.json"]
    kept = result_from_json(json.loads((tmp_path / "out" / "result.json").read_text()))
    assert kept.voiceprint == VOICEPRINTS[0]  # type: ignore[attr-defined]


def test_a_sample_without_a_voice_is_an_error(tmp_path: Path, scripted: str) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, [0.0] * 32_000, 16_000)
    with pytest.raises(EngineError) as refusal:
        run(VoiceprintRequest(silence, tmp_path / "out", engine=scripted))
    assert (refusal.value.code, refusal.value.message, refusal.value.permanent) == ("NO_SPEECH", TOO_LITTLE, True)


def test_a_sample_that_is_too_long_is_refused(tmp_path: Path, recording: Path, scripted: str) -> None:
    with pytest.raises(EngineError, match="longer than 4 s"):
        run(VoiceprintRequest(recording, tmp_path / "out", engine=scripted, limits=MediaLimits(seconds=4)))


def test_speakers_are_compared_with_known_voices(tmp_path: Path, recording: Path, scripted: str) -> None:
    known = {"Ann": ANN, "Bob": BOB}
    result = run(IdentificationRequest(recording, tmp_path / "out", engine=scripted, known=known))
    assert result.identifications == (  # type: ignore[attr-defined]
        Identification(0, "Ann", {"Ann": 100, "Bob": 0}),
        Identification(1, None, {"Ann": 0, "Bob": 0}),
    )
    kept = json.loads((tmp_path / "out" / "result.json").read_text())
    assert kept["voiceprints"] == []  # biometric data, and not asked for
    assert result_from_json(kept).identifications == result.identifications  # type: ignore[attr-defined]
    assert {file.name for file in result.files} == {"identification.rttm", "result.json"}


def test_voices_of_another_model_are_refused(tmp_path: Path, recording: Path, scripted: str) -> None:
    known = {"Ann": Voiceprint("another 2", (0.6, 0.8))}
    with pytest.raises(EngineError, match="'Ann' was made by another 2") as refusal:
        run(IdentificationRequest(recording, tmp_path / "out", engine=scripted, known=known))
    assert (refusal.value.code, refusal.value.permanent) == ("INVALID_OPTION", True)


def test_a_threshold_that_is_none_is_refused_before_any_work(tmp_path: Path, scripted: str) -> None:
    with pytest.raises(EngineError, match="threshold must be from 0 to 100"):
        run(IdentificationRequest(tmp_path / "nowhere", tmp_path / "out", engine=scripted, threshold=101))
