// Correcting who spoke when: choose turns in the list or on the lanes, say in the bar whose they are.

const UNREACHABLE = "The server cannot be reached. Nothing was changed; try again.";

/** `show` gets the answer to a correction, which is the page as it is then. */
export function startTurns(job, { player, lanes }, show) {
  for (const form of job.querySelectorAll("[data-corrects]")) sendHere(form, show);
  const bar = job.querySelector(".turn-bar");
  if (!bar) return;
  const list = job.querySelector(".turns-table");
  const boxes = new Map([...list.querySelectorAll("[name=turn]")].map((box) => [Number(box.value), box]));
  const chosen = new Set();
  bar.classList.add("floating");
  bar.querySelector("[data-clear]").hidden = false;

  const shown = () => {
    const turns = [...chosen].map((place) => lanes.all[place]);
    for (const [place, box] of boxes) box.checked = chosen.has(place);
    lanes.choose(turns);
    describe(bar, turns);
    bar.hidden = !chosen.size;
  };
  const choose = (place, more) => {
    const only = chosen.size === 1 && chosen.has(place);
    if (!more) chosen.clear();
    if (more && chosen.has(place)) chosen.delete(place);
    else if (!only) chosen.add(place);
    shown();
  };
  const clear = () => {
    chosen.clear();
    shown();
  };

  let last = null;
  list.addEventListener("click", (event) => {
    const box = event.target.closest("[name=turn]");
    if (!box) return;
    const place = Number(box.value);
    for (const each of event.shiftKey && last !== null ? between(last, place) : [place]) {
      if (box.checked) chosen.add(each);
      else chosen.delete(each);
    }
    last = place;
    shown();
  });
  lanes.addEventListener("pick", ({ detail: { speaker, time, more } }) => {
    const place = lanes.all.findLastIndex((turn) => turn[2] === speaker && turn[0] <= time && time < turn[1]);
    if (place >= 0) choose(place, more);
    else if (!more) clear();
  });
  bar.querySelector("[data-clear]").addEventListener("click", clear);
  bar.querySelector("[data-times]").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // a form's own way would press its first button, which gives the turn away
    bar.requestSubmit(bar.querySelector("[value=adjust]"));
  });
  bar.addEventListener("formdata", ({ formData }) => formData.set("turn", [...chosen].join(",")));
  document.addEventListener("keydown", (event) => {
    if (!bar.isConnected || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape" && chosen.size && !document.querySelector("dialog[open], details.menu[open]")) clear();
    if (event.key !== "e" || event.target.closest("input:not([type=range], [type=checkbox]), select, textarea")) return;
    const place = lanes.all.findLastIndex(([start, end]) => start <= player.time && player.time < end);
    if (place < 0) return;
    event.preventDefault();
    if (!chosen.has(place)) choose(place, event.shiftKey);
    bar.querySelector("select").focus();
  });
  shown();
}

/** Sends a form without leaving the page. */
function sendHere(form, show) {
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const buttons = [...form.querySelectorAll("button:enabled")];
    for (const button of buttons) button.disabled = true;
    try {
      await show(await fetch(form.getAttribute("action"), { method: "POST", body }));
    } catch {
      tell(UNREACHABLE);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  });
}

function tell(words) {
  const told = document.createElement("p");
  told.className = "message error";
  told.textContent = words;
  document.getElementById("messages").replaceChildren(told);
  told.scrollIntoView({ block: "nearest" });
}

function describe(bar, turns) {
  const one = turns.length === 1 ? turns[0] : null;
  const seconds = turns.reduce((sum, [start, end]) => sum + end - start, 0);
  bar.querySelector("[data-count]").textContent = one ? "1 turn" : `${turns.length} turns`;
  bar.querySelector("[data-span]").textContent = one ? `${moment(one[0])} – ${moment(one[1])}` : `${seconds.toFixed(1)} s`;
  bar.querySelector("[data-times]").hidden = !one;
  if (one) for (const [name, time] of [["start", one[0]], ["end", one[1]]]) bar.elements[name].value = moment(time);
}

/** 1:02.354, as the server reads it back. */
function moment(seconds) {
  const whole = Math.round(seconds * 1000);
  return `${Math.floor(whole / 60_000)}:${((whole % 60_000) / 1000).toFixed(3).padStart(6, "0")}`;
}

function between(one, other) {
  const [first, last] = [Math.min(one, other), Math.max(one, other)];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
