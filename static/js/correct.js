// The page on which a transcript is corrected.

import { startPlayer } from "./player-view.js";
import { startTranscript } from "./transcript.js";

const page = document.getElementById("correct");
const form = page.querySelector(".corrections");
const nonce = document.querySelector("script[nonce]").nonce;

startPlayer(page.querySelector("[data-timeline]"), page, nonce).then((started) => {
  page.querySelector("[data-hint]").hidden = !started;
  startTranscript(page, started?.player ?? null);
});

// Nothing that was written is to be lost by a wrong click.
let changed = false;
form.addEventListener("input", () => (changed = true));
form.addEventListener("submit", () => (changed = false));
window.addEventListener("beforeunload", (event) => changed && event.preventDefault());
