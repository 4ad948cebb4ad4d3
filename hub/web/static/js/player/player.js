// @ts-check
// The live picture of one camera. It takes the best way that works (MSE, then MJPEG,
// then single pictures), says which and how far behind it is, comes down when one fails
// and goes up again when it can. It never leaves a person before a spinner: after a few
// seconds without a picture it says why and what happens next.

import { h, icon, ago } from "../dom.js";
import { Mjpeg } from "./mjpeg.js";
import { Mse } from "./mse.js";
import { Snapshots } from "./snapshots.js";

const ways = [Mse, Mjpeg, Snapshots];
// A way that shows nothing in this time (ms) gives place to the next.
const firstPicture = [7_000, 6_000, 10_000];
// How often (ms) a better way is tried again from a lesser one.
const climb = 30_000;
// A hidden tab stops its picture after this long (ms).
const hiddenFor = 20_000;

/** @typedef {"starting" | "live" | "stalled" | "offline" | "failed" | "paused"} State */

export class Player {
  #root;
  #video;
  #canvas;
  #camera;
  #name;
  #stream;
  /** @type {State} */
  #state = "starting";
  /** @type {{stop: () => void} | undefined} */
  #way;
  #level = 0;
  /** @type {{way: {stop: () => void}, level: number} | undefined} a better way on trial */
  #trial;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #climbing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hiding;
  #asleep = false;
  #paused = false;
  #ended = new AbortController();
  /** @type {Date | undefined} */
  #seen;
  #reason = "";

  /**
   * @param {HTMLElement} root with data-camera
   * @param {EventTarget} [feed] tells of the camera's return
   */
  constructor(root, feed) {
    this.#root = root;
    this.#camera = root.dataset.camera ?? "";
    this.#name = root.dataset.name ?? this.#camera;
    this.#stream = root.dataset.stream ?? "main";
    this.#video = /** @type {HTMLVideoElement} */ (h("video", { muted: true, playsinline: true, tabindex: "-1", "aria-label": `Live picture of ${this.#name}` }));
    this.#canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": `Picture of ${this.#name}`, hidden: true }));
    this.#video.muted = true;
    root.querySelector(".player-poster")?.after(this.#video, this.#canvas);
    this.#poster();
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });
    addEventListener("online", () => this.#retry(), { signal });
    root.querySelector("[data-pause]")?.addEventListener("click", () => this.#togglePause(), { signal });
    feed?.addEventListener("feed", (e) => this.#told(/** @type {CustomEvent} */ (e).detail), { signal });
    if (document.visibilityState === "hidden") this.#asleep = true;
    else this.#begin(this.#best(0));
  }

  stop() {
    this.#ended.abort();
    this.#halt();
  }

  /** @param {number} from */
  #best(from) {
    for (let i = from; i < ways.length; i++) if (ways[i].supported()) return i;
    return ways.length - 1;
  }

  /** @param {number} level */
  #begin(level) {
    this.#halt();
    this.#level = level;
    this.#set("starting", "");
    this.#way = this.#make(level);
    this.#waitFor(level);
  }

  /**
   * @param {number} level
   * @returns {{stop: () => void}}
   */
  #make(level) {
    const mine = () => (this.#trial?.level === level ? this.#trial.way === way : this.#way === way);
    /** @type {any} */
    let way;
    /** @type {import("./mse.js").Told} */
    const told = {
      picture: () => mine() && this.#picture(level),
      stalled: (reason) => mine() && !this.#onTrial(level) && this.#stalled(reason),
      offline: (reason) => mine() && !this.#onTrial(level) && this.#offline(reason),
      failed: (reason) => mine() && this.#failed(level, reason),
      delay: (s) => mine() && !this.#onTrial(level) && this.#delay(s),
    };
    const o = { video: this.#video, canvas: this.#canvas, camera: this.#camera, stream: this.#stream, told };
    way = new ways[level](o);
    queueMicrotask(() => way.start());
    return way;
  }

  /** @param {number} level */
  #onTrial(level) {
    return this.#trial?.level === level;
  }

  #halt() {
    clearTimeout(this.#patience);
    clearTimeout(this.#climbing);
    this.#trial?.way.stop();
    this.#trial = undefined;
    this.#way?.stop();
    this.#way = undefined;
  }

  /** @param {number} level */
  #waitFor(level) {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (this.#state === "starting" || this.#state === "stalled") this.#failed(level, this.#reason || "no picture came");
    }, firstPicture[level]);
  }

  // --- what the ways tell ---

  /** @param {number} level */
  #picture(level) {
    if (this.#onTrial(level)) {
      const trial = this.#trial;
      this.#trial = undefined;
      this.#way?.stop();
      this.#way = trial?.way;
      this.#level = level;
    }
    this.#seen = new Date();
    if (this.#state === "live" && this.#root.dataset.mode === ways[level].id) return;
    clearTimeout(this.#patience);
    this.#root.dataset.mode = ways[level].id;
    this.#video.hidden = level !== 0;
    this.#canvas.hidden = level === 0;
    this.#set("live", "");
    this.#badge(ways[level].label);
    this.#planClimb();
  }

  /** @param {string} reason */
  #stalled(reason) {
    this.#set("stalled", reason);
    if (reason !== "tap") this.#waitFor(this.#level);
  }

  /** @param {string} reason */
  #offline(reason) {
    clearTimeout(this.#patience);
    this.#set("offline", reason);
  }

  /**
   * @param {number} level
   * @param {string} reason
   */
  #failed(level, reason) {
    if (this.#onTrial(level)) {
      this.#trial?.way.stop();
      this.#trial = undefined;
      this.#planClimb();
      return;
    }
    const next = this.#best(level + 1);
    if (level < ways.length - 1 && next > level) {
      this.#reason = reason;
      this.#begin(next);
      return;
    }
    // The last way keeps trying by itself.
    this.#set("failed", reason);
    this.#planClimb();
  }

  #planClimb() {
    clearTimeout(this.#climbing);
    if (this.#level === 0) return;
    this.#climbing = setTimeout(() => this.#climb(), climb);
  }

  #climb() {
    const better = this.#best(0);
    if (better >= this.#level || this.#trial) return;
    const way = this.#make(better);
    this.#trial = { way, level: better };
    setTimeout(() => {
      if (this.#trial?.way === way) this.#failed(better, "no picture came");
    }, firstPicture[better]);
  }

  /**
   * The hub's word on cameras: one that came back is tried at once.
   * @param {{name: string, data: any}} m
   */
  #told(m) {
    if (m.name !== "cameras" && m.name !== "hello") return;
    const camera = m.data.cameras?.find((/** @type {any} */ c) => c.id === this.#camera);
    if (camera?.online && (this.#state === "failed" || (this.#state === "offline" && this.#level > 0))) this.#retry();
  }

  #retry() {
    if (this.#asleep || this.#paused) return;
    if (this.#state === "live" && this.#level === this.#best(0)) return;
    this.#begin(this.#best(0));
  }

  #visibility() {
    clearTimeout(this.#hiding);
    if (document.visibilityState === "hidden") {
      this.#hiding = setTimeout(() => {
        this.#asleep = true;
        this.#halt();
      }, hiddenFor);
      return;
    }
    if (!this.#asleep) return;
    this.#asleep = false;
    if (!this.#paused) this.#begin(this.#best(0));
  }

  #togglePause() {
    this.#paused = !this.#paused;
    const button = this.#root.querySelector("[data-pause]");
    button?.setAttribute("aria-pressed", String(this.#paused));
    button?.setAttribute("aria-label", this.#paused ? "Go on with the live picture" : "Pause the live picture");
    button?.replaceChildren(icon(this.#paused ? "play" : "pause"));
    if (!this.#paused) {
      this.#begin(this.#best(0));
      return;
    }
    this.#freeze();
    this.#halt();
    this.#set("paused", "");
  }

  /** Keeps the last picture of the video where the video itself goes away. */
  #freeze() {
    const v = this.#video;
    if (v.hidden || !v.videoWidth) return;
    this.#canvas.width = v.videoWidth;
    this.#canvas.height = v.videoHeight;
    this.#canvas.getContext("2d")?.drawImage(v, 0, 0);
    this.#canvas.hidden = false;
    v.hidden = true;
  }

  // --- what the person sees ---

  #poster() {
    const img = /** @type {HTMLImageElement | null} */ (this.#root.querySelector(".player-poster"));
    if (!img) return;
    const gone = () => (img.hidden = true);
    if (img.complete && img.naturalWidth === 0) gone();
    else img.addEventListener("error", gone, { once: true });
  }

  /**
   * @param {State} state
   * @param {string} reason
   */
  #set(state, reason) {
    if (reason) this.#reason = reason;
    if (this.#state === state && this.#root.dataset.reason === reason) return;
    this.#state = state;
    this.#root.dataset.state = state;
    this.#root.dataset.reason = reason;
    const note = /** @type {HTMLElement | null} */ (this.#root.querySelector("[data-note]"));
    if (state === "starting") this.#badge("Connecting");
    else if (state !== "live") this.#badge({ stalled: "Reconnecting", offline: "Offline", failed: "No picture", paused: "Paused" }[state]);
    if (!note) return;
    const words = this.#words(state, reason);
    note.hidden = words === undefined;
    if (words) note.replaceChildren(icon(words.icon), h("strong", {}, words.title), h("span", {}, words.text));
  }

  /**
   * @param {State} state
   * @param {string} reason
   * @returns {{icon: string, title: string, text: string} | undefined}
   */
  #words(state, reason) {
    const seen = this.#seen ? ` Last picture ${ago(this.#seen)}.` : "";
    const why = reason ? sentence(reason) : "";
    switch (state) {
      case "stalled":
        if (reason === "tap") return { icon: "play", title: "Press pause and play to begin", text: "This browser waits for a touch before it shows video." };
        return { icon: "refresh", title: "Reconnecting", text: why };
      case "offline":
        return { icon: "camera-off", title: `${this.#name} is offline`, text: `${why}${seen} It comes back by itself.` };
      case "failed":
        return { icon: "camera-off", title: "No picture yet", text: `${why}${seen} Trying again.` };
    }
    return undefined;
  }

  /** @param {string} text */
  #badge(text) {
    const badge = this.#root.querySelector("[data-badge]");
    if (badge && badge.textContent !== text) badge.textContent = text;
  }

  /** @param {number} seconds */
  #delay(seconds) {
    if (this.#state !== "live") return;
    this.#badge(`${ways[this.#level].label} · ${seconds.toFixed(1)} s`);
  }
}

/** @param {string} text */
function sentence(text) {
  const s = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(s) ? s : `${s}.`;
}
