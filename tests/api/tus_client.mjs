// Uploads a file with tus-js-client: node tus_client.mjs FILE ENDPOINT KEY [PART_BYTES]. Says on standard output what
// has arrived, and at the end the upload's address. An upload that another run began is taken up.

import { createReadStream, statSync } from "node:fs";
import { FileUrlStorage, Upload } from "tus-js-client";

const [file, endpoint, key, partBytes] = process.argv.slice(2);
const upload = new Upload(createReadStream(file), {
  endpoint,
  headers: { "X-API-Key": key },
  chunkSize: Number(partBytes ?? 8 << 20),
  retryDelays: Array(120).fill(500),
  metadata: { filename: "talk.wav", filetype: "audio/wav" },
  fingerprint: () => Promise.resolve(`${file}-${statSync(file).size}`),
  urlStorage: new FileUrlStorage(`${file}.uploads`),
  onChunkComplete: (_size, accepted) => console.log(accepted),
  onError: (error) => {
    console.error(error.originalResponse?.getBody() || error.message);
    process.exitCode = 1;
  },
  onSuccess: () => console.log(upload.url),
});
const [begun] = await upload.findPreviousUploads();
if (begun) upload.resumeFromPreviousUpload(begun);
upload.start();
