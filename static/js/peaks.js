// Waveforms of sounds for which the server has none, found by the browser's own decoder.

const RATE = 8000; // Hz: enough to draw, and a fifth of the memory
const LARGEST = 64_000_000; // bytes of a file that is worth fetching only to be drawn
const LONGEST = 1200; // seconds
const COUNT = 1000;

/** Up to COUNT maxima of |x|, evenly spaced; none where the sound is too large or cannot be decoded here. */
export async function peaksOf(url, seconds) {
  if (!url || seconds > LONGEST) return [];
  try {
    const answer = await fetch(url);
    if (!answer.ok || Number(answer.headers.get("Content-Length")) > LARGEST) {
      answer.body?.cancel();
      return [];
    }
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await answer.arrayBuffer());
    return maxima(sound.getChannelData(0));
  } catch {
    return []; // the lane is drawn plain
  }
}

function maxima(samples) {
  const step = Math.max(1, Math.ceil(samples.length / COUNT));
  const found = [];
  for (let first = 0; first < samples.length; first += step) {
    let most = 0;
    for (const sample of samples.subarray(first, first + step)) most = Math.max(most, Math.abs(sample));
    found.push(most);
  }
  return found;
}

/** Fills in what `data`, a job's timeline, lacks; of each track `peaks`. */
export async function addPeaks(data) {
  if (data.peaks.length) return;
  data.peaks = await peaksOf(data.recording, data.seconds);
  for (const track of data.tracks) track.peaks = await peaksOf(track.url, data.seconds);
}
