"""A program that speaks the engine's protocol and behaves as its first argument says: the other end of the wire."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audio_engine.types import MediaInfo, OutputFile, RecordingStats, SpeakerResult, SpeakerStats, Turn

INFO = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 3.0)
SPEAKER = SpeakerStats(0, 3.0, 1.0, 1, 3.0, 0.0, -20.0, 0.3, -21.0, None)


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def result(speakers: tuple[SpeakerStats, ...], files: tuple[OutputFile, ...]) -> dict[str, Any]:
    turns = tuple(Turn(0.0, 3.0, speaker.speaker) for speaker in speakers)
    stats = RecordingStats(3.0, 0.0, 0.0)
    return SpeakerResult(
        "extraction", "fake", ("fake 1",), INFO, "keep", speakers, stats, turns, turns, files=files
    ).to_json()


def succeed(number: int, request: dict[str, Any]) -> None:
    assert Path(request["source"]).stat().st_size > 0
    output = Path(request["output"])
    (output / "speaker_0.wav").write_bytes(b"RIFF of speaker 0")
    (output / "extraction.rttm").write_text("SPEAKER")
    files = (OutputFile("audio", "speaker_0.wav", 17, 0), OutputFile("rttm", "extraction.rttm", 7))
    for step in range(3):
        send(id=number, event="progress", stage="embedding", fraction=step / 3)
    send(id=number, event="result", result=result((SPEAKER,), files))


def find_nobody(number: int, request: dict[str, Any]) -> None:
    send(id=number, event="result", result=result((), ()))


def crash(number: int, request: dict[str, Any]) -> None:
    send(id=number, event="progress", stage="embedding", fraction=0.1)
    os.kill(os.getpid(), signal.SIGKILL)


def crash_once(number: int, request: dict[str, Any]) -> None:
    """The first time in a folder."""
    marker = Path(sys.argv[2])
    if not marker.exists():
        marker.touch()
        crash(number, request)
    succeed(number, request)


def hang(number: int, request: dict[str, Any]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    send(id=number, event="progress", stage="embedding", fraction=0.5)
    time.sleep(600)


def refuse(number: int, request: dict[str, Any]) -> None:
    send(id=number, event="error", code=sys.argv[2], message="In the engine's words.", permanent=True, details={"a": 1})


def stumble(number: int, request: dict[str, Any]) -> None:
    send(id=number, event="error", code=sys.argv[2], message="In the engine's words.", permanent=False, details={})


BEHAVIOURS: dict[str, Callable[[int, dict[str, Any]], None]] = {
    function.__name__: function for function in (succeed, find_nobody, crash, crash_once, hang, refuse, stumble)
}


def main() -> None:
    send(event="ready", pid=os.getpid(), versions={})
    for line in sys.stdin:
        message = json.loads(line)
        BEHAVIOURS[sys.argv[1]](message["id"], message["request"])


if __name__ == "__main__":
    main()
