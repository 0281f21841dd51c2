"""Who spoke when in a job, as the engine told it and as people corrected it since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db.models import Max

from audio_engine.given_turns import exclusive, in_order
from audio_engine.talk import Talk, recording_stats, talk
from audio_engine.types import Turn

from . import given
from .errors import JobError
from .models import Job

FIRST = 1  # the version that the engine made
LEVELS = ("rms_db", "peak", "loudness_lufs", "snr_db")  # what only a run of the engine can measure
OF_VOICES = ("voice_attributes", "identifications")  # the same, of a result by speaker


def latest(job: Job) -> int:
    """The number of the version that counts."""
    return job.turn_versions.aggregate(latest=Max("number"))["latest"] or FIRST


def current(job: Job, version: int | None = None) -> tuple[Turn, ...]:
    """The turns of a version, the latest if None, in order of time. Raises JobError JOB_HAS_NO_RESULT,
    JOB_HAS_NO_TURNS.
    """
    if job.result is None:
        raise JobError("JOB_HAS_NO_RESULT")
    if "turns" not in job.result:
        raise JobError("JOB_HAS_NO_TURNS")
    rows = {(turn["start"], turn["end"], turn["speaker"], turn["confidence"]) for turn in job.result["turns"]}
    versions = job.turn_versions.order_by("number")
    for change in versions if version is None else versions.filter(number__lte=version):
        rows -= set(map(tuple, change.removed))
        rows |= set(map(tuple, change.added))
    return tuple(sorted(given.turns(rows), key=in_order))


def speakers(job: Job) -> list[int]:
    """The numbers of those who speak, none where the job does not tell. One whose turns all went has none."""
    if latest(job) != FIRST:
        return sorted({turn.speaker for turn in current(job)})
    return [stats["speaker"] for stats in (job.result or {}).get("speakers", ())]


def result(job: Job) -> dict[str, Any] | None:
    """The job's result as corrected: what follows from turns alone is of the latest ones. What a run of the engine
    measures of a speaker is told where their turns are still those that it was measured in, and None elsewhere.
    """
    if job.result is None or "turns" not in job.result:
        return job.result
    turns = current(job)
    if latest(job) == FIRST:
        return job.result | {"turns": [asdict(turn) for turn in turns]}
    spoken = talk(turns, sorted({turn.speaker for turn in turns}))
    same = unchanged(job.result, turns)
    before = {stats["speaker"]: stats for stats in job.result["speakers"]}
    return job.result | {
        "turns": [asdict(turn) for turn in turns],
        "exclusive": [asdict(turn) for turn in exclusive(turns)],
        "recording": asdict(recording_stats(turns, job.result["media"]["seconds"])),
        "speakers": [
            _figures(speaker, its) | {level: before[speaker][level] if speaker in same else None for level in LEVELS}
            for speaker, its in spoken.items()
        ],
        "voiceprints": [],
        **{name: [its for its in job.result.get(name) or () if its["speaker"] in same] for name in OF_VOICES},
    }


def _figures(speaker: int, spoken: Talk) -> dict[str, Any]:
    return {
        "speaker": speaker,
        "talk_seconds": spoken.seconds,
        "talk_share": spoken.share,
        "turns": spoken.turns,
        "mean_turn_seconds": spoken.mean_turn_seconds,
        "overlap_seconds": spoken.overlap_seconds,
    }


def unchanged(found: dict[str, Any], turns: Iterable[Turn]) -> set[int]:
    """Of those who speak in `turns`: who has just the turns that the engine gave them in the result `found`."""
    before: dict[int, set[tuple[float, float]]] = {}
    after: dict[int, set[tuple[float, float]]] = {}
    for turn in found["turns"]:
        before.setdefault(turn["speaker"], set()).add((turn["start"], turn["end"]))
    for its in turns:
        after.setdefault(its.speaker, set()).add((its.start, its.end))
    return {speaker for speaker, spans in after.items() if before.get(speaker) == spans}
