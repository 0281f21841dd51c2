"""The portal in a real browser, by somebody who already knows who speaks when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.portal.browsing import DONE_WITHIN, needs_chromium, sign_up

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.serving import Soloist

RTTM = """SPEAKER sample 1 0.2 11.0 <NA> <NA> Ana <NA> <NA>
SPEAKER sample 1 12.0 9.5 <NA> <NA> Ben <NA> <NA>
"""
A_FOLDER = """() => {
  const attributes = { id: "folder", type: "file", multiple: true, hidden: true };
  document.body.append(Object.assign(document.createElement("input"), attributes));
}"""
A_DROP = """() => {
  const transfer = new DataTransfer();
  for (const file of document.getElementById("folder").files) transfer.items.add(file);
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""

pytestmark = needs_chromium


def drop(page: Page, *paths: Path) -> None:
    page.set_input_files("#folder", paths)
    page.evaluate(A_DROP)


def test_turns_are_dropped_beside_their_recording_mended_and_used(
    page: Page, soloist: Soloist, complaints: list[str], sample: Path, tmp_path: Path
) -> None:
    recording, turns = tmp_path / "talk.wav", tmp_path / "talk.rttm"
    recording.write_bytes(sample.read_bytes())
    turns.write_text(RTTM + "SPEAKER sample 1 soon 1 <NA> <NA> Ben <NA> <NA>\n")
    sign_up(page, soloist, "eve@example.org")
    page.evaluate(A_FOLDER)
    drop(page, turns)  # before its recording
    page.wait_for_selector("#queue >> text=Add its recording, too.")
    assert page.is_disabled("#go")
    drop(page, recording)
    page.wait_for_selector("#queue .turns.bad >> text=line 3 has no start, duration and speaker")
    page.wait_for_selector("#total >> text=Mend the turns")
    assert page.is_disabled("#go")

    turns.write_text(RTTM + "SPEAKER sample 1 40 1 <NA> <NA> Ben <NA> <NA>\n")
    drop(page, turns)
    page.wait_for_selector("#queue .turns .bad >> text=Some start after the recording ends")
    turns.write_text(RTTM)
    page.click("#options-summary")
    page.fill("[name=num_speakers]", "2")
    page.set_input_files("[name=turns]", turns)  # in place of what was dropped
    page.wait_for_selector("#queue >> text=Who speaks when: talk.rttm, 2 speakers, 2 turns")
    page.wait_for_selector("#queue >> text=0:30 · 33 credits")  # instead of 165
    assert page.inner_text("#queue .turns .bad") == ""
    page.click("#task-denoising + label")
    page.wait_for_selector("#queue >> text=Who speaks when", state="hidden")
    page.click("#task-extraction + label")
    page.click("#go")
    page.wait_for_selector("#queue >> text=“Exactly” is for an engine that tells who speaks")
    assert page.input_value("[name=num_speakers]") == "2"  # nothing that was typed is lost
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.fill("[name=num_speakers]", "")
    page.click("#go")
    page.wait_for_selector("#jobs li >> text=Done", timeout=DONE_WITHIN)
    assert page.input_value("[name=turns]") == ""  # they belong to no other recording
    page.click("#jobs .name")
    page.wait_for_selector(".speakers >> text=Ana")
    assert [said for said in complaints if "422" not in said] == []
