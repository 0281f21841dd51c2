// The page of one job: live until it ends, then its player.

import { startPlayer } from "./player-view.js";
import { preview } from "./preview.js";
import { fillMeters, setMeter } from "./site.js";
import { listen } from "./socket.js";
import { startTabs } from "./tabs.js";
import { startTranscript } from "./transcript.js";
import { startTurns } from "./turns.js";

const PAUSE = 2000; // ms
const PATIENCE = 30_000; // ms
const OF_STATES = [".facts", ".history"]; // parts of the page that change with the job's state, not with its progress
const nonce = document.querySelector("script[nonce]").nonce;

function follow(job) {
  let shown = 0;
  let states = 0;
  const name = document.title.split(" · ").slice(-2).join(" · ");
  const stop = listen(`/ws/jobs/${job.dataset.job}/`, {
    after: Number(job.dataset.seq),
    onMessage(message) {
      if (message.kind === "deleted") location.assign("/jobs");
      else if (message.finished) {
        stop();
        showEnd(job);
      } else if (message.kind === "state") {
        shown = 0;
        showProgress(job, { words: message.words, percent: 0, left: "" }, name);
        const mine = ++states;
        showState(job, () => mine === states);
      } else if (message.percent >= shown) {
        shown = message.percent;
        showProgress(job, message, name);
      }
    },
  });
}

function showProgress(job, { words, stage = "", percent, left }, name) {
  showStep(job, stage);
  job.querySelector("[data-words]").textContent = words;
  job.querySelector("[data-percent]").textContent = percent ? `${percent} %` : "";
  job.querySelector("[data-left]").textContent = left;
  setMeter(job.querySelector("[data-meter]"), percent);
  document.title = `${percent} % · ${name}`;
}

/** Ticks the steps before a stage; only the list's order tells which those are. */
function showStep(job, stage) {
  const steps = [...job.querySelectorAll("[data-step]")];
  const now = steps.findIndex((step) => step.dataset.step === stage);
  steps.forEach((step, index) => {
    step.classList.toggle("done", index < now);
    step.classList.toggle("now", index === now);
  });
}

/** What else a change of state changes; `newest` says whether no other has come meanwhile. */
async function showState(job, newest) {
  const { job: now } = await fetchAnew();
  if (!newest() || "finished" in now.dataset) return; // there is news of it, or will be
  for (const part of OF_STATES) job.querySelector(part).replaceWith(now.querySelector(part));
  if (job.querySelector("[data-preview]") || !now.querySelector("[data-preview]")) return;
  job.querySelector(".steps").before(now.querySelector("[data-preview]")); // the recording has just been fetched
  preview(job);
}

async function showEnd(job) {
  const { page, job: ended } = await fetchAnew();
  job.replaceWith(ended);
  document.title = page.title;
  document.querySelector(".balance").textContent = page.querySelector(".balance").textContent;
  bring(ended);
}

/** This page and the job on it as they are now; while the server cannot give it, it is asked again. */
async function fetchAnew() {
  for (;;) {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE) });
      if (answer.status < 500) return withJob(await answer.text());
    } catch {
      // not reached, or no answer
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** A page that is not of a job any more is loaded, for whoever looks at it: signed out meanwhile, or deleted. */
function withJob(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const job = page.getElementById("job");
  if (job) return { page, job };
  location.reload();
  return new Promise(() => {}); // there is nothing left to do here
}

function bring(job, at = 0) {
  fillMeters(job);
  if (!("finished" in job.dataset)) {
    showStep(job, job.querySelector("[data-stage]").dataset.stage);
    follow(job);
    preview(job);
  }
  startTabs(job);
  for (const rename of job.querySelectorAll(".rename")) {
    rename.addEventListener("toggle", () => rename.open && rename.querySelector("[name=name]").select());
  }
  const section = job.querySelector("[data-timeline]");
  if (section) startPlayer(section, job, nonce).then((started) => startHearing(job, started, at));
}

/** `at` is where the page before was heard, in seconds. */
function startHearing(job, started, at) {
  startTranscript(job, started?.player ?? null);
  if (!started) return;
  startTurns(job, started, (answer) => showCorrected(job, answer, started.player));
  if (at) started.player.seek(at);
}

/** The page that a correction leads to, in place of this one, which is heard and scrolled as before. */
async function showCorrected(job, answer, player) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const corrected = page.getElementById("job");
  if (!corrected) {
    location.assign(answer.url); // signed out meanwhile, or deleted
    return;
  }
  document.getElementById("messages").replaceWith(page.getElementById("messages"));
  const refused = document.querySelector("#messages .error");
  if (refused && version(corrected) === version(job)) {
    refused.scrollIntoView({ block: "nearest" }); // what was chosen and typed stays
    return;
  }
  const at = player.time;
  const above = top(job);
  const tab = job.querySelector("[role=tab][aria-selected=true]")?.id;
  player.pause();
  job.replaceWith(corrected);
  bring(corrected, at);
  document.getElementById(tab)?.click();
  scrollBy(0, top(corrected) - above);
  refused?.scrollIntoView({ block: "nearest" });
}

/** The version of the turns that a page is of. */
function version(job) {
  return job.querySelector("[data-corrects] [name=version]")?.value;
}

/** How far down the window the player is. */
function top(job) {
  return job.querySelector("[data-timeline]").getBoundingClientRect().top;
}

bring(document.getElementById("job"));
