// What is wanted of the recordings: the task and its options. CSS shows the options of the task that is chosen.

const form = document.getElementById("drop");
const subtitles = form.elements.subtitles;

export function task() {
  return form.elements.task.value;
}

/** Whether who speaks when can be given for the task that is chosen. */
export function takesTurns() {
  return document.getElementById("known-turns").dataset.for.split(" ").includes(task());
}

/** The fields of a request for the task that is chosen, without turns, which go with one recording. */
export function fields() {
  const found = new FormData(form);
  found.delete("turns");
  for (const group of form.querySelectorAll("[data-for]")) {
    if (group.dataset.for.split(" ").includes(task())) continue;
    for (const field of group.querySelectorAll("[name]")) found.delete(field.name);
  }
  return found;
}

/** Why it cannot be started like this, in words for the user; empty where it can. */
export function obstacle(recordings) {
  const chosen = form.querySelector(`#task-${task()}`);
  if ("impossible" in chosen.dataset) return "This server cannot make this yet. Choose something else.";
  if (task() !== "transcription") return "";
  if (subtitles.files.length) return recordings > 1 ? "Subtitles belong to one recording. Keep that one." : "";
  return "subtitlesOnly" in chosen.dataset ? "Choose the recording’s subtitles, under Options." : "";
}

export function onChange(act) {
  for (const part of [document.getElementById("wanted"), subtitles]) part.addEventListener("change", act);
}

// Where nothing goes without subtitles, their field is not to be looked for.
document.getElementById("wanted").addEventListener("change", ({ target }) => {
  if ("subtitlesOnly" in target.dataset) document.getElementById("options").open = true;
});
