from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_engine.client import EngineDied, EngineProcess
from audio_engine.errors import Canceled, EngineError
from audio_engine.types import SpeakerRequest, Stage

SERVER = """
from audio_engine import registry, server
from tests.audio_engine.scripted import BESIDE
names = {"scripted": "Scripted", "slow": "Slow", "failing": "Failing", "buggy": "Buggy"}
registry.ENGINES = {name: f"tests.audio_engine.scripted:{kind}Diarizer" for name, kind in names.items()}
registry.ENGINES |= BESIDE
server.main()
"""
COMMAND = (sys.executable, "-c", SERVER)
PARENT = """
import sys, time
from audio_engine.client import EngineProcess
engine = EngineProcess(command=[sys.executable, "-c", sys.argv[1]])
engine.start()
print(engine.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with EngineProcess(["--preload", "scripted", "--preload", "nobody"], command=COMMAND) as process:
        yield process


@pytest.fixture
def fresh_engine() -> Iterator[EngineProcess]:
    with EngineProcess(command=COMMAND) as process:
        yield process


def ended(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_a_warm_process_does_requests_one_after_another(engine: EngineProcess, tmp_path: Path, recording: Path) -> None:
    assert engine.versions["av"]
    for name in ("one", "two"):
        reports: list[tuple[Stage | None, float]] = []
        request = SpeakerRequest(recording, tmp_path / name, engine="scripted")
        result = engine.run(request, lambda *report: reports.append(report))  # noqa: B023
        assert len(result.speakers) == 2
        assert (tmp_path / name / "speaker_1.wav").exists()
        fractions = [fraction for _, fraction in reports]
        assert fractions == sorted(fractions)
        assert {"decode", "embedding", "tracks"} <= {stage for stage, _ in reports}
    assert engine.ping()


def test_a_process_that_nobody_needs_for_a_while_unloads_its_models_and_goes_on(
    tmp_path: Path, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with EngineProcess(["--idle", "0.2"], command=COMMAND) as process:
        for name in ("one", "two"):
            process.run(SpeakerRequest(recording, tmp_path / name, engine="scripted"), lambda *_: None)
            said, deadline = "", time.monotonic() + 10
            while "they are unloaded" not in said and time.monotonic() < deadline:
                time.sleep(0.05)
                said += capfd.readouterr().err
            assert "they are unloaded" in said
        assert process.ping()


def test_an_error_crosses_the_border_whole_and_the_process_goes_on(
    engine: EngineProcess, tmp_path: Path, recording: Path
) -> None:
    with pytest.raises(EngineError) as caught:
        engine.run(SpeakerRequest(recording, tmp_path / "out", engine="failing"))
    error = caught.value
    assert (error.code, error.message, error.permanent) == ("OUT_OF_MEMORY", "No memory left.", False)
    assert error.details == {"needed": 1}
    with pytest.raises(EngineError) as caught:
        engine.run(SpeakerRequest(recording, tmp_path / "out", engine="buggy"))
    assert (caught.value.code, caught.value.permanent) == ("ENGINE_FAILED", False)
    assert engine.ping()


def test_the_process_has_its_session_and_its_limits(engine: EngineProcess) -> None:
    assert engine.pid
    assert os.getsid(engine.pid) == engine.pid
    limits = Path(f"/proc/{engine.pid}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    assert "Max open files            1024" in limits
    assert Path(f"/proc/{engine.pid}/oom_score_adj").read_text().strip() == "500"
    assert "NoNewPrivs:\t1" in Path(f"/proc/{engine.pid}/status").read_text()


def test_the_process_gets_the_environment_it_is_given() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"} | {"GIVEN": "1"}
    with EngineProcess(command=COMMAND, environment=environment) as process:
        found = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert b"GIVEN=1" in found
        assert not any(line.startswith(b"HOME=") for line in found)


def test_a_cancel_ends_the_process_within_seconds(fresh_engine: EngineProcess, tmp_path: Path, recording: Path) -> None:
    pid = fresh_engine.pid
    assert pid

    def cancel(stage: Stage | None, fraction: float) -> None:
        if stage == "embedding":
            raise Canceled

    started = time.monotonic()
    with pytest.raises(Canceled):
        fresh_engine.run(SpeakerRequest(recording, tmp_path / "out", engine="slow"), cancel)
    assert time.monotonic() - started < 15
    assert ended(pid)
    fresh_engine.start()
    assert fresh_engine.ping()


def test_the_caller_is_asked_at_least_once_a_second(
    fresh_engine: EngineProcess, tmp_path: Path, recording: Path
) -> None:
    assert fresh_engine.pid
    os.kill(fresh_engine.pid, signal.SIGSTOP)  # an engine that says nothing
    asked: list[float] = []

    def ask(stage: Stage | None, fraction: float) -> None:
        asked.append(time.monotonic())
        if len(asked) == 3:
            raise Canceled

    started = time.monotonic()
    with pytest.raises(Canceled):
        fresh_engine.run(SpeakerRequest(recording, tmp_path / "out", engine="scripted"), ask)
    assert asked[2] - started < 4.5
    assert not fresh_engine.running  # SIGKILL, since a stopped process does not hear SIGTERM


def test_a_killed_process_is_told_apart_from_an_error(
    fresh_engine: EngineProcess, tmp_path: Path, recording: Path
) -> None:
    def kill(stage: Stage | None, fraction: float) -> None:
        assert fresh_engine.pid
        os.kill(fresh_engine.pid, signal.SIGKILL)

    with pytest.raises(EngineDied) as caught:
        fresh_engine.run(SpeakerRequest(recording, tmp_path / "out", engine="slow"), kill)
    assert caught.value.returncode == -signal.SIGKILL
    with pytest.raises(EngineDied):
        fresh_engine.run(SpeakerRequest(recording, tmp_path / "out", engine="scripted"))


def test_a_process_that_cannot_start_is_told() -> None:
    with pytest.raises(EngineDied) as caught:
        EngineProcess(command=[sys.executable, "-c", "raise SystemExit(3)"]).start()
    assert caught.value.returncode == 3


def test_the_process_dies_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, SERVER], stdout=subprocess.PIPE)
    assert parent.stdout
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    assert ended(pid)


def test_the_process_ends_when_nobody_listens_any_more(tmp_path: Path, recording: Path) -> None:
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process.stdout:
        assert json.loads(process.stdout.readline())["event"] == "ready"
        request = {"source": str(recording), "output": str(tmp_path / "out"), "task": "extraction", "engine": "slow"}
        process.stdin.write(json.dumps({"op": "run", "id": 1, "request": request}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "progress"
        process.stdin.close()
        assert process.wait(10) == 0
