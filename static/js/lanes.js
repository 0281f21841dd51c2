// Draws each speaker's lane: the waveform where they speak, hatched where others speak too, paler where unsure.

const BAR = 2; // px
const PITCH = 3;
const SURE = 50; // confidence below which a turn is drawn paler: it is more likely wrong than right

export class Lanes extends EventTarget {
  /** `canvases` by speaker. `view` is what the waveform above shows: {start, end} in seconds. */
  constructor(canvases, { turns, seconds, together = false }) {
    super();
    this.canvases = canvases;
    this.seconds = seconds;
    this.waves = new Map();
    this.loudest = 1e-6;
    this.view = { start: 0, end: seconds };
    this.all = turns;
    this.chosen = new Set(); // of them
    this.turns = new Map([...canvases.keys()].map((speaker) => [speaker, turns.filter((turn) => turn[2] === speaker)]));
    this.overlaps = together ? [] : overlaps(turns); // parts of a sound have none to tell
    new ResizeObserver(() => this.draw()).observe([...canvases.values()][0] ?? document.body);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** `peaks` of the recording, and in `tracks` of each speaker's own where there are. */
  setWaves({ peaks, tracks }) {
    const own = new Map(tracks.map((track) => [track.speaker, track.peaks ?? peaks]));
    this.waves = new Map([...this.canvases.keys()].map((speaker) => [speaker, own.get(speaker) ?? peaks]));
    this.loudest = [...this.waves.values()].flat().reduce((most, peak) => Math.max(most, peak), 1e-6);
    this.draw();
  }

  show(start, end) {
    this.view = { start, end: Math.max(end, start + 0.01) };
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  choose(turns) {
    this.chosen = new Set(turns);
    this.draw();
  }

  x(time, width) {
    return ((time - this.view.start) / (this.view.end - this.view.start)) * width;
  }

  draw() {
    for (const [speaker, canvas] of this.canvases) this.drawLane(canvas, this.turns.get(speaker), this.waves.get(speaker));
  }

  drawLane(canvas, turns, wave = []) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    // Resolved for the mode that is on, as the custom property itself is not.
    const { color } = getComputedStyle(canvas);
    for (const turn of turns) {
      if (turn[1] <= this.view.start || turn[0] >= this.view.end) continue;
      this.drawTurn(pen, turn, color, wave, width, height);
      if (this.chosen.has(turn)) this.frame(pen, turn, color, width, height);
    }
  }

  drawTurn(pen, [start, end, , confidence], colour, wave, width, height) {
    const left = Math.max(this.x(start, width), -4);
    const right = Math.max(Math.min(this.x(end, width), width + 4), left + 1);
    const unsure = confidence !== null && confidence < SURE;
    pen.save();
    pen.beginPath();
    pen.roundRect(left, 4, right - left, height - 8, 4);
    pen.clip();
    pen.fillStyle = colour;
    pen.globalAlpha = unsure ? 0.1 : 0.2;
    pen.fillRect(left, 4, right - left, height - 8);
    pen.globalAlpha = unsure ? 0.45 : 1;
    this.drawWave(pen, wave, left, right, width, height);
    pen.globalAlpha = 0.6;
    for (const [from, to] of this.overlaps) {
      if (to > start && from < end) hatch(pen, this.x(from, width), this.x(to, width), height, colour);
    }
    pen.restore();
  }

  frame(pen, [start, end], colour, width, height) {
    const left = Math.max(this.x(start, width), 1);
    const right = Math.max(Math.min(this.x(end, width), width - 1), left + 3);
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(left, 2, right - left, height - 4, 5);
    pen.stroke();
  }

  drawWave(pen, wave, left, right, width, height) {
    const seconds = (this.view.end - this.view.start) / width;
    for (let x = Math.floor(left / PITCH) * PITCH; x < right; x += PITCH) {
      const from = this.view.start + x * seconds;
      const half = (this.peak(wave, from, from + PITCH * seconds) / this.loudest) * (height / 2 - 6);
      pen.fillRect(x, height / 2 - Math.max(half, 0.75), BAR, Math.max(half, 0.75) * 2);
    }
  }

  peak(wave, from, to) {
    const { length } = wave;
    const first = Math.max(0, Math.floor((from / this.seconds) * length));
    const last = Math.min(length - 1, Math.max(first, Math.ceil((to / this.seconds) * length) - 1));
    let most = 0;
    for (let i = first; i <= last; i += 1) most = Math.max(most, wave[i]);
    return most;
  }
}

function hatch(pen, left, right, height, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.25;
  pen.beginPath();
  const first = Math.floor(left / 6) * 6;
  for (let x = first - height; x < right + height; x += 6) {
    pen.moveTo(x, height);
    pen.lineTo(x + height, 0);
  }
  pen.stroke();
  pen.restore();
}

/** Stretches in which more than one speaks, from turns ordered by anything. */
function overlaps(turns) {
  const changes = turns.flatMap(([start, end]) => [[start, 1], [end, -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const found = [];
  let speaking = 0;
  for (const [time, change] of changes) {
    if (change > 0 && speaking === 1) found.push([time, time]);
    if (change < 0 && speaking === 2) found.at(-1)[1] = time;
    speaking += change;
  }
  return found;
}
