// The recording's waveform by wavesurfer.js, which owns zoom and scroll; the lanes below show the same stretch.

import { clock } from "./clock.js";
import { showOverview } from "./overview.js";

const VENDOR = "../vendor/";
const LONGEST = 16_000; // px; beyond, 2,000 peaks show nothing more
const RULER = { fontSize: "11px", color: "var(--ink-3)" };
const BARS = { barWidth: 2, barGap: 1, barRadius: 1 };

/** Returns a function that zooms by a factor. Without the bundle, or peaks, the lanes stand alone and do not zoom. */
export async function showWaveform(section, player, lanes, data, nonce) {
  const container = section.querySelector("[data-wave]");
  const plain = () => {
    container.closest(".lane").hidden = true;
    return () => {};
  };
  if (!data.peaks.length) return plain();
  let parts;
  try {
    parts = await Promise.all(["wavesurfer", "timeline", "hover"].map((name) => import(`${VENDOR}${name}.js`)));
  } catch {
    return plain(); // not built: see package.json
  }
  const [{ default: WaveSurfer }, { default: Timeline }, { default: Hover }] = parts;
  const wave = WaveSurfer.create({
    container,
    media: player.clock,
    peaks: [data.peaks],
    duration: data.seconds,
    height: 60,
    normalize: true,
    cursorWidth: 0,
    dragToSeek: true,
    cspNonce: nonce,
    ...BARS,
    ...colours(container),
    plugins: [
      Timeline.create({ height: 18, secondaryLabelOpacity: 1, formatTimeCallback: clock, style: RULER }),
      Hover.create({ lineWidth: 1, labelSize: 11, formatTimeCallback: clock }),
    ],
  });
  showOverview(section, lanes, (time) => wave.setScrollTime(time));
  wave.on("interaction", (time) => player.seek(time));
  for (const event of ["scroll", "redraw"]) wave.on(event, () => showSame(wave, lanes));
  player.addEventListener("reclocked", () => wave.setMediaElement(player.clock));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => wave.setOptions(colours(container)));
  return zoomer(wave, container, player);
}

function showSame(wave, lanes) {
  const width = wave.getWrapper().clientWidth;
  const start = (wave.getScroll() / width) * lanes.seconds;
  lanes.show(start, start + (wave.getWidth() / width) * lanes.seconds);
}

function zoomer(wave, container, player) {
  const zoom = (factor) => {
    const fitting = wave.getWidth() / wave.getDuration();
    const current = wave.getWrapper().clientWidth / wave.getDuration();
    const wanted = Math.min(Math.max(current * factor, fitting), Math.max(LONGEST / wave.getDuration(), fitting));
    wave.zoom(wanted);
    wave.setScrollTime(Math.max(0, player.time - wave.getWidth() / wanted / 2));
  };
  container.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.25 : 0.8);
    },
    { passive: false },
  );
  return zoom;
}

function colours(element) {
  const probe = (name) => {
    element.style.color = `var(${name})`;
    const { color } = getComputedStyle(element);
    element.style.color = "";
    return color;
  };
  return { waveColor: probe("--wave"), progressColor: probe("--wave-played"), cursorColor: probe("--accent") };
}
