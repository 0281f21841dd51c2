// Plays a recording and its speakers' tracks on one clock. The recording is the clock, silent while tracks are heard.

const JUMP = 0.25; // seconds a track may be off before it is set right at once
const DRIFT = 0.03; // and before it is played a little faster or slower
const NUDGE = 0.03;
const LEAD_IN = 0.15; // seconds before a turn at which skipping lands
const GAP = 0.6; // silences shorter than this are not skipped

export class Player extends EventTarget {
  /** `data` is a job's timeline: seconds, recording (URL), turns [start, end, speaker, …], tracks. */
  constructor(data) {
    super();
    this.seconds = data.seconds;
    this.voices = new Map();
    for (const [start, end, speaker] of data.turns) this.voice(speaker).turns.push([start, end]);
    for (const { speaker, url, spans } of data.tracks) Object.assign(this.voice(speaker), { url, spans });
    this.playing = false;
    this.skipping = false;
    this.rate = 1;
    this.clockVoice = null; // the speaker whose track is the clock, where the recording cannot be
    this.useClock(this.open(data.recording));
    this.clock.addEventListener("error", () => this.clockFailed());
  }

  voice(speaker) {
    if (!this.voices.has(speaker)) {
      this.voices.set(speaker, { speaker, turns: [], url: null, spans: [], audio: null, solo: false, muted: false });
    }
    return this.voices.get(speaker);
  }

  get time() {
    return this.clock.currentTime;
  }

  get everyone() {
    return [...this.voices.values()].every((voice) => !voice.solo && !voice.muted);
  }

  heard(voice) {
    const solo = [...this.voices.values()].some((other) => other.solo);
    return solo ? voice.solo : !voice.muted;
  }

  async play() {
    this.playing = true;
    if (this.time >= this.seconds - 0.05) this.seek(0);
    try {
      await this.clock.play();
      this.run();
    } catch (failure) {
      if (failure.name !== "AbortError") this.playing = false;
    }
    this.changed();
  }

  pause() {
    this.playing = false;
    this.clock.pause();
    this.sync();
    this.changed();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  seek(time) {
    this.clock.currentTime = Math.min(Math.max(time, 0), this.seconds);
    this.sync();
    this.changed();
  }

  setRate(rate) {
    this.rate = this.clock.playbackRate = rate;
  }

  solo(speaker) {
    const voice = this.voice(speaker);
    voice.solo = !voice.solo;
    this.sync();
    this.changed();
  }

  mute(speaker) {
    const voice = this.voice(speaker);
    voice.muted = !voice.muted;
    this.sync();
    this.changed();
  }

  only(speaker) {
    for (const voice of this.voices.values()) Object.assign(voice, { solo: voice.speaker === speaker, muted: false });
    this.sync();
    this.changed();
  }

  /** Start of the next turn that is heard, or of the one before; the end or the start where there is none. */
  turn(direction) {
    const starts = [...this.voices.values()].filter((v) => this.heard(v)).flatMap((v) => v.turns.map(([start]) => start));
    const past = direction > 0 ? starts.filter((s) => s > this.time + 0.2) : starts.filter((s) => s < this.time - 1);
    if (direction > 0) return past.length ? Math.min(...past) : this.seconds;
    return past.length ? Math.max(...past) : 0;
  }

  useClock(audio) {
    this.clock = audio;
    audio.playbackRate = this.rate;
    audio.addEventListener("timeupdate", () => document.hidden && this.step()); // no frames are drawn then
    audio.addEventListener("ended", () => this.pause());
  }

  run() {
    this.step();
    if (this.playing) requestAnimationFrame(() => this.run());
  }

  step() {
    this.sync();
    if (this.skipping && this.playing) this.skip();
    this.dispatchEvent(new Event("time"));
  }

  skip() {
    const now = this.time;
    const heard = [...this.voices.values()].filter((voice) => this.heard(voice));
    const speaking = heard.some(({ turns }) => turns.some(([start, end]) => start - LEAD_IN <= now && now < end + LEAD_IN));
    if (speaking || this.clock.seeking) return;
    const next = this.turn(1) - LEAD_IN;
    if (next - now > GAP) this.seek(next);
  }

  sync() {
    const now = this.time;
    for (const voice of this.voices.values()) if (voice !== this.clockVoice) this.follow(voice, now);
    this.clock.muted = this.clockVoice ? !this.heard(this.clockVoice) : !this.recordingHeard(now);
  }

  /** With a track missing (who spoke when was all that was asked for) the recording is heard in that speaker's turns. */
  recordingHeard(now) {
    if (this.everyone) return true;
    return [...this.voices.values()].some(
      (voice) => !voice.url && this.heard(voice) && voice.turns.some(([start, end]) => start <= now && now < end),
    );
  }

  follow(voice, now) {
    const target = position(voice, now);
    const wanted = this.playing && voice.url && target !== null && this.heard(voice) && (!this.everyone || this.clockVoice);
    if (!wanted) {
      voice.audio?.pause();
      return;
    }
    voice.audio ??= this.open(voice.url);
    if (voice.audio.seeking) return;
    const off = voice.audio.currentTime - target;
    if (Math.abs(off) > JUMP * this.rate) voice.audio.currentTime = target;
    voice.audio.playbackRate = this.rate * (Math.abs(off) > DRIFT ? 1 - Math.sign(off) * NUDGE : 1);
    if (voice.audio.paused) voice.audio.play().catch(() => {}); // overtaken by a pause
  }

  open(url) {
    const audio = new Audio(url);
    audio.preload = "metadata";
    let renewed = 0;
    audio.addEventListener("error", () => {
      if (!(audio.readyState || renewed) || performance.now() - renewed < 10_000) return;
      renewed = performance.now(); // it played before, so its signed address has run out: ours makes a new one
      const at = audio.currentTime;
      audio.src = url;
      audio.currentTime = at;
      if (this.playing) audio.play().catch(() => {});
    });
    return audio;
  }

  /** Not every recording plays in a browser; the tracks do, so the first of them becomes the clock. */
  clockFailed() {
    if (this.clockVoice || this.clock.readyState) return;
    const voice = [...this.voices.values()].find(({ url, spans }) => url && !spans.length);
    if (voice) {
      this.clockVoice = voice;
      voice.audio = this.open(voice.url);
      this.useClock(voice.audio);
    }
    this.dispatchEvent(new Event(voice ? "reclocked" : "unplayable"));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("time"));
  }
}

/** Where a moment of the recording lies in a track; null where a compact track leaves it out. */
function position({ spans }, now) {
  if (!spans.length) return now;
  const span = spans.find(([, source, seconds]) => source <= now && now < source + seconds);
  return span ? span[0] + now - span[1] : null;
}
