from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine import registry
from audio_engine.__main__ import main
from audio_engine.formats import parse_rttm
from audio_engine.options import NOTHING_TO_CLEAN
from tests.audio_engine.scripted import BESIDE

from .voices import LOW

ENGINE = [sys.executable, "-m", "audio_engine"]


def test_the_packaged_sample_gives_two_speakers_on_tracks(sample: Path, tmp_path: Path) -> None:
    command = [*ENGINE, "extract", str(sample), "--output", str(tmp_path), "--num-speakers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    turns = parse_rttm((tmp_path / "extraction.rttm").read_text())
    assert {turn.speaker for turn in turns} == {0, 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confidence.json",
        "extraction.rttm",
        "result.json",
        "speaker_0.wav",
        "speaker_1.wav",
    ]
    header, first, second, summary = done.stdout.splitlines()
    assert header.split()[:2] == ["speaker", "talk"]
    assert (first.split()[0], second.split()[0]) == ("0", "1")
    assert summary.startswith("30.0 s:")
    assert done.stderr == ""  # no progress bar where there is no terminal


def test_a_second_run_leaves_nothing_of_the_first(
    recording: Path, tmp_path: Path, scripted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    for name in ("speaker_7.wav", "extraction.rttm", "confidence.json", "keep.txt"):
        (output / name).touch()
    assert main(["diarize", str(recording), "--output", str(output)]) == 0
    assert sorted(path.name for path in output.iterdir()) == ["diarization.rttm", "keep.txt", "result.json"]
    assert "5.0 s: 5.0 s speech" in capsys.readouterr().out


def test_json_is_all_that_is_printed_where_it_is_asked_for(
    recording: Path, tmp_path: Path, scripted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--overlap", "mute", "--compact", "--voice-attributes", "--json"]
    assert main(["extract", str(recording), "--output", str(tmp_path / "out"), *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["overlap"] == "mute"
    assert set(printed["compact_maps"]) == {"0", "1"}
    assert [voice["gender"] for voice in printed["voice_attributes"]] == ["unknown", "unknown"]


def test_what_voices_sound_like_is_said_where_it_is_asked_for(
    tmp_path: Path, scripted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "voice.wav", np.concatenate([LOW.says(9), np.zeros(8000, np.float32)]), 16_000)
    command = ["diarize", str(tmp_path / "voice.wav"), "--output", str(tmp_path / "out")]
    assert main([*command, "--voice-attributes"]) == 0
    first, *_ = [line for line in capsys.readouterr().out.splitlines() if line.startswith("voice of speaker")]
    assert first.startswith("voice of speaker 0: ")
    assert "; gender male (" in first
    assert main(command) == 0
    assert "gender" not in capsys.readouterr().out


def test_less_noise_is_told_with_the_loudness(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--engine", "spectral", "--loudness", "-20"]
    assert main(["denoise", str(recording), "--output", str(tmp_path / "noise"), *wanted]) == 0
    assert re.fullmatch(r"5\.0 s: [\d.]+ dB less noise, -20\.0 LUFS\n", capsys.readouterr().out)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    assert main(["denoise", str(tmp_path / "silence.wav"), "--output", str(tmp_path / "silence"), *wanted]) == 0
    said, warning = capsys.readouterr().out.splitlines()
    assert said == "1.0 s: silent throughout, - LUFS"
    assert warning.startswith("warning: The recording is too silent")


def test_what_auto_lacks_is_told_once(
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(registry, "_prepared", set())
    assert main(["transcribe", str(recording), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("ENGINE_UNAVAILABLE: No engine for transcription is installed")
    assert not caplog.records


def test_probe_tells_what_a_recording_is(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(recording), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seconds"], found["sample_rate"], found["codec"]) == (5.0, 16_000, "pcm_s16le")
    assert main(["probe", str(recording)]) == 0
    assert "sample_rate: 16000" in capsys.readouterr().out


def test_an_error_is_one_line_or_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.mp3"
    path.write_text("no sound")
    assert main(["probe", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("INVALID_AUDIO_FORMAT: ")
    assert len(captured.err.splitlines()) == 1
    assert main(["probe", str(path), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["permanent"]) == ("INVALID_AUDIO_FORMAT", True)


def test_a_cleaner_is_refused_where_nothing_is_to_be_cleaned(
    recording: Path, tmp_path: Path, scripted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["extract", str(recording), "--output", str(tmp_path / "out"), "--cleaner", "pauses"]
    assert main(command) == 2
    assert capsys.readouterr().err == f"INVALID_OPTION: cleaner {NOTHING_TO_CLEAN}.\n"
    assert main([*command, "--clean-background"]) == 0


def test_turns_that_are_known_make_tracks_without_an_engine(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("audio_engine.registry.ENGINES", dict(BESIDE))  # none of which tells speakers
    turns, output = tmp_path / "turns.rttm", tmp_path / "out"
    turns.write_text("\ufeffSPEAKER a 1 0.5 1.5 <NA> <NA> Ana <NA> <NA>\nSPEAKER a 1 3 1 <NA> <NA> Ben <NA> <NA>\n")
    command = ["extract", str(recording), "--output", str(output), "--turns", str(turns)]
    assert main(command) == 0
    found = parse_rttm((output / "extraction.rttm").read_text())
    assert [(turn.start, turn.end, turn.speaker) for turn in found] == [(0.5, 2.0, 0), (3.0, 4.0, 1)]
    assert (output / "speaker_1.wav").exists()
    assert (output / "extraction.rttm").read_text().splitlines()[1].split()[7] == "Ben"
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:3]] == [["0", "Ana"], ["1", "Ben"]]
    for beside, name in (("--num-speakers", "num_speakers"), ("--engine", "engine")):
        assert main([*command, beside, "2"]) == 2
        assert capsys.readouterr().err.startswith(f"INVALID_OPTION: {name} is for an engine that tells who speaks")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"", "no line that begins with SPEAKER"),
        (b"SPEAKER a 1 x 1 <NA> <NA> Ana", "line 1 has no start, duration and speaker"),
        (b"SPEAKER a 1 0.5 0 <NA> <NA> Ana", "line 1 is from 0.5 to 0.5 s"),
    ],
)
def test_what_is_no_turns_is_refused_in_words(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "turns.rttm").write_bytes(content)
    command = ["diarize", str(recording), "--output", str(tmp_path / "out"), "--turns", str(tmp_path / "turns.rttm")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert told.startswith("INVALID_OPTION: turns ")
    assert words in told


def test_a_defect_is_told_apart_from_bad_input(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = {"buggy": "tests.audio_engine.scripted:BuggyDiarizer", **BESIDE}
    monkeypatch.setattr("audio_engine.registry.ENGINES", engines)
    assert main(["extract", str(recording), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ENGINE_FAILED: The engine failed."


def test_a_terminal_shows_a_progress_bar(sample: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*ENGINE, "diarize", str(sample), "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            shown += chunk
    except OSError:  # how Linux says that nobody has the other end open
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert b"100%  tracks" in shown
