"""The portal in a real browser that loses the server, or runs no scripts."""

from __future__ import annotations

import socket
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import processes
from tests.portal.browsing import A_JOB, DONE_WITHIN, FOLLOWING, follow, needs_chromium, sign_up, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import APIResponse, Browser, Page, Route

    from tests.serving import Soloist

CONNECTING = 0

pytestmark = needs_chromium


@pytest.fixture
def idle(soloist: Soloist) -> Iterator[Soloist]:
    """No worker runs, so that a job waits until the test starts one."""
    assert soloist.worker
    processes.stop(soloist.worker, seconds=40)
    yield soloist
    if soloist.worker.poll() is not None:
        soloist.start_worker()


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"


def test_a_page_outlives_the_web_server_and_hears_the_end(page: Page, idle: Soloist, sample: Path) -> None:
    sign_up(page, idle, "ines@example.org")
    page.set_input_files("#pick-files", sample)
    page.wait_for_selector("#queue >> text=165 credits")
    page.click("#go")
    follow(page, "#jobs .name >> text=sample.wav", A_JOB)
    wait_until(page, FOLLOWING)
    page.evaluate("window.neverReloaded = true")
    assert idle.web
    idle.web.kill()
    idle.web.wait()
    idle.start_web()
    assert page.locator(".history li").count() == 2
    idle.start_worker()
    page.wait_for_selector("#job:not([data-finished]) .history >> text=Started", timeout=DONE_WITHIN)
    page.route(page.url, lambda route: route.abort(), times=1)  # the server is lost in the very end, too
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)
    assert page.evaluate("window.neverReloaded")


def test_a_page_without_its_scripts_says_so_and_is_loaded_again(page: Page, soloist: Soloist) -> None:
    sign_up(page, soloist, "nina@example.org")
    page.wait_for_selector("#late", state="detached")
    page.route("**/js/drop.js", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("text=Parts of this page have not arrived.")
    page.unroute_all()
    page.click("text=Load it again")
    page.wait_for_selector("text=Choose files")
    page.wait_for_selector("#late", state="detached")


def test_a_socket_that_never_opens_is_given_up(browser: Browser, soloist: Soloist, deaf: str) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.add_init_script(f"""
        window.sockets = [];
        window.WebSocket = class extends WebSocket {{
          constructor(address) {{
            super(window.sockets.length ? address : "{deaf}");
            window.sockets.push(this);
          }}
        }};
    """)
    page.clock.install()
    sign_up(page, soloist, "silvia@example.org")
    assert page.evaluate("window.sockets.map((socket) => socket.readyState)") == [CONNECTING]
    page.clock.fast_forward(46_000)
    wait_until(page, FOLLOWING)
    context.close()


class HeldBack:
    """The first answer from an address, which the page gets when the test says so."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.first: Route | None = None
        self.answer: APIResponse | None = None
        page.route(address, self._hold)

    def _hold(self, route: Route) -> None:
        if self.first:
            route.continue_()
        else:
            self.first = route
            self.answer = route.fetch()

    def release(self) -> str:
        """Wait until the page has looked at it; returns what it says."""
        while not (self.first and self.answer):
            self.page.wait_for_timeout(50)
        sent = self.first.request
        with self.page.expect_request_finished(lambda request: request == sent):
            self.first.fulfill(response=self.answer)
        self.page.evaluate("new Promise(requestAnimationFrame)")
        return self.answer.text()


def test_a_row_that_comes_late_does_not_bring_the_past_back(page: Page, idle: Soloist, recording: Path) -> None:
    sign_up(page, idle, "lena@example.org")
    late = HeldBack(page, "**/jobs/*/row")
    page.set_input_files("#pick-files", recording)
    page.click("#go")
    page.wait_for_selector("#jobs [data-active]")
    idle.start_worker()
    page.wait_for_selector("#jobs li:not([data-active])", timeout=DONE_WITHIN)
    assert "data-active" in late.release()
    assert page.is_hidden("#jobs [data-active]")


def test_a_price_that_comes_late_is_not_taken_for_that_of_what_is_chosen(
    page: Page, soloist: Soloist, sample: Path
) -> None:
    sign_up(page, soloist, "pia@example.org")
    late = HeldBack(page, "**/jobs/price?*")
    with page.expect_request("**/jobs/price?*"):
        page.set_input_files("#pick-files", sample)
    page.click("label[for=task-denoising]")
    page.wait_for_selector("#total >> text=33 credits")
    assert "165" in late.release()
    assert page.inner_text("#total").startswith("33 credits")


def test_what_was_cut_off_is_sent_again_by_one_click_and_makes_one_job(
    page: Page, soloist: Soloist, sample: Path
) -> None:
    def cut(route: Route) -> None:
        route.abort()

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    sign_up(page, soloist, "connie@example.org")
    page.set_input_files("#pick-files", sample)
    page.wait_for_selector("#queue >> text=165 credits")
    for fault in (cut, lose_the_answer):
        page.route("**/jobs/submit", fault)
        page.click("#go")
        page.wait_for_selector("#queue .bad >> text=The connection was lost.")
        page.unroute_all()
        page.wait_for_selector("#go:enabled")
    page.click("#go")
    page.wait_for_selector("#queue", state="hidden")
    page.reload()
    assert page.locator("#jobs li").count() == 1
    assert page.is_visible("[name=q]")
    page.click("#options-summary")
    page.fill("[name=num_speakers]", "99")
    page.set_input_files("#pick-files", sample)
    page.click("#go")
    page.wait_for_selector("#queue .bad >> text=Give 1 to 20 speakers.")
    assert page.is_enabled("#go")


def test_a_large_recording_comes_in_by_parts_and_goes_on_after_a_cut(
    page: Page, soloist: Soloist, tmp_path: Path
) -> None:
    large = tmp_path / "large.wav"
    with wave.open(str(large), "wb") as out:
        out.setparams((2, 2, 48_000, 0, "NONE", ""))
        out.writeframes(bytes(20_000_000))
    parts: list[tuple[str, str]] = []

    def pass_on(route: Route) -> None:
        parts.append((route.request.method, route.request.headers.get("upload-offset", "")))
        if parts.count(("PATCH", str(8 << 20))) == 1 and parts[-1][0] == "PATCH":
            route.abort()
        else:
            route.continue_()

    sign_up(page, soloist, "larry@example.org")
    page.route("**/jobs/uploads/*", pass_on)
    page.set_input_files("#pick-files", large)
    page.click("#go")
    page.wait_for_selector("#jobs .name >> text=large.wav", timeout=60_000)
    assert parts == [
        ("PATCH", "0"),
        ("PATCH", str(8 << 20)),
        ("HEAD", ""),
        ("PATCH", str(8 << 20)),
        ("PATCH", str(16 << 20)),
    ]


def test_the_portal_works_without_javascript(browser: Browser, idle: Soloist, recording: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_up(page, idle, "hans@example.org")
    page.set_input_files("#id_file", recording)
    page.click("button:has-text('Send')")
    page.wait_for_url(A_JOB)
    assert "tones.wav" in page.inner_text("h1")
    page.click("text=Cancel")
    page.click("text=Go on")
    page.focus("text=Cancel")
    page.keyboard.press("Enter")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("#messages >> text=Nothing was charged.")
    page.click("summary:has-text('More')")
    page.click("text=Delete")
    page.click("button:has-text('Delete')")
    page.wait_for_url("**/jobs")
    assert "is deleted" in page.inner_text("#messages")
    context.close()
