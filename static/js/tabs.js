// Sections of a page as tabs. Without JavaScript they simply follow each other.

export function startTabs(root) {
  const list = root.querySelector("[role=tablist]");
  if (!list) return;
  list.hidden = false;
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const select = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      panel.setAttribute("role", "tabpanel");
      panel.hidden = !selected;
    }
  };
  const choose = (tab) => {
    select(tab);
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`); // where a reload comes back to
  };
  list.addEventListener("click", ({ target }) => target.closest("[role=tab]") && choose(target.closest("[role=tab]")));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
    event.stopPropagation();
    choose(next);
    next.focus();
  });
  select(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0]);
}
