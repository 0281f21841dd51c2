// The waveform of a recording that is still being worked on.

import { Lanes } from "./lanes.js";
import { peaksOf } from "./peaks.js";

export async function preview(page) {
  const place = page.querySelector("[data-preview]");
  if (!place) return;
  const seconds = Number(place.dataset.seconds);
  const peaks = await peaksOf(place.dataset.preview, seconds);
  if (!place.isConnected) return; // the work has ended meanwhile
  const whole = { turns: [[0, seconds, 0, null]], seconds, together: true };
  new Lanes(new Map([[0, place]]), whole).setWaves({ peaks, tracks: [] });
}
