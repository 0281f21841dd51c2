// From a drop or a folder to media files, and from a file to its length.

const MEDIA_NAMES = /\.(wav|mp3|m4a|aac|flac|ogg|oga|opus|webm|wma|spx|aiff?|amr|mp4|avi|mov|mkv|3gp|flv|wmv|m4v)$/i;
const TURNS_NAMES = /\.(rttm|json)$/i;
const PATIENCE = 5000; // ms

export function isMedia(file) {
  return /^(audio|video)\//.test(file.type) || MEDIA_NAMES.test(file.name);
}

/** Whether it says who speaks when, by its name. */
export function isTurns(file) {
  return TURNS_NAMES.test(file.name);
}

/** What of a folder, which holds all sorts of things, is wanted. */
export function isWanted(file) {
  return isMedia(file) || /\.rttm$/i.test(file.name);
}

/** All files of a drop, those in dropped folders included. Must be called while the drop event is handled. */
export function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return Promise.resolve([...transfer.files]);
  return Promise.all(entries.map(filesOf)).then((lists) => lists.flat());
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at a time
    if (!batch.length) break;
    found.push(...batch);
  }
  const files = (await Promise.all(found.map(filesOf))).flat();
  return files.filter(isWanted);
}

/** Seconds of a file as the browser's own decoder reads them, or null where it cannot. */
export function lengthOf(file) {
  return new Promise((resolve) => {
    const media = document.createElement("video");
    const address = URL.createObjectURL(file);
    const done = (seconds) => {
      URL.revokeObjectURL(address);
      clearTimeout(timer);
      resolve(Number.isFinite(seconds) && seconds > 0 ? seconds : null);
    };
    const timer = setTimeout(() => done(null), PATIENCE);
    media.preload = "metadata";
    media.addEventListener("loadedmetadata", () => done(media.duration), { once: true });
    media.addEventListener("error", () => done(null), { once: true });
    media.src = address;
  });
}
