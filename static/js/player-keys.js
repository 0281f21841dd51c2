// The keyboard of the player. Keys typed into a field, or with Ctrl, Alt or Meta, are not ours.

const STEP = 5; // seconds

export function startKeyboard(section, player, zoom) {
  const help = section.querySelector("[data-keys-help]");
  const skip = section.querySelector("[data-skip]");
  section.querySelector("[data-keys]").addEventListener("click", () => help.showModal());
  for (const button of section.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(button.dataset.zoom === "in" ? 2 : 0.5));
  }
  const speakers = [...player.voices.keys()].sort((a, b) => a - b);
  const keys = {
    " ": () => player.toggle(),
    ArrowLeft: (shift) => player.seek(shift ? player.turn(-1) : player.time - STEP),
    ArrowRight: (shift) => player.seek(shift ? player.turn(1) : player.time + STEP),
    "0": () => player.only(null),
    "+": () => zoom(2),
    "=": () => zoom(2),
    "-": () => zoom(0.5),
    s: () => skip?.click(),
    "?": () => help.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !section.isConnected || isField(event.target)) return;
    const speaker = speakers[Number(event.key) - 1];
    const act = keys[event.key] ?? (speaker !== undefined && (() => player.only(speaker)));
    if (!act || (event.key === " " && event.target.closest("button, a, summary"))) return;
    event.preventDefault();
    act(event.shiftKey);
  });
}

function isField(element) {
  return element.closest("input:not([type=range], [type=checkbox]), select, textarea, dialog[open]");
}
