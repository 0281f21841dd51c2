from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tests.portal.browsing import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from accounts.models import User
    from jobs.models import Job, Media

ROOT = Path(__file__).resolve().parents[2]
DEMONSTRATION = ROOT / "jobs" / "portal" / "demonstration.json"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Players make their audio elements without putting them into the page; sockets say to nobody else whether they are
# open; a policy's violations are events.
WATCH = """
window.sounds = [];
window.sockets = [];
window.violations = [];
const RealAudio = window.Audio;
window.Audio = function (url) { const sound = new RealAudio(url); window.sounds.push(sound); return sound; };
window.WebSocket = class extends WebSocket {
  constructor(address) { super(address); window.sockets.push(this); }
};
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


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


# --- a real browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    built = (ROOT / "static" / "vendor" / "wavesurfer.js").exists()
    assert built, "The front end is not built: npm install && npm run build"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    context.add_init_script(WATCH)
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    """A tab whose errors are collected in `complaints`."""
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page
