"""What a job's state is called where people read it, in pages and in live updates alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from audio_engine import registry
from audio_engine.backends.base import Denoiser

from .models import Job

Status = Job.Status
STATUS_WORDS: dict[str, str] = {
    Status.PENDING: "Waiting to be fetched",
    Status.FETCHING: "Fetching the recording",
    Status.QUEUED: "Waiting its turn",
    Status.RUNNING: "Starting the engine",
    Status.SUCCEEDED: "Done",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
}
STAGE_WORDS: dict[str, str] = {
    "download": "Fetching the recording",
    "decode": "Reading the recording",
    "activity": "Listening for speech",
    "embedding": "Learning the voices",
    "clustering": "Finding who speaks",
    "resegmentation": "Placing the changes of speaker",
    "transcription": "Writing down the words",
    "overlaps": "Splitting what several say at once",
    "tracks": "Writing the tracks",
    "denoising": "Taking the noise away",
    "levelling": "Measuring and writing",
    "separation": "Taking the music apart",
}
STAGES_OF: dict[str, tuple[str, ...]] = {
    "extraction": ("decode", "activity", "embedding", "clustering", "resegmentation", "overlaps", "tracks"),
    "diarization": ("decode", "activity", "embedding", "clustering", "resegmentation"),
    "identification": ("decode", "activity", "embedding", "clustering", "resegmentation"),
    "voiceprint": ("decode", "activity", "embedding"),
    "dialogue": ("decode", "activity", "tracks"),
    "transcription": ("decode", "activity", "embedding", "clustering", "resegmentation", "transcription"),
    "denoising": ("denoising", "levelling"),
    "stems": ("decode", "separation"),
}
TELLING = ("activity", "embedding", "clustering", "resegmentation")  # who speaks when
KNOWING = {"identification": "embedding"}  # of these what is done even where that is given
# Below these a forecast says more about the start than about the rest.
FORECAST_AFTER = timedelta(seconds=3)
FORECAST_FROM = 0.04


def state_words(status: str, stage: str = "") -> str:
    return STAGE_WORDS.get(stage) or STATUS_WORDS[status]


def steps(job: Job) -> list[tuple[str, str]]:
    """The stages that a job goes through, with their words."""
    stages = STAGES_OF[job.task]
    if job.options.get("turns"):
        stages = tuple(stage for stage in stages if stage not in TELLING or stage == KNOWING.get(job.task))
    if job.options.get("quality") == "ultra" and _hears_pauses(job.options.get("engine", registry.AUTO)):
        stages = ("decode", "activity", *stages)
    if job.options.get("clean_background"):
        stages = ("decode", "separation", *stages[1:])
    if job.options.get("words_only"):
        stages = (*stages[:-1], "transcription", stages[-1])
    if job.options.get("overlap", "separate") != "separate":
        stages = tuple(stage for stage in stages if stage != "overlaps")
    if job.source_url:
        stages = ("download", *stages)
    return [(stage, STAGE_WORDS[stage]) for stage in stages]


def _hears_pauses(denoiser: str) -> bool:
    engine = registry.resolve(task="denoising") if denoiser == registry.AUTO else registry.backend(denoiser)
    return cast(Denoiser, engine).hears_pauses


def time_left(started: datetime | None, now: datetime, progress: float) -> str:
    """How long the rest takes if it goes on as before, or nothing where that cannot be told yet."""
    if started is None or now - started < FORECAST_AFTER or not FORECAST_FROM <= progress < 1:
        return ""
    seconds = (now - started).total_seconds() * (1 - progress) / progress
    if seconds < 50:
        return f"about {max(5, round(seconds / 5) * 5)} seconds left"
    minutes = round(seconds / 60)
    if minutes < 90:
        return "about a minute left" if minutes <= 1 else f"about {minutes} minutes left"
    return f"about {round(minutes / 60)} hours left"


def clock(seconds: float) -> str:
    """0:07, 12:31, 1:02:09."""
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def in_words(seconds: float) -> str:
    """A length as people say it: 7 seconds, 12 min 31 s, 1 h 2 min."""
    whole = round(seconds)
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {second} s" if second else f"{minutes} min"
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute} min" if minute else f"{hours} h"
