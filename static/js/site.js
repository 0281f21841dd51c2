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
  const link = event.target.closest("a[data-asks]");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (event.target.closest("a") || !menu.contains(event.target)) menu.open = false;
  }
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // its page asks, too
  event.preventDefault();
  ask(link.dataset).then((yes) => yes && post(link.href));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
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

function ask({ asks, told, verb, otherwise }) {
  const dialog = document.createElement("dialog");
  const buttons = element("form", { method: "dialog", className: "buttons" });
  buttons.append(
    element("button", { textContent: otherwise, className: "button", value: "" }),
    element("button", { textContent: verb, className: "button primary danger", value: "yes" }),
  );
  dialog.append(element("h2", { id: "asks", textContent: asks }), element("p", { textContent: told }), buttons);
  dialog.setAttribute("aria-labelledby", "asks");
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function post(address) {
  const form = element("form", { method: "post", action: address });
  form.append(element("input", { type: "hidden", name: "csrfmiddlewaretoken", value: csrfToken() }));
  document.body.append(form);
  form.submit();
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

// What will look different in a moment is loaded anew, unless somebody writes or reads in it.
if (document.querySelector("[data-lively]")) {
  let touched = false;
  document.addEventListener("input", () => (touched = true));
  setInterval(() => touched || document.querySelector("main details[open], dialog[open]") || location.reload(), LIVELY);
}

fillMeters();

// Where the server went away while the page came, it says that parts of it are missing.
const scripts = [...document.querySelectorAll("script[type=module]")].map(({ src }) => import(src));
Promise.all(scripts).then(() => document.getElementById("late").remove(), () => {});
