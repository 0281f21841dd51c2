// One recording in the queue under the drop zone.

import { setMeter } from "./site.js";

const UNITS = ["bytes", "kB", "MB", "GB"];

export function queueRow(name, onRemove) {
  const row = document.createElement("li");
  const [title, fact, turns, note] = ["name", "quiet small number", "turns", "note"].map((className) => {
    const part = document.createElement("span");
    part.className = className;
    return part;
  });
  const remove = document.createElement("button");
  Object.assign(remove, { type: "button", className: "button plain small", textContent: "Remove" });
  remove.setAttribute("aria-label", `Remove ${name}`);
  remove.addEventListener("click", onRemove);
  title.textContent = title.title = name;
  const dot = document.createElement("span");
  dot.className = "dot";
  turns.hidden = true;
  const doubt = document.createElement("span");
  doubt.className = "bad";
  row.append(dot, title, fact, remove, turns, note);
  return {
    row,
    fact: (words) => (fact.textContent = words),
    note(words, bad = false) {
      note.textContent = words;
      note.classList.toggle("bad", bad);
    },
    /** What goes with the recording, nothing for empty `words`. */
    turns(words, wrong, onLeave) {
      const leave = document.createElement("button");
      Object.assign(leave, { type: "button", className: "button plain small", textContent: "Leave out" });
      leave.setAttribute("aria-label", `Leave out who speaks when in ${name}`);
      leave.addEventListener("click", () => {
        onLeave();
        remove.focus(); // this button is gone
      });
      turns.replaceChildren(...(words ? [words, doubt, leave] : []));
      turns.classList.toggle("bad", Boolean(wrong));
      turns.hidden = !words;
    },
    showTurns(wanted, doubts) {
      turns.hidden = !wanted || !turns.hasChildNodes();
      if (doubt.textContent !== doubts) doubt.textContent = doubts;
    },
    sending(fraction) {
      remove.hidden = true;
      row.querySelector(".meter") ?? row.append(meter());
      setMeter(row.querySelector(".meter > span"), Math.round(fraction * 100));
    },
    stopped() {
      remove.hidden = false;
      row.querySelector(".meter")?.remove();
    },
  };
}

function meter() {
  const outside = document.createElement("span");
  outside.className = "meter";
  outside.setAttribute("role", "progressbar");
  outside.setAttribute("aria-label", "Upload");
  outside.append(document.createElement("span"));
  return outside;
}

export function size(bytes) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const amount = bytes / 1000 ** power;
  return `${amount.toFixed(power && amount < 10 ? 1 : 0)} ${UNITS[power]}`;
}
