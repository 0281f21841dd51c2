"""A program of another vendor's client, and what the engine makes of its jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.test import Client

from jobs import files, lifecycle
from jobs.models import Job, Track
from tests.api.programs import result

SCORES = {"resolution": 0.02, "score": [97, 96, 61]}


class VendorProgram(Client):
    """Paths are those below the vendor's prefix; bodies are JSON."""

    def __init__(self, prefix: str, authorization: str = "") -> None:
        headers = {"Authorization": authorization} if authorization else None
        super().__init__(raise_request_exception=False, headers=headers)
        self.prefix = prefix

    def send(self, method: str, path: str, data: Any = None, **options: Any) -> Any:
        if data is not None:
            options.setdefault("content_type", "application/json")
        return getattr(self, method)(f"{self.prefix}/{path}", data, **options)


def diarized(job: Job, folder: Path, *, confidence: bool = True) -> Job:
    """Do the engine's part of a queued diarization, as an engine does that tells how sure it is, or as one that does
    not."""
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    assert (running.pk, running.media is not None) == (job.pk, True)
    found = result(job.task, running.media)
    for turn, sure in zip(found["turns"], (90, 85), strict=True):
        turn["confidence"] = sure if confidence else None
    if not confidence:
        return lifecycle.succeed(running, found, [])
    content = json.dumps(SCORES).encode()
    local = folder / "confidence.json"
    local.write_bytes(content)
    stored = files.store(local, running.folder() / local.name)
    track = lifecycle.StoredFile(Track.Kind.CONFIDENCE, stored, len(content))
    return lifecycle.succeed(running, found, [track], {"confidence": content})
