from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audio_engine import formats
from audio_engine.formats import (
    parse_rttm,
    request_from_json,
    request_to_json,
    result_from_json,
    result_json,
    rttm,
    write_confidence,
)
from audio_engine.types import (
    TASKS,
    CompactSpan,
    MediaInfo,
    MediaLimits,
    OutputFile,
    RecordingStats,
    Result,
    SpeakerBounds,
    SpeakerRequest,
    SpeakerResult,
    SpeakerStats,
    Task,
    Turn,
)
from audio_engine.voices import VoiceAttributes, Voiceprint


def test_rttm_has_ten_columns_in_order_of_time() -> None:
    text = rttm([Turn(1.5, 2.25, 1), Turn(0.0004, 1.5, 0)], "team call.wav")
    assert text.splitlines() == [
        "SPEAKER team_call.wav 1 0.000 1.500 <NA> <NA> SPEAKER_00 <NA> <NA>",
        "SPEAKER team_call.wav 1 1.500 0.750 <NA> <NA> SPEAKER_01 <NA> <NA>",
    ]


def test_rttm_comes_back_as_it_went() -> None:
    turns = (Turn(0.0, 1.5, 0), Turn(1.25, 2.0, 1), Turn(3.0, 4.0, 0))
    assert parse_rttm(rttm(turns, "x")) == turns


def test_rttm_tells_confidence_as_a_probability() -> None:
    turns = (Turn(0.0, 1.5, 0, 87), Turn(1.5, 2.0, 1, 100), Turn(2.0, 3.0, 0))
    assert [line.split()[8] for line in rttm(turns, "x").splitlines()] == ["0.87", "1.00", "<NA>"]
    assert parse_rttm(rttm(turns, "x")) == turns


@pytest.mark.parametrize("column", ["high", "-3.2", "87", "nan", "inf"])
def test_a_confidence_of_others_that_is_no_probability_is_left_out(column: str) -> None:
    assert parse_rttm(f"SPEAKER f 1 0 1 <NA> <NA> a {column} <NA>") == (Turn(0, 1, 0),)


@pytest.mark.parametrize("frames", [0, 1, 10, 11])
def test_confidence_is_written_piece_by_piece(tmp_path: Path, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "SCORES_AT_ONCE", 5)
    confidence = bytes(range(90, 90 + frames))
    write_confidence(confidence, tmp_path / "confidence.json")
    assert json.loads((tmp_path / "confidence.json").read_text()) == {"resolution": 0.02, "score": list(confidence)}


def test_rttm_of_others_is_read_with_its_own_labels_and_other_lines() -> None:
    text = (
        ";; comment\nSPKR-INFO f 1 <NA> <NA> <NA> unknown bob <NA>\n\n"
        "SPEAKER f 1 2 1 <NA> <NA> bob <NA> <NA>\nSPEAKER f 1 0 1 <NA> <NA> al\n"
    )
    assert parse_rttm(text) == (Turn(2, 3, 0), Turn(0, 1, 1))


@pytest.mark.parametrize("line", ["SPEAKER f 1 0 1", "SPEAKER f 1 zero 1 <NA> <NA> a <NA> <NA>"])
def test_a_broken_rttm_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse_rttm(f"SPEAKER f 1 0 1 <NA> <NA> a <NA> <NA>\n{line}\n")


def test_a_result_survives_json() -> None:
    result = SpeakerResult(
        task="extraction",
        engine="embedded",
        models=("a 1",),
        media=MediaInfo("wav", "pcm_s16le", 16_000, 1, None, False, 5.0, "mono"),
        overlap="mute",
        speakers=(SpeakerStats(0, 1.0, 1.0, 1, 1.0, 0.0, None, 0.5, -20.0, None),),
        recording=RecordingStats(1.0, 4.0, 0.0),
        turns=(Turn(0, 1, 0, 87),),
        exclusive=(Turn(0, 1, 0),),
        files=(OutputFile("audio", "speaker_0.wav", 44, 0), OutputFile("rttm", "extraction.rttm", 3)),
        warnings=("ünclear",),
        compact_maps={0: (CompactSpan(0, 1, 2),)},
        peaks=(0.5, 0.25),
        voiceprints=(Voiceprint("a 1", (0.6, -0.8)), None),
        voice_attributes=(VoiceAttributes(0, 92.0, 110.5, 143.0, "male", 93), VoiceAttributes(1)),
    )
    assert result_from_json(json.loads(result_json(result))) == result


def test_a_request_survives_json() -> None:
    request = SpeakerRequest(
        Path("/in/a b.wav"),
        Path("/out"),
        task="diarization",
        engine="embedded",
        speakers=SpeakerBounds(minimum=2, maximum=4),
        overlap="mute",
        compact=True,
        voiceprints=True,
        limits=MediaLimits(seconds=60),
    )
    assert request_from_json(json.loads(json.dumps(request_to_json(request)))) == request


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_request_and_its_result(task: Task) -> None:
    request = formats.REQUESTS[task](Path("/in"), Path("/out"), task)
    assert request_from_json(request_to_json(request)) == request
    assert issubclass(formats.RESULTS[task], Result)


@pytest.mark.parametrize("data", [{}, {"task": "sing"}, {"task": "extraction", "source": "/in"}])
def test_what_is_no_request_is_refused(data: dict[str, str]) -> None:
    with pytest.raises((KeyError, TypeError)):
        request_from_json(data)


def test_what_the_product_imports_of_the_engine_is_light() -> None:
    code = (
        "import sys, audio_engine.formats, audio_engine.registry, audio_engine.client, audio_engine.options;"
        " assert not {'torch', 'av', 'scipy', 'django'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
