"""A program that uses the API, and what the engine would have made of its jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.test import Client

from audio_engine.types import DialogueResult, MediaInfo, RecordingStats, SpeakerResult, SpeakerStats, Turn
from jobs import files, lifecycle
from jobs.models import Job, Media, Track

TURNS = (Turn(0.1, 1.0, 0, 90.0), Turn(1.2, 2.5, 1))


class Program(Client):
    """A client that reports the server's failures as its users see them, with the headers of its key."""

    def __init__(self, secret: str = "") -> None:
        super().__init__(raise_request_exception=False, headers={"X-API-Key": secret} if secret else None)

    def send(self, method: str, path: str, data: Any = None, **options: Any) -> Any:
        """JSON where `data` is given and no content type."""
        if data is not None:
            options.setdefault("content_type", "application/json")
        return getattr(self, method)(f"/api/v1/{path}", data, **options)


def result(task: str, media: Media) -> dict[str, Any]:
    """What the engine says of two people who take turns."""
    found = SpeakerResult(
        task=task,  # type: ignore[arg-type]
        engine="embedded",
        models=("silero-vad 6.2",),
        media=MediaInfo("wav", "pcm_s16le", media.sample_rate, media.channels, 16, False, media.seconds, "mono"),
        overlap="keep",
        speakers=tuple(
            SpeakerStats(turn.speaker, turn.duration, 0.5, 1, turn.duration, 0.0, -20.5, 0.5, -23.0, None)
            for turn in TURNS
        ),
        recording=RecordingStats(2.2, 0.8, 0.0),
        turns=TURNS,
        exclusive=TURNS,
        files=(),
        warnings=("Only 2 speakers were found.",),
    )
    return found.to_json()


def separated(job: Job, recording: Path, names: tuple[str, ...] = ("speech", "background")) -> Job:
    """Do the engine's part of a queued dialogue separation: stems, each a copy of the recording."""
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    assert running.pk == job.pk
    assert running.media is not None
    media = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, running.media.seconds, "mono")
    found = DialogueResult("dialogue", "embedded", ("silero-vad 6.2",), media, 2.5)
    stems = [
        lifecycle.StoredFile(Track.Kind.AUDIO, files.store(recording, running.folder() / f"{stem}.wav"), 96_044)
        for stem in names
    ]
    return lifecycle.succeed(running, found.to_json(), stems)


def succeed(job: Job, recording: Path) -> Job:
    """Do the engine's part of a queued job: two tracks of its recording, and the RTTM."""
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    assert running.pk == job.pk
    assert running.media is not None
    names = [("speaker_0.wav", 0), ("speaker_1.wav", 1)] if job.task == "extraction" else []
    outputs = [
        lifecycle.StoredFile(Track.Kind.AUDIO, files.store(recording, running.folder() / name), 96_044, speaker)
        for name, speaker in names
    ]
    rttm = files.store(recording, running.folder() / f"{job.task}.rttm")
    outputs.append(lifecycle.StoredFile(Track.Kind.RTTM, rttm, 96_044))
    return lifecycle.succeed(running, result(job.task, running.media), outputs)
