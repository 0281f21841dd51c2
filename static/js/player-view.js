// Puts the player on the page: waveform and lanes in one view, transport, solo and mute, keyboard.

import { clock } from "./clock.js";
import { Lanes } from "./lanes.js";
import { addPeaks } from "./peaks.js";
import { Player } from "./player.js";
import { startKeyboard } from "./player-keys.js";
import { showWaveform } from "./waveform.js";

const UNPLAYABLE = "This browser cannot play the recording’s format. The files can be downloaded all the same.";

/** The player and its lanes, or nothing where there is no timeline. */
export async function startPlayer(section, page, nonce) {
  const answer = await fetch(section.dataset.timeline);
  if (!answer.ok) return null;
  const data = await answer.json();
  const player = new Player(data);
  const lanes = new Lanes(canvases(section), data);
  bindTransport(section, player);
  bindSpeakers(section, page, player);
  bindPlayhead(section, player, lanes);
  player.addEventListener("unplayable", () => note(section, UNPLAYABLE));
  const drawn = addPeaks(data).then(() => {
    lanes.setWaves(data);
    return showWaveform(section, player, lanes, data, nonce);
  });
  startKeyboard(section, player, async (factor) => (await drawn)(factor));
  return { player, lanes };
}

function canvases(section) {
  const lanes = [...section.querySelectorAll("[data-speaker]")];
  return new Map(lanes.map((lane) => [Number(lane.dataset.speaker), lane.querySelector("canvas")]));
}

function note(section, words) {
  const place = section.querySelector("[data-note]");
  place.textContent = words;
  place.hidden = false;
}

function bindTransport(section, player) {
  const transport = section.querySelector(".transport");
  const [play, now, seek] = ["[data-play]", "[data-now]", ".seek"].map((name) => transport.querySelector(name));
  const icon = play.querySelector("use");
  transport.hidden = false;
  play.addEventListener("click", () => player.toggle());
  seek.addEventListener("input", () => player.seek(Number(seek.value)));
  transport.querySelector("[data-rate]").addEventListener("change", ({ target }) => player.setRate(Number(target.value)));
  transport.querySelector("[data-skip]")?.addEventListener("change", ({ target }) => (player.skipping = target.checked));
  player.addEventListener("time", () => {
    now.textContent = clock(player.time);
    seek.value = player.time;
    seek.style.setProperty("--at", `${(player.time / player.seconds) * 100}%`);
    seek.setAttribute("aria-valuetext", clock(player.time));
  });
  player.addEventListener("change", () => {
    showIcon(icon, player.playing ? "pause" : "play");
    play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  });
}

function bindSpeakers(section, page, player) {
  for (const lane of section.querySelectorAll("[data-speaker]")) {
    const speaker = Number(lane.dataset.speaker);
    const [solo, mute] = [lane.querySelector(".solo"), lane.querySelector(".mute")];
    solo.parentElement.hidden = false;
    solo.addEventListener("click", () => player.solo(speaker));
    mute?.addEventListener("click", () => player.mute(speaker));
    player.addEventListener("change", () => {
      const voice = player.voice(speaker);
      solo.setAttribute("aria-pressed", voice.solo);
      mute?.setAttribute("aria-pressed", voice.muted);
      lane.classList.toggle("silent", !player.heard(voice));
    });
  }
  for (const button of page.querySelectorAll("[data-hear]")) bindHear(button, player);
}

/** "Hear alone" begins with that speaker's next turn, so that something is heard at once. */
function bindHear(button, player) {
  const speaker = Number(button.dataset.hear);
  const [words, icon] = [button.lastChild, button.querySelector("use")];
  const alone = () => player.playing && player.voice(speaker).solo;
  button.hidden = false;
  button.addEventListener("click", () => {
    if (alone()) {
      player.pause();
      return;
    }
    player.only(speaker);
    const speaking = player.voice(speaker).turns.some(([start, end]) => start <= player.time && player.time < end);
    if (!speaking) {
      const next = player.turn(1);
      player.seek(next < player.seconds ? next : player.voice(speaker).turns[0][0]);
    }
    player.play();
  });
  player.addEventListener("change", () => {
    words.textContent = alone() ? "Pause" : "Hear alone";
    showIcon(icon, alone() ? "pause" : "play");
  });
}

function bindPlayhead(section, player, lanes) {
  const head = section.querySelector(".playhead");
  const body = section.querySelector("[data-speaker] .lane-body") ?? section.querySelector(".lane-body");
  const place = () => {
    const x = lanes.x(player.time, body.clientWidth);
    head.hidden = x < 0 || x > body.clientWidth;
    head.style.transform = `translateX(${x}px)`;
  };
  player.addEventListener("time", place);
  lanes.addEventListener("view", place);
  new ResizeObserver(place).observe(body);
  for (const [speaker, canvas] of lanes.canvases) {
    canvas.addEventListener("pointerdown", (event) => {
      const { start, end } = lanes.view;
      const time = start + (event.offsetX / canvas.clientWidth) * (end - start);
      const more = event.shiftKey || event.ctrlKey || event.metaKey;
      player.seek(time);
      lanes.dispatchEvent(new CustomEvent("pick", { detail: { speaker, time, more } }));
    });
  }
}

function showIcon(use, name) {
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${name}`));
}
