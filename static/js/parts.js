// Sends a large recording by parts, by the tus protocol: what has arrived stays, whatever happens to the connection,
// the server or the page.

import { Refused } from "./upload.js";

const LIBRARY = "../vendor/tus.js"; // only large recordings need it
const PAUSES = [0, 1000, 3000, 5000, 10000, 20000, 30000]; // ms; a server that starts anew takes some

/** Resolves to the id of the stored recording. Rejects with Refused, in words for the user. */
export async function sendInParts(file, { address, partBytes, token }, onProgress) {
  const { Upload } = await import(LIBRARY);
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: address,
      chunkSize: partBytes,
      retryDelays: PAUSES,
      headers: { "X-CSRFToken": token },
      metadata: { filename: file.name, filetype: file.type },
      removeFingerprintOnSuccess: true,
      onProgress: (sent, total) => onProgress(sent / total),
      onSuccess: () => resolve(upload.url.split("/").pop()),
      onError: (error) => reject(new Refused(words(error), error.originalResponse?.getStatus())),
    });
    upload.findPreviousUploads().then(([begun]) => {
      if (begun) upload.resumeFromPreviousUpload(begun);
      upload.start();
    });
  });
}

function words(error) {
  try {
    return JSON.parse(error.originalResponse.getBody()).detail;
  } catch {
    return "The connection was lost. Nothing was charged. Start again: it goes on where it stopped.";
  }
}
