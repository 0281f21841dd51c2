// Turns that somebody has already: a file that goes with one of the recordings, by its name or since there is only one.

import { isTurns } from "./picking.js";
import { queueRow } from "./queue-row.js";
import { csrfToken } from "./site.js";
import { takesTurns } from "./wanted.js";

const form = document.getElementById("drop");
const field = form.elements.turns;
const INEXACT = 1; // seconds that a browser may be wrong about a length, of which the server has the last word

/** `queue` are the recordings under the drop zone, whose rows are in `list`; `changed` is called when their turns are. */
export function knownTurns(queue, list, changed) {
  const waiting = new Map(); // files whose recording is not here, to their rows

  const ready = () => [...queue].filter((item) => !item.refused);

  function recordingOf(file, chosen) {
    const recordings = ready();
    const named = recordings.find((item) => stem(item.name) === stem(file.name));
    const only = recordings.length === 1 ? recordings[0] : null;
    return named ?? (only && (chosen || !only.turns) ? only : null);
  }

  function take(file, chosen = false) {
    const item = recordingOf(file, chosen);
    if (item) attach(item, file);
    else wait(file);
  }

  function wait(file) {
    const view = queueRow(file.name, () => {
      drop(file);
      changed();
    });
    view.note(
      ready().length
        ? `None of these recordings is called “${stem(file.name)}”. Name the file like its recording and add it again.`
        : "Says who speaks when. Add its recording, too.",
      ready().length > 0,
    );
    list.append(view.row);
    waiting.set(file, view);
  }

  function drop(file) {
    waiting.get(file)?.row.remove();
    waiting.delete(file);
  }

  async function attach(item, file) {
    Object.assign(item, { turns: file, wrongTurns: false, lastTurn: 0 });
    const show = (words) =>
      item.view.turns(words, item.wrongTurns, () => {
        leave(item);
        changed();
      });
    show(`Who speaks when: ${file.name}`);
    const told = await check(file);
    if (item.turns !== file) return;
    item.wrongTurns = told.wrong;
    item.lastTurn = told.last ?? 0;
    show(told.wrong ? `${file.name}: ${told.words}` : `Who speaks when: ${file.name}${told.words}`);
    changed();
  }

  function leave(item) {
    Object.assign(item, { turns: null, wrongTurns: false, lastTurn: 0 });
    item.view.turns("");
  }

  field.addEventListener("change", () => {
    for (const file of field.files) take(file, true);
    changed();
  });

  return {
    take,
    /** For the files that wait, when recordings came. */
    claim() {
      for (const file of [...waiting.keys()]) {
        drop(file);
        take(file);
      }
    },
    clear() {
      for (const file of [...waiting.keys()]) drop(file);
    },
    get waiting() {
      return waiting.size;
    },
    /** Shows what goes with what: of other tasks nothing does, and the field has only what is still to be sent. */
    show() {
      for (const item of queue) {
        const late = item.seconds !== null && item.lastTurn > item.seconds + INEXACT;
        item.view.showTurns(takesTurns(), late ? "Some start after the recording ends: is it another’s?" : "");
      }
      const [file] = field.files;
      if (file && !waiting.has(file) && ![...queue].some((item) => item.turns === file)) field.value = "";
    },
    /** Why it cannot be started like this, in words for the user; empty where it can. */
    obstacle() {
      if (!takesTurns()) return "";
      if (ready().some((item) => item.wrongTurns)) return "Mend the turns that cannot be used, or leave them out.";
      if (!waiting.size) return "";
      return ready().length ? "Remove the turns that belong to no recording here." : "Add the recording, too.";
    },
  };
}

function stem(name) {
  return name.replace(/\.\w{1,5}$/, "").toLowerCase();
}

/** What is in a file, as the server reads it. */
async function check(file) {
  const body = new FormData();
  body.set("turns", file, file.name);
  const headers = { "X-CSRFToken": csrfToken() };
  try {
    const answer = await fetch(form.dataset.checkTurns, { method: "POST", body, headers });
    const { wrong, turns, speakers, last } = await answer.json();
    if (wrong) return { wrong: true, words: wrong };
    return { wrong: false, words: `, ${count(speakers, "speaker")}, ${count(turns, "turn")}`, last };
  } catch {
    return { wrong: false, words: "" }; // it is read again when it is sent
  }
}

function count(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
