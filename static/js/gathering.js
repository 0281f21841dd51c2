// How recordings come in: from a dialog, a folder, a link or a drop anywhere on the page.

import { droppedFiles, isWanted } from "./picking.js";

const form = document.getElementById("drop");
const linkRow = document.getElementById("link-row");
const link = document.getElementById("link");

export function gather({ addFiles, addLink }) {
  for (const element of form.querySelectorAll(".with-script")) element.hidden = element === linkRow;
  for (const id of ["pick-files", "pick-folder"]) {
    document.getElementById(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      addFiles(id === "pick-folder" ? files.filter(isWanted) : files);
      target.value = "";
    });
  }
  takeLinks(addLink);
  takeDrops(addFiles);
}

function takeLinks(addLink) {
  const take = () => {
    if (!link.value.trim() || !link.reportValidity()) return;
    addLink(link.value.trim());
    link.value = "";
  };
  document.getElementById("pick-link").addEventListener("click", ({ currentTarget }) => {
    linkRow.hidden = !linkRow.hidden;
    currentTarget.setAttribute("aria-expanded", !linkRow.hidden);
    if (!linkRow.hidden) link.focus();
  });
  document.getElementById("add-link").addEventListener("click", take);
  link.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    take();
  });
}

function takeDrops(addFiles) {
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // anywhere on the page: a near miss must not open the file instead
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop") droppedFiles(event.dataTransfer).then(addFiles);
    });
  }
}
