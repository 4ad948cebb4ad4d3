// @ts-check
// Live by Media Source Extensions: fragments of MP4 over a WebSocket into the video
// element. Keeps at the live edge, keeps the buffer short, and goes on over a new
// generation (other codec, restarted source, new connection) without going dark.

import { begins, timescales } from "./mp4.js";
import { codecIn } from "./notes.js";

/**
 * What a way of showing the picture tells its player.
 * @typedef {object} Told
 * @property {() => void} picture a picture is on the screen
 * @property {(reason: string) => void} stalled no picture just now; it is being mended
 * @property {(reason: string) => void} offline the camera itself does not answer
 * @property {(reason: string, more?: {fix?: string, code?: string}) => void} failed this way does not work just now
 * @property {(reason: string) => void} cannot this way will not work for this stream in this browser
 * @property {(ms: number) => void} underway it is connected; the picture comes in this time
 * @property {(seconds: number) => void} delay behind the newest picture that the hub has
 * @property {(has: boolean, why: string, form?: string) => void} sound whether there is any, and if not, why; form: "copy", or what was converted
 * @property {(width: number, height: number) => void} size of the picture
 */

const Source = globalThis.MediaSource ?? /** @type {any} */ (globalThis).ManagedMediaSource;

// Seconds between tries to connect.
const waits = [0.3, 0.7, 1.5, 3, 6, 10, 15];
// Behind this far (s) nudging the speed takes too long: jump.
const jumpBehind = 2;
// The buffer to run on (s): as short as it can be, longer after each interruption.
const shortest = 0.35;
const longest = 2;
// What was played is kept this long (s), and thrown away in steps.
const keepPlayed = 8;
const trimFrom = 16;
// Bytes that may wait for the decoder.
const maxQueue = 16 << 20;
// Nothing for this long (ms) on an open connection: connect anew.
const silence = 6_000;
// A picture that stands this long (ms) with data ahead is pushed on.
const standstill = 2_000;

/** @typedef {{kind: "type", mime: string} | {kind: "init", bytes: ArrayBuffer} | {kind: "media", bytes: ArrayBuffer, first: boolean}} Item */

export class Mse {
  static id = "mse";
  static label = "MSE";
  /** @type {import("./screen.js").Surface} */
  static surface = "film";

  #video;
  #told;
  #url;
  /** @type {WebSocket | undefined} */
  #ws;
  /** @type {any} */
  #source;
  /** @type {SourceBuffer | undefined} */
  #buffer;
  #mime = "";
  /** @type {Item[]} */
  #queue = [];
  #queued = 0;
  /** @type {Map<number, number>} */
  #scales = new Map();
  /** What the next binary message is. @type {"init" | "first" | "media"} */
  #next = "init";
  #stopped = false;
  #offline = false;
  #tries = 0;
  #rebuilt = 0;
  #heard = 0;
  #target = shortest;
  /** Newest end of the buffer minus the clock (s): extrapolates the live edge. @type {number | undefined} */
  #edge;
  #moved = { at: 0, time: -1 };
  #pictured = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  #events = new AbortController();

  static supported() {
    return typeof Source === "function" && typeof WebSocket === "function";
  }

  /**
   * @param {{video: HTMLVideoElement, camera: string, stream: string, small: boolean, told: Told}} o
   */
  constructor({ video, camera, stream, small, told }) {
    this.#video = video;
    this.#told = told;
    const at = new URL(`/api/v1/ws?camera=${encodeURIComponent(camera)}&stream=${encodeURIComponent(stream)}${form(small)}`, location.href);
    at.protocol = at.protocol === "https:" ? "wss:" : "ws:";
    this.#url = at.href;
  }

  start() {
    const { signal } = this.#events;
    const v = this.#video;
    v.addEventListener("error", () => this.#broken(v.error?.message || "the browser could not decode it"), { signal });
    v.addEventListener("waiting", () => this.#waited(), { signal });
    this.#ticking = setInterval(() => this.#tick(), 200);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    this.#events.abort();
    clearInterval(this.#ticking);
    clearTimeout(this.#again);
    this.#drop();
    this.#detach();
  }

  // --- the connection ---

  #connect() {
    if (this.#stopped) return;
    const ws = new WebSocket(this.#url);
    ws.binaryType = "arraybuffer";
    this.#ws = ws;
    this.#next = "init";
    this.#heard = performance.now();
    ws.onopen = () => {
      if (ws === this.#ws) this.#offline = false; // where it still is, the hub says so before all else
    };
    ws.onmessage = (e) => {
      if (ws !== this.#ws) return;
      this.#heard = performance.now();
      if (typeof e.data === "string") this.#said(e.data);
      else this.#media(e.data);
    };
    ws.onclose = (e) => {
      if (ws !== this.#ws) return;
      this.#ws = undefined;
      this.#lost(e.reason);
    };
  }

  #drop() {
    const ws = this.#ws;
    this.#ws = undefined;
    if (!ws) return;
    ws.onopen = ws.onmessage = ws.onclose = ws.onerror = null;
    ws.close();
  }

  /** @param {string} reason */
  #lost(reason) {
    if (this.#stopped) return;
    this.#tries++;
    if (this.#tries >= 3 && !this.#pictured) {
      this.#told.failed(reason || "no connection for live pictures");
      return;
    }
    if (!this.#offline) this.#told.stalled(reason || "the connection was lost");
    const wait = waits[Math.min(this.#tries - 1, waits.length - 1)] * (0.8 + Math.random() * 0.4);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#connect(), wait * 1000);
  }

  /** @param {string} text */
  #said(text) {
    /** @type {{type?: string, mime?: string, codecs?: string, reason?: string, sound?: boolean, sound_why?: string, rendition?: string}} */
    let m;
    try {
      m = JSON.parse(text);
    } catch {
      return; // not ours
    }
    if (m.type === "offline") {
      this.#offline = true;
      this.#edge = undefined; // the film has no hole where nothing came: the clock went on alone
      this.#told.offline(m.reason || "the camera does not answer");
    } else if (m.type === "live") {
      this.#offline = false;
      this.#edge = undefined;
    } else if (m.type === "cannot") {
      this.#told.cannot(m.reason || "the hub has no live video of it");
    } else if (m.type === "init") {
      this.#told.sound(m.sound === true, m.sound_why || "the camera sends no sound that this way carries", m.rendition);
      // An offline camera's last pictures come with one too; "live" says that it is back.
      this.#generation(m.mime ?? m.codecs ?? "");
    }
  }

  // --- generations and the buffer ---

  /** @param {string} mime */
  #generation(mime) {
    if (!Source.isTypeSupported(mime)) {
      this.#told.cannot(`this browser does not play ${codecIn(mime)}`);
      return;
    }
    this.#next = "init";
    this.#edge = undefined;
    if (this.#source && this.#buffer) {
      this.#push({ kind: "type", mime });
      return;
    }
    this.#mime = mime;
    this.#attach();
  }

  #attach() {
    const source = new Source();
    this.#source = source;
    source.addEventListener(
      "sourceopen",
      () => {
        if (source !== this.#source) return;
        URL.revokeObjectURL(this.#video.src);
        const buffer = /** @type {SourceBuffer} */ (source.addSourceBuffer(this.#mime));
        buffer.addEventListener("updateend", () => this.#work());
        this.#buffer = buffer;
        this.#work();
      },
      { once: true },
    );
    this.#video.src = URL.createObjectURL(source);
    this.#play();
  }

  #detach() {
    this.#source = undefined;
    this.#buffer = undefined;
    this.#queue = [];
    this.#queued = 0;
    const v = this.#video;
    if (v.src) {
      v.removeAttribute("src");
      v.load();
    }
  }

  /** @param {ArrayBuffer} bytes */
  #media(bytes) {
    if (this.#next === "init") {
      this.#next = "first";
      this.#push({ kind: "init", bytes });
      return;
    }
    this.#push({ kind: "media", bytes, first: this.#next === "first" });
    this.#next = "media";
  }

  /** @param {Item} item */
  #push(item) {
    this.#queue.push(item);
    if (item.kind !== "type") this.#queued += item.bytes.byteLength;
    if (this.#queued > maxQueue) {
      this.#broken("this device does not decode fast enough");
      return;
    }
    this.#work();
  }

  /** Appends what waits, one at a time: a buffer that is updating takes nothing. */
  #work() {
    const buffer = this.#buffer;
    if (!buffer || this.#source?.readyState !== "open") return;
    this.#noteEdge();
    while (!buffer.updating) {
      if (this.#trim(buffer)) return;
      const item = this.#queue.shift();
      if (!item) return;
      if (item.kind === "type") {
        if (item.mime !== this.#mime && !this.#change(buffer, item.mime)) return;
        continue;
      }
      this.#queued -= item.bytes.byteLength;
      if (item.kind === "init") this.#scales = timescales(item.bytes);
      else if (item.first) this.#join(buffer, item.bytes);
      try {
        buffer.appendBuffer(item.bytes);
      } catch (err) {
        this.#refused(err, item);
        return;
      }
    }
  }

  /**
   * @param {unknown} err
   * @param {Item} item
   */
  #refused(err, item) {
    if (err instanceof DOMException && err.name === "QuotaExceededError") {
      const played = this.#video.currentTime - 1;
      if (this.#buffer && !this.#buffer.updating && this.#buffer.buffered.length > 0 && this.#buffer.buffered.start(0) < played) {
        this.#queue.unshift(item);
        if (item.kind !== "type") this.#queued += item.bytes.byteLength;
        this.#buffer.remove(0, played);
        return;
      }
    }
    this.#broken(err instanceof Error ? err.message : "the buffer refused a fragment");
  }

  /**
   * @param {SourceBuffer} buffer
   * @param {string} mime
   * @returns {boolean} whether the buffer goes on
   */
  #change(buffer, mime) {
    this.#mime = mime;
    if (buffer.changeType) {
      buffer.changeType(mime);
      return true;
    }
    const rest = this.#queue;
    this.#detach();
    this.#queue = rest;
    this.#attach();
    return false;
  }

  /**
   * A new generation's clock may start anywhere: put it where the last one ended.
   * @param {SourceBuffer} buffer
   * @param {ArrayBuffer} fragment
   */
  #join(buffer, fragment) {
    const start = begins(fragment, this.#scales);
    const { buffered } = buffer;
    if (start === undefined) return;
    if (buffered.length === 0) {
      buffer.timestampOffset = 0;
      return;
    }
    const end = buffered.end(buffered.length - 1);
    if (start < end - 0.05 || start > end + 1) buffer.timestampOffset = end - start;
    else buffer.timestampOffset = 0;
  }

  /** @param {SourceBuffer} buffer */
  #trim(buffer) {
    const { buffered } = buffer;
    const now = this.#video.currentTime;
    if (buffered.length === 0 || now - buffered.start(0) < trimFrom) return false;
    buffer.remove(0, now - keepPlayed);
    return true;
  }

  /** @param {string} reason */
  #broken(reason) {
    if (this.#stopped) return;
    this.#drop();
    this.#detach();
    this.#rebuilt++;
    if (this.#rebuilt > 3 || (!this.#pictured && this.#rebuilt > 1)) {
      this.#told.failed(reason);
      return;
    }
    this.#tries = 0;
    this.#lost(reason);
  }

  // --- at the live edge ---

  #noteEdge() {
    const b = this.#video.buffered;
    if (b.length === 0) return;
    const seen = b.end(b.length - 1) - performance.now() / 1000;
    // The highest of late counts; it sinks slowly, for a camera's clock is not ours.
    this.#edge = Math.max(seen, (this.#edge ?? seen) - 0.002);
  }

  #play() {
    this.#video.play().catch((err) => {
      if (err?.name === "NotAllowedError") this.#told.stalled("tap");
    });
  }

  #waited() {
    if (this.#pictured) this.#target = Math.min(longest, this.#target + 0.15);
  }

  #tick() {
    const v = this.#video;
    const now = performance.now();
    if (this.#ws && !this.#offline && this.#ws.readyState === WebSocket.OPEN && now - this.#heard > silence) {
      this.#drop();
      this.#lost("nothing came for some seconds");
    }
    if (v.buffered.length === 0) return;
    if (v.paused && v.readyState >= 2) this.#play();
    const end = v.buffered.end(v.buffered.length - 1);
    this.#chase(v, end, now);
    if (v.currentTime !== this.#moved.time) {
      if (this.#moved.time >= 0 && v.readyState >= 2) this.#showed();
      this.#moved = { at: now, time: v.currentTime };
    } else if (end - v.currentTime > 0.5 && now - this.#moved.at > standstill && document.visibilityState === "visible") {
      this.#moved.at = now;
      v.currentTime = Math.max(v.buffered.start(v.buffered.length - 1), end - this.#target);
    }
    if (this.#edge !== undefined && this.#pictured) this.#told.delay(Math.max(0, now / 1000 + this.#edge - v.currentTime));
  }

  #showed() {
    this.#tries = 0;
    if (now() - this.#heard < 3_000 && !this.#offline) {
      this.#pictured = true;
      this.#rebuilt = 0;
      this.#told.picture();
    }
  }

  /**
   * @param {HTMLVideoElement} v
   * @param {number} end
   * @param {number} at
   */
  #chase(v, end, at) {
    const last = v.buffered.length - 1;
    const ahead = end - v.currentTime;
    const outside = v.currentTime < v.buffered.start(last) - 0.05; // before a gap, or at the very start
    if (outside || ahead > this.#target + jumpBehind || (!this.#pictured && ahead > this.#target + 0.6)) {
      v.currentTime = Math.max(v.buffered.start(last), end - this.#target);
      return;
    }
    // A longer buffer that was needed once is given back in about a minute.
    if (at - this.#moved.at < 1_000) this.#target = Math.max(shortest, this.#target - 0.0005);
    const rate = ahead > this.#target + 0.25 ? 1.08 : ahead < this.#target * 0.4 ? 0.96 : 1;
    if (v.playbackRate !== rate && !(rate === 1 && v.playbackRate > 1 && ahead > this.#target + 0.08)) v.playbackRate = rate;
  }
}

function now() {
  return performance.now();
}

/**
 * What is asked for: no sound for a small picture, Opus where the browser plays it, and
 * H.264 where it does not play H.265.
 * @param {boolean} small
 */
function form(small) {
  const sound = small ? "&sound=none" : Source.isTypeSupported('audio/mp4; codecs="opus"') ? "&sound=opus" : "";
  return sound + (Source.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"') ? "" : "&video=h264");
}
