"""Talk in figures, from turns alone. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .types import RecordingStats, Turn


@dataclass(frozen=True, slots=True)
class Talk:
    """One speaker's share in a conversation; times in seconds, `share` of all speakers' talk time from 0 to 1."""

    seconds: float
    share: float
    turns: int
    mean_turn_seconds: float
    overlap_seconds: float


def active_seconds(turns: Iterable[Turn]) -> tuple[float, float]:
    """Seconds in which at least one, and in which at least two of `turns` run."""
    events = sorted(event for turn in turns for event in ((turn.start, 1), (turn.end, -1)))
    one = two = before = 0.0
    running = 0
    for time, change in events:
        one += (time - before) if running >= 1 else 0
        two += (time - before) if running >= 2 else 0
        running, before = running + change, time
    return one, two


def recording_stats(turns: Sequence[Turn], seconds: float) -> RecordingStats:
    """Of a recording of `seconds` seconds."""
    speech, overlap = active_seconds(turns)
    return RecordingStats(round(speech, 3), round(max(0.0, seconds - speech), 3), round(overlap, 3))


def talk(turns: Sequence[Turn], speakers: Iterable[int]) -> dict[int, Talk]:
    """The figures of each of `speakers`, by their number."""
    own = {speaker: [turn for turn in turns if turn.speaker == speaker] for speaker in speakers}
    seconds = {speaker: sum(turn.duration for turn in its) for speaker, its in own.items()}
    everyone = sum(seconds.values()) or 1.0
    return {
        speaker: Talk(
            seconds=round(seconds[speaker], 3),
            share=round(seconds[speaker] / everyone, 4),
            turns=len(its),
            mean_turn_seconds=round(seconds[speaker] / max(1, len(its)), 3),
            overlap_seconds=round(_shared_seconds(turns, its, speaker), 3),
        )
        for speaker, its in own.items()
    }


def _shared_seconds(turns: Sequence[Turn], own: Sequence[Turn], speaker: int) -> float:
    others = [turn for turn in turns if turn.speaker != speaker]
    return max(0.0, active_seconds(own)[0] + active_seconds(others)[0] - active_seconds(turns)[0])  # never -0.0
