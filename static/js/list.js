// Keeps the list of recordings true while work goes on.

import { fillMeters, setMeter } from "./site.js";
import { listen } from "./socket.js";

const list = document.getElementById("jobs");
const asked = new Map(); // how often each job's row was fetched

export function addRow(html) {
  const row = parse(html);
  if (!rowOf(row.dataset.job)) prepend(row);
}

function prepend(row) {
  document.getElementById("first")?.remove();
  document.getElementById("listed").hidden = false;
  list.prepend(row);
  fillMeters(row);
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function rowOf(job) {
  return list.querySelector(`[data-job="${CSS.escape(job)}"]`);
}

async function refresh(job) {
  const mine = (asked.get(job) ?? 0) + 1;
  asked.set(job, mine);
  const answer = await fetch(`${list.dataset.row}${job}/row`);
  if (!answer.ok) return;
  const row = parse(await answer.text());
  if (asked.get(job) !== mine) return; // answers may come in another order, and this one is of before
  const old = rowOf(job);
  if (old) {
    old.replaceWith(row);
    fillMeters(row);
  } else if (onFirstPage()) prepend(row);
}

function onFirstPage() {
  const { searchParams } = new URL(location.href);
  return !["q", "state", "page"].some((name) => searchParams.get(name));
}

function showProgress(row, message) {
  row.querySelector("[data-words]").textContent = message.words;
  row.querySelector("[data-percent]").textContent = `${message.percent} %`;
  setMeter(row.querySelector("[data-meter]"), message.percent);
}

listen("/ws/jobs/", {
  onOpen() {
    for (const row of list.querySelectorAll("[data-active]")) refresh(row.dataset.job);
  },
  onMessage(message) {
    const row = rowOf(message.job);
    if (message.kind === "deleted") row?.remove();
    else if (message.kind === "progress" && row?.hasAttribute("data-active")) showProgress(row, message);
    else refresh(message.job);
  },
});
