"""From a recording to a transcript with speakers, by a Whisper of random weights and a scripted diarizer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import srt
import webvtt

from audio_engine import registry
from audio_engine.__main__ import main
from audio_engine.errors import EngineError
from audio_engine.formats import parse_rttm, request_from_json, request_to_json, result_from_json, result_json
from audio_engine.pipeline import run
from audio_engine.transcription.transcript import transcript_from_json
from audio_engine.types import DialogueRequest, TranscriptionRequest, TranscriptionResult, Turn

ENGINE = "whisper-large-v3-turbo"
SUBTITLES = """1
00:00:00,100 --> 00:00:00,900
- <i>Hello</i>

2
00:00:01,300 --> 00:00:01,900
there.
"""


@pytest.fixture
def engines(whisper_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A diarizer whose answer is known, and the tiny Whisper."""
    monkeypatch.setattr(
        registry,
        "ENGINES",
        {"scripted": "tests.audio_engine.scripted:ScriptedDiarizer", ENGINE: registry.ENGINES[ENGINE]},
    )


@pytest.fixture
def request_of(recording: Path, tmp_path: Path) -> TranscriptionRequest:
    return TranscriptionRequest(recording, tmp_path / "out", diarizer="scripted")


def test_words_get_the_speakers_of_the_diarization(engines, request_of):
    result = run(request_of)
    assert isinstance(result, TranscriptionResult)
    assert (result.task, result.engine) == ("transcription", ENGINE)
    assert [name.split()[0] for name in result.models] == [ENGINE, "faster-whisper", "scripted"]
    transcript = transcript_from_json(json.loads((request_of.output / "transcript.json").read_text()))
    words = transcript.words()
    assert (len(words), len(transcript.sentences)) == (result.words, result.sentences)
    assert result.words > 5
    for word in words:
        around = {turn.speaker for turn in result.exclusive if turn.start <= (word.start + word.end) / 2 <= turn.end}
        assert word.speaker in around or word.end - word.start > 1
    assert result.language == transcript.language != ""
    assert 0 < (result.language_probability or 0) <= 1


def test_words_alone_are_speech_by_the_same_recogniser(engines, request_of):
    request = DialogueRequest(request_of.source, request_of.output, engine="scripted", recogniser=ENGINE)
    result = run(request_from_json(request_to_json(request)))
    assert [file.name for file in result.files] == ["speech.wav", "nonlingual.wav", "result.json"]
    assert [name.split()[0] for name in result.models] == [ENGINE, "faster-whisper", "scripted"]
    assert result.speech_seconds > 0


def test_the_transcript_comes_in_the_formats_that_others_read(engines, request_of):
    result = run(request_of)
    kinds = {file.kind: request_of.output / file.name for file in result.files}
    assert set(kinds) == {"rttm", "json", "transcript", "txt", "srt", "vtt"}
    subtitles = list(srt.parse(kinds["srt"].read_text(), ignore_errors=False))
    assert subtitles[0].content.startswith("SPEAKER_0")
    assert next(caption.voice for caption in webvtt.read(str(kinds["vtt"]))).startswith("SPEAKER_0")
    assert kinds["txt"].read_text().startswith("SPEAKER_0")
    assert {file.bytes for file in result.files} == {path.stat().st_size for path in kinds.values()}


def test_subtitles_get_speakers_and_nothing_is_recognised(engines, request_of, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "ENGINES", {"scripted": registry.ENGINES["scripted"]})
    result = run(TranscriptionRequest(request_of.source, request_of.output, subtitles=SUBTITLES))
    written = list(srt.parse((request_of.output / "transcript.srt").read_text()))
    assert [line.content for line in written] == ["SPEAKER_00: - <i>Hello</i>", "SPEAKER_01: there."]
    assert [line.start.total_seconds() for line in written] == [0.1, 1.3]
    assert (result.words, result.sentences, result.engine) == (0, 2, "scripted")


@pytest.mark.parametrize("subtitles", ["", SUBTITLES])
def test_words_get_the_speakers_of_turns_that_are_given(engines, request_of, monkeypatch, subtitles):
    beside = {} if subtitles else {ENGINE: registry.ENGINES[ENGINE]}
    monkeypatch.setattr(registry, "ENGINES", beside)  # none of which tells speakers
    turns = (Turn(0.0, 1.0, 1), Turn(1.0, 5.0, 0))
    request = replace(request_of, turns=turns, diarizer="auto", subtitles=subtitles)
    told: list[float] = []
    result = run(request_from_json(request_to_json(request)), lambda _, fraction: told.append(fraction))
    assert result.turns == turns
    assert result.engine == ("given" if subtitles else ENGINE)
    transcript = transcript_from_json(json.loads((request_of.output / "transcript.json").read_text()))
    said = transcript.words() or transcript.sentences
    assert {its.speaker for its in said if its.end < 1} <= {1}
    assert {its.speaker for its in said if its.start > 1} == {0}
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_who_speaks_can_be_left_out_of_what_people_read(engines, request_of):
    run(replace(request_of, labelled=False))
    for name in ("transcript.txt", "transcript.srt", "transcript.vtt"):
        assert "SPEAKER" not in (request_of.output / name).read_text()
    transcript = transcript_from_json(json.loads((request_of.output / "transcript.json").read_text()))
    assert {sentence.speaker for sentence in transcript.sentences} == {0, 1}


def test_silence_is_a_transcript_without_words_and_a_warning(engines, request_of, tmp_path):
    soundfile.write(tmp_path / "silence.wav", [0.0] * 48_000, 16_000)
    result = run(TranscriptionRequest(tmp_path / "silence.wav", request_of.output))
    assert (result.words, result.speakers) == (0, ())
    assert result.warnings == ("No speech was found.",)


def test_a_language_that_nobody_knows_is_refused(engines, request_of):
    with pytest.raises(EngineError) as refused:
        run(TranscriptionRequest(request_of.source, request_of.output, language="tlh"))
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", "language")


def test_without_a_model_it_is_refused_before_any_work(request_of, tmp_path, monkeypatch):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "none"))
    with pytest.raises(EngineError) as refused:
        run(TranscriptionRequest(request_of.source, request_of.output))
    assert refused.value.code == "ENGINE_UNAVAILABLE"
    assert refused.value.message.startswith("No engine for transcription is installed on this server.")
    assert "manage.py models fetch whisper-large-v3-turbo" in refused.value.message
    assert "whisper-small" in refused.value.message
    assert not request_of.output.exists()


def test_requests_and_results_cross_the_border(engines, request_of):
    assert request_from_json(json.loads(json.dumps(request_to_json(request_of)))) == request_of
    result = run(request_of)
    assert result_from_json(json.loads(result_json(result))) == result


def test_the_command_line_prints_what_was_said(engines, request_of, capsys):
    output = request_of.output
    output.mkdir()
    (output / "transcript.md").touch()
    assert main(["transcribe", str(request_of.source), "--output", str(output), "--language", "en-GB"]) == 0
    said = capsys.readouterr().out
    assert (output / "transcript.txt").read_text() in said
    assert json.loads((output / "transcript.json").read_text())["language"] == "en"


def test_the_command_line_takes_turns_for_words(engines, request_of, tmp_path, capsys):
    turns = tmp_path / "turns.rttm"
    turns.write_text("SPEAKER a 1 0 1 <NA> <NA> Ana <NA> <NA>\nSPEAKER a 1 1 4 <NA> <NA> Ben <NA> <NA>\n")
    command = ["transcribe", str(request_of.source), "--output", str(tmp_path / "out"), "--turns", str(turns)]
    assert main([*command, "--diarizer", "scripted"]) == 2
    assert capsys.readouterr().err.startswith("INVALID_OPTION: diarizer is for an engine that tells who speaks")
    assert main(command) == 0
    assert {line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if ": " in line[:5]} == {
        "Ana",
        "Ben",
    }
    assert [turn.end for turn in parse_rttm((tmp_path / "out" / "transcription.rttm").read_text())] == [1.0, 5.0]


def test_subtitles_that_cannot_be_read_are_refused_before_any_work(engines, request_of, tmp_path, capsys):
    command = ["transcribe", str(request_of.source), "--output", str(tmp_path / "out"), "--srt"]
    assert main([*command, str(tmp_path / "none.srt")]) == 2
    assert "No such file or directory" in capsys.readouterr().err
