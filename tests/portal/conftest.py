from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from accounts.models import User
    from jobs.models import Job, Media

DEMONSTRATION = Path(__file__).resolve().parents[2] / "jobs" / "portal" / "demonstration.json"


@pytest.fixture
def alices(client: Client, alice: User) -> Client:
    """Alice's browser."""
    client.force_login(alice)
    return client


@pytest.fixture
def bobs(bob: User) -> Client:
    browser = Client()
    browser.force_login(bob)
    return browser


@pytest.fixture
def queued(media: Media) -> Job:
    from jobs import lifecycle
    from jobs.options import SpeakerOptions

    return lifecycle.submit(media, "extraction", SpeakerOptions())


@pytest.fixture
def running(queued: Job) -> Job:
    from jobs import lifecycle

    job = lifecycle.claim("engine", "a worker")
    assert job == queued
    return job


@pytest.fixture
def finished(running: Job, recording: Path) -> Job:
    """A job with two speakers' tracks, which for these tests are the recording itself."""
    from jobs import files, lifecycle
    from jobs.models import Track

    outputs = [
        lifecycle.StoredFile(
            kind=Track.Kind.AUDIO,
            name=files.store(recording, running.folder() / f"speaker_{speaker}.wav"),
            bytes=recording.stat().st_size,
            speaker=speaker,
        )
        for speaker in (0, 1)
    ]
    return lifecycle.succeed(running, json.loads(DEMONSTRATION.read_text()), outputs)
