// What was said and when: search in it, and click a word, a line or a turn to hear it.

/** `player` is null where the recording cannot be heard. */
export function startTranscript(page, player) {
  startSearch(page);
  if (player) for (const panel of page.querySelectorAll("[data-heard]")) bindPlayer(panel, player);
}

function startSearch(page) {
  const box = page.querySelector("[data-search]");
  if (!box) return;
  const panel = page.querySelector(".transcript");
  const found = page.querySelector("[data-found]");
  const lines = [...panel.querySelectorAll(".line")].map((element) => [element, element.textContent.toLowerCase()]);
  box.hidden = false;
  box.addEventListener("input", ({ target }) => {
    const wanted = target.value.trim().toLowerCase();
    for (const [element, text] of lines) element.classList.toggle("found", wanted !== "" && text.includes(wanted));
    for (const said of panel.querySelectorAll(".said")) said.hidden = wanted !== "" && !said.querySelector(".found");
    const count = panel.querySelectorAll(".found").length;
    found.textContent = wanted ? `${count} line${count === 1 ? "" : "s"}` : "";
  });
}

function bindPlayer(panel, player) {
  panel.classList.add("playable");
  for (const button of panel.querySelectorAll("button[data-at], [data-play-from]")) button.hidden = false;
  const playFrom = (element) => {
    player.seek(Number(element.closest("[data-at]").dataset.at));
    player.play();
  };
  panel.addEventListener("click", ({ target }) => {
    const clicked = target.closest(".correction") ? target.closest("[data-play-from]") : target.closest("[data-at]");
    if (clicked && getSelection().isCollapsed) playFrom(clicked); // else something is being copied
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.ctrlKey || !event.target.closest(".correction")) return;
    event.preventDefault();
    if (player.playing) player.pause();
    else playFrom(event.target);
  });
  follow(panel, player);
}

/** Marks what is heard: several at once, where several speak. */
function follow(panel, player) {
  const lines = [...panel.querySelectorAll("[data-from]")].map((element) => {
    return { element, from: Number(element.dataset.from), to: Number(element.dataset.to), marked: false };
  });
  player.addEventListener("time", () => {
    const now = player.time;
    for (const line of lines) {
      const heard = line.from <= now && now < line.to;
      if (heard !== line.marked) line.element.classList.toggle("now", (line.marked = heard));
    }
  });
}
