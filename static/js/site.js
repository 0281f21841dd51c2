// What every page does: copy, ask before something irreversible, close menus, submit filters.

const LIVELY = 3000; // ms

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    button.querySelector("span").textContent = "Copied";
  });
}

for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-confirm]");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (event.target.closest("a") || !menu.contains(event.target)) menu.open = false;
  }
  if (link) {
    event.preventDefault();
    const form = document.createElement("form");
    form.method = "post";
    form.action = link.href;
    form.append(hiddenField("csrfmiddlewaretoken", csrfToken()));
    document.body.append(form);
    ask(link.dataset).then((yes) => yes && form.submit());
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  ask(form.dataset).then((yes) => {
    if (!yes) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit();
  });
});

export function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]").value;
}

/** Set the width of every meter; styles in markup would need an exception in the content security policy. */
export function fillMeters(root = document) {
  for (const bar of root.querySelectorAll("[data-meter]")) setMeter(bar, Number(bar.dataset.meter));
}

export function setMeter(bar, percent) {
  bar.style.transform = `scaleX(${percent / 100})`;
  bar.parentElement.setAttribute("aria-valuenow", percent);
}

function ask({ confirm, verb, otherwise = "Keep it" }) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.textContent = confirm;
  const buttons = document.createElement("form");
  buttons.method = "dialog";
  buttons.className = "buttons";
  buttons.append(choice(otherwise, "button", ""), choice(verb, "button primary danger", "yes"));
  dialog.append(text, buttons);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function choice(words, className, value) {
  const button = document.createElement("button");
  Object.assign(button, { textContent: words, className, value });
  return button;
}

function hiddenField(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}

// What will look different in a moment is loaded anew, unless somebody writes or reads in it.
if (document.querySelector("[data-lively]")) {
  let touched = false;
  document.addEventListener("input", () => (touched = true));
  setInterval(() => touched || document.querySelector("main details[open], dialog[open]") || location.reload(), LIVELY);
}

// A page that answers a form would send it again when it is reloaded, and make a second key.
history.replaceState(history.state, "", location.href);
fillMeters();
