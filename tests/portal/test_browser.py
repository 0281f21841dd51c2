"""The portal as people use it: a real browser, a real server, real workers, a real recording."""

from __future__ import annotations

import re
import wave
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.portal.browsing import A_JOB, DONE_WITHIN, HEARD, follow, needs_chromium, sign_up, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.serving import Soloist

COLLECT = """() => {
  window.percents = [];
  const note = () => {
    const text = document.querySelector("#job [data-percent]")?.textContent;
    if (text && window.percents.at(-1) !== parseInt(text)) window.percents.push(parseInt(text));
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  note();
}"""

pytestmark = needs_chromium


@pytest.fixture
def conversation(sample: Path, tmp_path: Path) -> Path:
    """The sample ten times over, so that there is some progress to watch."""
    path = tmp_path / "conversation.wav"
    with wave.open(str(sample)) as source, wave.open(str(path), "wb") as out:
        out.setparams(source.getparams())
        once = source.readframes(source.getnframes())
        for _ in range(10):
            out.writeframes(once)
    return path


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_from_signing_up_to_hearing_and_saving_one_speaker(
    page: Page, soloist: Soloist, conversation: Path, tmp_path: Path, complaints: list[str]
) -> None:
    sign_up(page, soloist, "edna@example.org")

    page.click("#options-summary")
    page.fill("[name=num_speakers]", "2")
    page.set_input_files("#pick-files", conversation)
    page.wait_for_selector("#queue >> text=5:00 · 1,650 credits")
    assert page.inner_text("#total") == "1,650 credits of your 20,000"
    page.click("#go")
    follow(page, "#jobs .name >> text=conversation.wav", A_JOB)

    page.wait_for_selector("#job")
    page.evaluate(COLLECT)
    page.click(".actions >> text=Cancel")
    page.click("dialog >> text=Go on")
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)
    percents = page.evaluate("window.percents")
    assert len(percents) >= 2, "progress was not seen to move"
    assert percents == sorted(percents)

    assert page.locator(".speaker h3").all_inner_texts() == ["Speaker 1", "Speaker 2"]
    page.wait_for_selector("[data-wave] canvas")
    page.click(".speaker >> nth=1 >> text=Hear alone")
    wait_until(page, f"{HEARD}.some(([src, time]) => src.includes('/files/') && time > 0)")
    before = page.evaluate(HEARD)
    page.wait_for_timeout(700)
    after = page.evaluate(HEARD)
    assert len(before) == len(after) == 1, "one speaker alone is heard"
    assert after[0][1] > before[0][1]
    assert page.get_attribute("[data-speaker='0']", "class").endswith("silent")
    page.click(".speaker >> nth=1 >> text=Pause")
    wait_until(page, f"{HEARD}.length === 0")

    with page.expect_download() as started:
        page.click(".speaker >> nth=0 >> text=WAV")
    track = tmp_path / "track.wav"
    started.value.save_as(track)
    with wave.open(str(track)) as saved, wave.open(str(conversation)) as source:
        assert saved.getparams()[:4] == source.getparams()[:4]  # channels, width, rate, frames

    with page.expect_download() as started:
        page.click("text=Download all")
    bundle = tmp_path / "all.zip"
    started.value.save_as(bundle)
    names = zipfile.ZipFile(bundle).namelist()
    assert {Path(name).suffix for name in names} == {".wav", ".rttm", ".json"}

    page.click("role=tab[name=Files]")
    assert page.locator(".files tbody tr").count() == 5
    page.click("role=tab[name=Activity]")
    assert page.locator(".history li").last.inner_text().endswith("Done")

    page.goto(f"{soloist.url}/account/credits")
    assert page.locator("tr", has_text="Charged for extraction").count() == 1
    assert page.locator("tr", has_text="Set aside for extraction").count() == 1
    assert complaints == []
    assert page.evaluate("window.violations") == []


def test_the_demonstration_plays_one_speaker_and_skips_to_their_turns(
    page: Page, soloist: Soloist, complaints: list[str]
) -> None:
    page.goto(soloist.url)
    page.click("[data-speaker='0'] .solo")
    page.click("label:has([data-skip])")
    page.click("[data-play]")
    wait_until(page, f"{HEARD}.length === 1")
    first = page.evaluate("fetch('/demonstration/timeline.json').then((a) => a.json())")["turns"][0][0]
    wait_until(page, f"window.sounds[0].currentTime > {first - 0.5}")
    page.keyboard.press("0")
    page.wait_for_selector("[data-speaker='0'] .solo[aria-pressed=false]")
    page.click("[data-zoom=in]")
    page.wait_for_timeout(300)
    assert complaints == []
    assert page.evaluate("window.violations") == []


def test_a_zoomed_timeline_shows_where_in_the_whole_it_is_and_is_dragged(
    page: Page, soloist: Soloist, complaints: list[str]
) -> None:
    window = "parseFloat(document.querySelector('.overview span').style.left)"
    page.goto(soloist.url)
    page.wait_for_selector("[data-wave] canvas")
    assert page.is_hidden(".overview")
    for _ in range(3):
        page.click("[data-zoom=in]")
    page.wait_for_selector(".overview")
    assert page.evaluate(window) == 0
    strip = page.locator(".overview").bounding_box()
    assert strip
    at = {share: (strip["x"] + share * strip["width"], strip["y"] + strip["height"] / 2) for share in (0.02, 0.52)}
    page.mouse.move(*at[0.02])
    page.mouse.down()
    page.mouse.move(*at[0.52])
    page.mouse.up()
    wait_until(page, f"Math.abs({window} - 50) < 1")
    assert page.is_hidden(".playhead")  # which is at the start
    for _ in range(4):
        page.click("[data-zoom=out]")
    page.wait_for_selector(".overview", state="hidden")
    assert page.is_visible(".playhead")
    assert complaints == []
    assert page.evaluate("window.violations") == []


def test_speech_and_background_are_chosen_and_heard_apart(
    page: Page, soloist: Soloist, sample: Path, complaints: list[str]
) -> None:
    sign_up(page, soloist, "dora@example.org")
    page.set_input_files("#pick-files", sample)
    page.click("label[for=task-transcription]")
    page.wait_for_selector("#total >> text=Choose the recording’s subtitles")
    assert page.is_disabled("#go")
    page.click("label[for=task-dialogue]")
    page.wait_for_selector("#queue >> text=0:30 · 165 credits")
    assert not page.is_visible("[name=num_speakers]")
    page.click("#go")
    follow(page, "#jobs .name >> text=sample.wav", A_JOB)
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)
    page.wait_for_selector("[data-wave] canvas")  # of a waveform that the browser found
    assert page.locator(".lane .who").all_inner_texts() == ["Original", "Speech", "Background"]
    page.click("[data-play]")
    page.click("[data-speaker='0'] .mute")
    wait_until(page, f"{HEARD}.length === 1 && {HEARD}[0][0].includes('/files/')")
    page.keyboard.press("0")
    wait_until(page, f"{HEARD}.length === 1 && {HEARD}[0][0].includes('/recording')")

    page.click("summary:has-text('More')")
    page.click("text=Make something else of it")
    page.wait_for_selector("#queue >> text=0:30 · 165 credits")
    page.click("label[for=task-denoising]")
    page.wait_for_selector("#queue >> text=0:30 · 33 credits")
    page.click("#go")
    page.wait_for_selector("#jobs .task >> text=Less noise")
    assert complaints == []
    assert page.evaluate("window.violations") == []


def test_a_transcript_is_searched_heard_and_corrected(
    page: Page, soloist: Soloist, sample: Path, tmp_path: Path, complaints: list[str]
) -> None:
    subtitles = tmp_path / "lines.srt"
    subtitles.write_text(
        "1\n00:00:07,000 --> 00:00:09,000\nHello, is that Mary?\n\n2\n00:00:12,000 --> 00:00:14,000\nIt is Jane.\n"
    )
    sign_up(page, soloist, "tina@example.org")
    page.set_input_files("#pick-files", sample)
    page.click("label[for=task-transcription]")
    page.set_input_files("[name=subtitles]", subtitles)
    page.wait_for_selector("#total >> text=165 credits")
    page.click("#go")
    follow(page, "#jobs .name >> text=sample.wav", A_JOB)
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)

    page.fill("[data-search] input", "JANE")
    page.wait_for_selector("[data-found] >> text=1 line")
    page.wait_for_selector(".transcript.playable")
    page.click("text=It is Jane.")
    wait_until(page, "window.sounds[0].currentTime > 12 && !window.sounds[0].paused")
    page.wait_for_selector(".line.now >> text=It is Jane.")

    page.click("text=Correct")
    page.wait_for_selector("ol.playable")
    page.fill("[name=text-1]", "It is Joan.")
    page.keyboard.press("Control+Enter")
    wait_until(page, "window.sounds[0].currentTime > 12 && !window.sounds[0].paused")
    page.click(".save button:has-text('Save')")
    page.wait_for_selector("#messages >> text=Saved: 1 line.")
    assert "It is Joan." in page.inner_text("#panel-transcript")

    page.click("role=tab[name=Speakers]")
    page.click(".rename summary >> nth=0")
    page.wait_for_selector(".rename[open] [name=name]:focus")
    page.evaluate("window.neverReloaded = true")
    page.keyboard.type("Mary")  # over the name that is there
    page.keyboard.press("Enter")
    page.wait_for_selector(".lane .who >> text=Mary")
    page.wait_for_selector("#panel-speakers h3 >> text=Mary")  # on the tab where that was asked
    assert page.evaluate("window.neverReloaded")
    assert complaints == []
    assert page.evaluate("window.violations") == []


def test_turns_are_corrected_where_they_are_heard_and_the_tracks_made_anew(
    page: Page, soloist: Soloist, sample: Path, tmp_path: Path, complaints: list[str]
) -> None:
    beginning = tmp_path / "beginning.wav"
    with wave.open(str(sample)) as source, wave.open(str(beginning), "wb") as out:
        out.setparams(source.getparams())
        out.writeframes(source.readframes(15 * source.getframerate()))
    sign_up(page, soloist, "vera@example.org")
    page.click("#options-summary")
    page.fill("[name=num_speakers]", "2")
    page.set_input_files("#pick-files", beginning)
    page.wait_for_selector("#total >> text=credits")
    page.click("#go")
    follow(page, "#jobs .name >> text=beginning.wav", A_JOB)
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)
    page.wait_for_selector("[data-wave] canvas")
    assert page.is_hidden(".turn-bar")

    data = page.evaluate("fetch(document.querySelector('[data-timeline]').dataset.timeline).then((a) => a.json())")
    start, end, _, _ = next(turn for turn in data["turns"] if turn[2] == 1)
    lane = page.locator("canvas.turns >> nth=1")
    width = lane.bounding_box()["width"]  # type: ignore[index]
    lane.click(position={"x": (start + end) / 2 / data["seconds"] * width, "y": 20})
    assert page.inner_text("[data-count]") == "1 turn"
    page.keyboard.press("Escape")
    assert page.is_hidden(".turn-bar")
    page.keyboard.press("e")  # what is heard there
    page.wait_for_selector("#give-to:focus")
    page.select_option("#give-to", "new")
    page.click(".turn-bar [value=give]")
    page.wait_for_selector("#messages >> text=1 turn given to a new speaker.")
    assert page.locator(".speaker h3").all_inner_texts()[-1] == "Speaker 3"
    wait_until(page, f"Math.abs(window.sounds.at(-1).currentTime - {(start + end) / 2}) < 0.2")  # as before

    page.click("role=tab[name=Timeline]")
    page.wait_for_selector(".turns-table [name=turn]")
    turns = page.locator(".turns-table tbody tr").count()
    page.check(".turns-table [name=turn] >> nth=0")
    page.click(".turn-bar >> text=Not speech")
    page.wait_for_selector("#messages >> text=1 turn removed.")
    assert page.locator(".turns-table tbody tr").count() == turns - 1
    page.click(".corrected >> text=Undo")
    page.wait_for_selector("#messages >> text=Undone: 1 turn removed.")
    assert page.locator(".turns-table tbody tr").count() == turns

    page.check(".turns-table [name=turn] >> nth=0")
    page.fill(".turn-bar [name=start]", "14")
    page.keyboard.press("Enter")
    page.wait_for_selector("#messages >> text=A turn ends after it starts.")
    assert page.input_value(".turn-bar [name=start]") == "14"
    page.fill(".turn-bar [name=start]", "0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#messages >> text=A turn set to 0:00")
    page.reload()
    page.wait_for_selector("role=tab[name=Timeline][selected]")

    page.click("text=Re-make tracks")
    page.wait_for_selector("text=from the corrected turns of")
    page.wait_for_selector("#job[data-status=succeeded]", timeout=DONE_WITHIN)
    assert page.locator(".speaker [download]").count() == 3
    [refused] = complaints  # the turn that would have ended before it started
    assert "status of 422" in refused
    assert page.evaluate("window.violations") == []


def test_wrong_files_are_refused_before_and_after_sending(page: Page, soloist: Soloist, tmp_path: Path) -> None:
    sign_up(page, soloist, "fred@example.org")
    notes, fake = tmp_path / "notes.txt", tmp_path / "fake.mp3"
    notes.write_text("no sound")
    fake.write_bytes(b"no sound either" * 100)
    page.set_input_files("#pick-files", [notes, fake])
    page.wait_for_selector("text=This does not look like audio or video.")
    page.wait_for_selector("text=The cost is shown once its length is known.")
    page.click("#go")
    page.wait_for_selector("#queue >> text=Nothing was charged.")
    assert page.inner_text(".balance") == "20,000 credits"
    assert page.locator("#jobs li").count() == 0


def test_a_reload_makes_no_second_key(page: Page, soloist: Soloist) -> None:
    sign_up(page, soloist, "kay@example.org")
    page.goto(f"{soloist.url}/account/keys")
    page.fill("#id_name", "laptop")
    page.click("text=Create key")
    page.wait_for_selector("#secret")
    page.reload()
    assert page.locator("#secret").count() == 0
    assert page.locator("tbody tr").count() == 1


def test_what_is_written_on_a_page_that_looks_again_stays(page: Page, soloist: Soloist) -> None:
    sign_up(page, soloist, "wendy@example.org")
    page.goto(f"{soloist.url}/account/webhooks")
    page.fill("[name=url]", "https://example.org/hook")
    page.click("text=Create endpoint")
    page.click("text=Send a test")
    page.wait_for_selector("[data-lively]")
    page.fill("[name=description]", "For the archive")
    page.wait_for_timeout(3500)
    assert page.input_value("[name=description]") == "For the archive"


def test_everything_fits_a_phone_and_the_dark(browser: Browser, soloist: Soloist, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    page.goto(soloist.url)
    page.wait_for_selector("[data-wave] canvas")
    assert fits(page)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = float(re.findall(r"[\d.]+", background)[0])
    assert lightness < 0.3, background
    sign_up(page, soloist, "gwen@example.org")
    for path in ("/jobs", "/account", "/account/keys", "/account/credits", "/account/security"):
        page.goto(f"{soloist.url}{path}")
        assert fits(page), path
        page.screenshot(path=tmp_path / f"{path.replace('/', '-')}.png", full_page=True)
    page.goto(f"{soloist.url}/account/keys")
    page.fill("#id_name", "A laptop with a long name")
    page.click("text=Create key")
    page.wait_for_selector("tbody >> text=Revoke")
    assert fits(page), "a table"
    context.close()
