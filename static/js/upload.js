// Sends one recording. XMLHttpRequest, because fetch does not tell how far an upload is.

const OF_THE_RECORDING = [400, 413]; // statuses that tell of the recording itself

export class Refused extends Error {
  /** `status` of the answer; without one there was none. */
  constructor(words, status = 0) {
    super(words);
    this.again = !OF_THE_RECORDING.includes(status); // whether the same recording may be taken another time
  }
}

/** Resolves to the HTML of the new job's row. Rejects with Refused, in words for the user. */
export function send(address, fields, onProgress) {
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.open("POST", address);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => total && onProgress(loaded / total));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(request.responseText);
      else reject(new Refused(words(request), request.status));
    });
    request.addEventListener("error", () =>
      reject(new Refused("The connection was lost. Check the network and start again: nothing is charged twice.")),
    );
    request.send(fields);
  });
}

function words(request) {
  try {
    return JSON.parse(request.responseText).message;
  } catch {
    if (request.status === 413) return "The file is too large for this server. Nothing was charged.";
    return "The server did not take it. Nothing was charged. Reload the page and try again.";
  }
}
