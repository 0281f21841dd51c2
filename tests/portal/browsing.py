"""What tests do in a real browser, and how they wait there: for what they need, never for a while."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.serving import Soloist

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "correct horse battery"
DONE_WITHIN = 240_000  # ms
HEARD = "window.sounds.filter((s) => !s.paused && !s.muted).map((s) => [s.src, s.currentTime])"
FOLLOWING = "window.sockets.some((socket) => socket.readyState === WebSocket.OPEN)"
A_JOB = "**/jobs/*-*"

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


def follow(page: Page, link: str, to: str) -> None:
    """Click on what leads to another page, and wait until the scripts listen there; a click alone does neither."""
    page.click(link)
    page.wait_for_url(to)


def sign_up(page: Page, soloist: Soloist, email: str) -> None:
    page.goto(f"{soloist.url}/signup")
    page.fill("#id_email", email)
    page.fill("#id_password", PASSWORD)
    follow(page, "text=Create account", "**/jobs")


def wait_until(page: Page, condition: str) -> None:
    """As page.wait_for_function, which the pages' own content security policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)
