// Uploads a file with tus-js-client: node tus_client.mjs FILE ENDPOINT KEY PART_BYTES [HOW]. Says on standard output what
// has arrived, and at the end the upload's address. An upload that another run began is taken up. Each part has its
// checksum, where HOW is "damaged" a wrong one; where it is "terminate", the upload is given up after its first part.

import { createHash } from "node:crypto";
import { createReadStream, openSync, readSync, statSync } from "node:fs";
import { FileUrlStorage, Upload } from "tus-js-client";

const [file, endpoint, key, partBytes, how] = process.argv.slice(2);

function checksum(offset) {
  const part = Buffer.alloc(Math.min(partBytes, statSync(file).size - offset));
  readSync(openSync(file), part, 0, part.length, offset);
  if (how === "damaged") part[0] ^= 1;
  return `sha1 ${createHash("sha1").update(part).digest("base64")}`;
}

const upload = new Upload(createReadStream(file), {
  endpoint,
  headers: { "X-API-Key": key },
  chunkSize: Number(partBytes),
  retryDelays: Array(120).fill(500),
  metadata: { filename: "talk.wav", filetype: "audio/wav" },
  fingerprint: () => Promise.resolve(`${file}-${statSync(file).size}`),
  urlStorage: new FileUrlStorage(`${file}.uploads`),
  onBeforeRequest: (request) => {
    if (request.getMethod() !== "PATCH") return;
    request.setHeader("Upload-Checksum", checksum(Number(request.getHeader("Upload-Offset"))));
  },
  onChunkComplete: async (_size, accepted) => {
    console.log(accepted);
    if (how !== "terminate") return;
    await upload.abort(true);
    console.log(upload.url);
  },
  onError: (error) => {
    console.error(error.originalResponse?.getBody() || error.message);
    process.exitCode = 1;
  },
  onSuccess: () => console.log(upload.url),
});
const [begun] = await upload.findPreviousUploads();
if (begun) upload.resumeFromPreviousUpload(begun);
upload.start();
