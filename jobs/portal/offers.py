"""What can be made of a recording, and what is missing where it cannot be made here."""

from __future__ import annotations

from dataclasses import dataclass

from audio_engine import registry
from audio_engine.types import Task

MEANINGS: dict[Task, tuple[str, str]] = {
    "extraction": ("Speaker tracks", "Each speaker on a track of their own, and who spoke when."),
    "diarization": ("Who spoke when", "Turns, figures and confidence, without tracks."),
    "transcription": ("Transcript", "What was said and by whom, as text and subtitles."),
    "dialogue": ("Dialogue", "All speech in one file, everything else in another."),
    "stems": ("Stems", "Music taken apart: the vocals and all the rest; with Demucs’s networks drums, bass and more."),
    "denoising": ("Less noise", "The whole recording, with its noise lowered and its loudness set."),
}


@dataclass(frozen=True, slots=True)
class Offer:
    task: Task
    name: str
    meaning: str
    missing: str  # what the first choice of engine lacks; empty where one can do it

    @property
    def possible(self) -> bool:
        """Subtitles that are there get their speakers without anything that recognises words."""
        return not self.missing or self.task == "transcription"


def offers() -> list[Offer]:
    return [Offer(task, *meaning, missing(task)) for task, meaning in MEANINGS.items()]


def runnable(task: Task) -> list[str]:
    """The engines that can do a task here."""
    return [name for name, missing in registry.available(task).items() if missing is None]


def missing(task: Task) -> str:
    """What the first choice of engine for a task lacks; empty where one can do it here."""
    lacking = registry.available(task)
    return "" if None in lacking.values() else next(missing for missing in lacking.values() if missing)
