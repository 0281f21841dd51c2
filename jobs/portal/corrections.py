"""What a job's page says of the corrections of its turns."""

from __future__ import annotations

from typing import Any

from jobs import correcting, remaking, turns
from jobs.models import Job


def context(job: Job) -> dict[str, Any]:
    """Of a finished job that tells who spoke when."""
    told: dict[str, Any] = {"turn_version": turns.latest(job)}
    if told["turn_version"] == turns.FIRST:
        return told
    wanting = remaking.wanting(job)
    versions = list(job.turn_versions.order_by("-number"))
    told |= {
        "corrections": versions,
        "as_heard": versions[0].like == turns.FIRST,
        "undoable": correcting.undoable(job),
        "remade": remaking.under_way(wanting) if wanting else None,
        "remake": wanting is not None and job.media is not None,
    }
    return told | ({"remake_price": remaking.price(job)} if told["remake"] else {})
