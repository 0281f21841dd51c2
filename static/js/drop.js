// The drop zone: gathers recordings, says what they cost, then sends them one after the other.

import { clock } from "./clock.js";
import { gather } from "./gathering.js";
import { knownTurns } from "./known-turns.js";
import { addRow } from "./list.js";
import { isMedia, isTurns, lengthOf } from "./picking.js";
import { sendInParts } from "./parts.js";
import { credits, number, priceOf } from "./prices.js";
import { queueRow, size } from "./queue-row.js";
import { csrfToken } from "./site.js";
import { send } from "./upload.js";
import { fields, obstacle, onChange, takesTurns, task } from "./wanted.js";

const form = document.getElementById("drop");
const [list, start, total, go, clear] = ["queue", "start", "total", "go", "clear"].map((id) => document.getElementById(id));
const PLAIN_PARTS = 2; // a file of so many parts goes in one request
const queue = new Set();
const turns = knownTurns(queue, list, () => showCosts());
let sending = false;

// --- gathering

function add(name, source) {
  const unknown = { seconds: null, credits: null, view: null, turns: null };
  const item = { name, ...source, ...unknown, token: token(), refused: false, failed: false };
  item.view = queueRow(name, () => {
    queue.delete(item);
    item.view.row.remove();
    showTotal();
  });
  queue.add(item);
  list.append(item.view.row);
  return item;
}

async function addFiles(files) {
  const most = Number(form.dataset.mostBytes);
  const items = files.filter((file) => !isTurns(file)).map((file) => {
    const item = add(file.name, { file });
    item.view.fact(size(file.size));
    if (!isMedia(file)) refuse(item, "This does not look like audio or video. Choose another file.");
    else if (!file.size) refuse(item, "This file is empty. Choose another file.");
    else if (file.size > most) refuse(item, `Larger than ${size(most)}. Send a more compressed version or a link.`);
    return item;
  });
  for (const file of files.filter(isTurns)) turns.take(file);
  turns.claim();
  showTotal();
  await Promise.all(items.filter((item) => !item.refused).map(async (item) => (item.seconds = await lengthOf(item.file))));
  await showCosts();
}

function addLink(address) {
  const item = add(address, { url: address });
  item.view.note("The cost is shown once the recording is fetched and its length known.");
  turns.claim();
  showTotal();
}

/** A recording that the server has already. */
function addStored({ again, name, seconds }) {
  const item = add(name, { media: again });
  item.seconds = Number(seconds);
  history.replaceState(null, "", location.pathname); // else a reload would add it once more
  turns.claim();
  return showCosts();
}

/** What no other attempt will change. */
function refuse(item, words) {
  item.refused = true;
  tell(item, words);
}

/** What another attempt may: the item stays and can be sent again. */
function fail(item, words) {
  item.failed = true;
  tell(item, words);
}

function tell(item, words) {
  item.view.note(words, true);
  item.view.stopped();
}

// --- what it costs

let asked = 0;
async function showCosts() {
  const mine = ++asked;
  const known = [...queue].filter((item) => item.seconds !== null && !item.refused);
  const { costs, available } = await priceOf(known, task(), takesTurns(), form.dataset.price);
  if (mine !== asked) return; // answers may come in another order, and this one is of what was wanted before
  known.forEach((item, index) => (item.credits = costs[index] ?? null));
  for (const item of queue) {
    if (item.refused || item.url) continue;
    if (item.credits !== null) item.view.fact(`${clock(item.seconds)} · ${credits(item.credits)}`);
    else if (item.seconds === null && !item.failed) item.view.note("The cost is shown once its length is known.");
  }
  showTotal(available);
}

let balance = null;
function showTotal(available = balance) {
  balance = available;
  if (balance !== null) document.querySelector(".balance").textContent = credits(balance);
  const ready = [...queue].filter((item) => !item.refused);
  const sum = ready.reduce((before, item) => before + (item.credits ?? 0), 0);
  const short = balance !== null && sum > balance;
  turns.show();
  list.hidden = queue.size + turns.waiting === 0;
  start.hidden = list.hidden;
  const stop = (ready.length && obstacle(ready.length)) || turns.obstacle();
  total.textContent = stop || costs(ready, sum, short);
  go.textContent = ready.length > 1 ? `Start ${ready.length} recordings` : "Start";
  go.disabled = sending || short || !ready.length || stop !== "";
}

function costs(ready, sum, short) {
  if (!ready.length) return "Nothing here can be sent.";
  const unknown = ready.some((item) => item.credits === null);
  if (unknown && !sum) return "The cost is not known yet.";
  const cost = `${credits(sum)}${unknown ? " and what is not known yet" : ""}`;
  if (balance === null) return cost;
  return short ? `${cost}; you have only ${number(balance)}` : `${cost} of your ${number(balance)}`;
}

// --- sending

async function sendAll() {
  sending = true;
  showTotal();
  for (const item of [...queue]) if (!item.refused) await sendOne(item);
  sending = false;
  showTotal();
}

async function sendOne(item) {
  const request = fields();
  if (item.turns && takesTurns()) request.set("turns", item.turns, item.turns.name);
  request.set("token", item.token); // so that an answer that was lost does not make a second job
  item.failed = false;
  const progress = (fraction) => {
    item.view.sending(fraction);
    item.view.note(fraction < 1 ? `Uploading, ${Math.round(fraction * 100)} %` : "Checking the recording");
  };
  item.view.note(item.file ? "Uploading" : "Sending");
  item.view.sending(0);
  try {
    if (item.file && isLarge(item.file)) item.media ??= await storeInParts(item.file, progress);
    if (item.media) request.set("media", item.media);
    else if (item.file) request.set("file", item.file, item.file.name);
    else request.set("url", item.url);
    addRow(await send(form.action, request, request.has("media") ? () => {} : progress));
    queue.delete(item);
    item.view.row.remove();
    await showCosts();
  } catch (failure) {
    if (failure.again) fail(item, failure.message);
    else refuse(item, failure.message);
  }
}

function token() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isLarge(file) {
  return file.size > PLAIN_PARTS * Number(form.dataset.partBytes);
}

function storeInParts(file, progress) {
  const { uploads: address, partBytes } = form.dataset;
  return sendInParts(file, { address, partBytes: Number(partBytes), token: csrfToken() }, progress);
}

// --- what the user does

go.addEventListener("click", sendAll);
clear.addEventListener("click", () => {
  for (const item of [...queue]) item.view.row.remove();
  queue.clear();
  turns.clear();
  showTotal();
});
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("beforeunload", (event) => sending && event.preventDefault()); // it would stop the upload
onChange(showCosts);
gather({ addFiles, addLink });
if (form.dataset.again) addStored(form.dataset);
