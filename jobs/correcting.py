"""Correcting who spoke when. Each correction is a version of its own, made of the version that its author saw; the
engine's stays the first, and a transcript follows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from django.db import IntegrityError, transaction

from audio_engine.errors import EngineError
from audio_engine.given_turns import check_turns, check_within, in_order, joined
from audio_engine.types import Turn

from . import following, given, naming, turns
from .errors import JobError
from .models import Job
from .wording import clock

Edit = Callable[[tuple[Turn, ...]], Iterable[Turn]]
SHOWN = 0.001  # seconds, to which people see times
NEW = -1  # in place of a speaker's number: one who was not heard yet


def give(job: Job, base: int, chosen: Collection[int], speaker: int) -> int:
    """Give turns to a speaker, or to a `NEW` one. `chosen` are places in version `base`, counted from 0.

    This and the verbs below return the number of the version that counts now, which is `base` where nothing changed,
    and raise JobError as `turns.current` does, INVALID_OPTION, and JOB_CHANGED where another correction was faster.
    """
    if speaker == NEW:
        speaker, name = unheard(job), "a new speaker"
    else:
        name = _known(job, speaker)

    def edit(before: tuple[Turn, ...]) -> list[Turn]:
        _check_places(chosen, before)
        return [replace(turn, speaker=speaker) if place in chosen else turn for place, turn in enumerate(before)]

    return _keep(job, base, edit, f"{_counted(chosen)} given to {name}")


def remove(job: Job, base: int, chosen: Collection[int]) -> int:
    """Take out turns in which nobody speaks."""

    def edit(before: tuple[Turn, ...]) -> list[Turn]:
        _check_places(chosen, before)
        return [turn for place, turn in enumerate(before) if place not in chosen]

    return _keep(job, base, edit, f"{_counted(chosen)} removed")


def adjust(job: Job, base: int, place: int, start: float, end: float) -> int:
    """Have a turn begin and end at other moments, in seconds."""

    def edit(before: tuple[Turn, ...]) -> list[Turn]:
        _check_places([place], before)
        if end <= start:
            raise _refused("end", "A turn ends after it starts.")
        turn = before[place]
        moved = replace(turn, start=_moved(turn.start, start), end=_moved(turn.end, end))
        return [*before[:place], moved, *before[place + 1 :]]

    times = f"{clock(round(start))} to {clock(round(end))}" if 0 <= start < end < 1e9 else "other times"
    return _keep(job, base, edit, f"A turn set to {times}")


def merge(job: Job, base: int, speaker: int, into: int) -> int:
    """Give all turns of one speaker to another."""
    names = _known(job, speaker), _known(job, into)
    if speaker == into:
        raise _refused("speaker", "Choose another speaker to merge with.")

    def edit(before: tuple[Turn, ...]) -> list[Turn]:
        return [replace(turn, speaker=into) if turn.speaker == speaker else turn for turn in before]

    return _keep(job, base, edit, f"{names[0]} merged into {names[1]}")


def put(job: Job, base: int, wanted: Sequence[Turn]) -> int:
    """Have other turns in place of all there are."""
    return _keep(job, base, lambda _: wanted, f"Replaced by {_counted(wanted)}")


def restore(job: Job, base: int, version: int) -> int:
    """Make an earlier version the one that counts, as a version of its own, so that this too can be undone."""
    if not turns.FIRST <= version < base:
        raise JobError("VERSION_NOT_FOUND")
    return _bring_back(job, base, version, f"Back to version {version}")


def undo(job: Job, base: int) -> int:
    """Take back the correction that counts; once more, the one before it."""
    meant = _meant(job, base)
    if meant == turns.FIRST:
        raise _refused("version", "There is no correction to undo.")
    return _bring_back(job, base, _meant(job, meant - 1), f"Undone: {undoable(job)}")


def undoable(job: Job) -> str:
    """The correction that `undo` would take back, in words; empty where there is none."""
    change = job.turn_versions.filter(number=_meant(job, turns.latest(job))).first()
    return change.what if change else ""


def unheard(job: Job) -> int:
    """A number that no speaker of any version has, so that nobody's name comes with it."""
    assert job.result is not None
    heard = {stats["speaker"] for stats in job.result.get("speakers", ())}
    for added in job.turn_versions.values_list("added", flat=True):
        heard |= {row[2] for row in added}
    return max(heard, default=-1) + 1


# --- the steps they share


def _keep(job: Job, base: int, edit: Edit, what: str, like: int | None = None) -> int:
    if base != turns.latest(job):
        raise JobError("JOB_CHANGED")
    before = turns.current(job, base)
    after = _whole(job, edit(before))
    old, new = set(given.rows(before)), set(given.rows(after))
    if old == new:
        return base
    removed, added = sorted(old - new, key=str), sorted(new - old, key=str)
    with following.revised(job, given.turns([*removed, *added]), after, f"Follows correction {base}") as transcript:
        try:
            with transaction.atomic():
                job.turn_versions.create(number=base + 1, removed=removed, added=added, what=what[:300], like=like)
                transcript()
        except IntegrityError as error:
            raise JobError("JOB_CHANGED") from error
    return base + 1


def _bring_back(job: Job, base: int, version: int, what: str) -> int:
    earlier = turns.current(job, version)
    return _keep(job, base, lambda _: earlier, what, like=_meant(job, version))


def _whole(job: Job, wanted: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns within the recording, none of one speaker's overlapping another of theirs. Raises JobError."""
    assert job.result is not None
    seconds = job.result["media"]["seconds"]
    listed = sorted(wanted, key=in_order)
    if not listed:
        raise _refused("turns", "At least one turn has to stay; delete the job if nobody speaks in it.")
    number = {speaker: index for index, speaker in enumerate(sorted({turn.speaker for turn in listed}))}
    try:
        check_turns([replace(turn, speaker=number[turn.speaker]) for turn in listed])
        check_within(listed, seconds)
    except EngineError as error:
        raise JobError(error.code, error.message, details=error.details) from error
    return joined(replace(turn, end=min(turn.end, seconds)) for turn in listed)


def _moved(before: float, wanted: float) -> float:
    """As wanted, unless that only repeats what people are shown of it, which is rounded."""
    return before if abs(before - wanted) < SHOWN else wanted


def _meant(job: Job, version: int) -> int:
    """The version whose turns a version has: an earlier one, where it brought that back."""
    change = job.turn_versions.filter(number=version).first()
    return change.like or version if change else turns.FIRST


def _known(job: Job, speaker: int) -> str:
    if speaker not in turns.speakers(job):
        raise _refused("speaker", "There is no such speaker in this recording.")
    return naming.name_of(job)(speaker)


def _check_places(chosen: Collection[int], before: Sequence[Turn]) -> None:
    if not chosen:
        raise _refused("turns", "Choose a turn first.")
    if not all(0 <= place < len(before) for place in chosen):
        raise _refused("turns", "There is no such turn.")


def _counted(some: Collection[object]) -> str:
    return "1 turn" if len(some) == 1 else f"{len(some):,} turns"


def _refused(field: str, words: str) -> JobError:
    return JobError("INVALID_OPTION", words, details={"field": field})
