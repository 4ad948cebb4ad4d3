// @ts-check
// The live picture of one camera. It takes the best way that works (MSE of the streams
// that it is told, then MJPEG, then single pictures), says which and how far behind it
// is, comes down when one fails and goes up again when it can. It never leaves a person
// before a spinner: after a few seconds without a picture it says why and what to do.

import { h, icon } from "../dom.js";
import { Mjpeg } from "./mjpeg.js";
import { Mse } from "./mse.js";
import { bare, drawn, meaning, note } from "./notes.js";
import { Snapshots } from "./snapshots.js";

/** @typedef {import("./notes.js").State} State */
/** @typedef {import("./notes.js").Why} Why */
/** @typedef {typeof Mse | typeof Mjpeg | typeof Snapshots} Way */
/** @typedef {{way: Way, stream: string, wait: number}} Rung a way, and how long (ms) it may show nothing */
/** @typedef {{stop: () => void}} Running */

// How often (ms) a better way is tried again from a lesser one.
const climb = 30_000;
// A hidden tab, or a small picture out of sight, stops after this long (ms).
const hiddenFor = 20_000;
// A source that only sleeps until somebody looks is there in this time (ms); only then
// is it called offline.
const wakesWithin = 5_000;
// A stream that this browser could not show is not tried again for this long (ms).
const cannotFor = 300_000;

export class Player {
  #root;
  #video;
  #canvas;
  #camera;
  #name;
  #small;
  /** @type {Rung[]} */
  #ladder;
  /** @type {State} */
  #state = "starting";
  /** @type {Running | undefined} */
  #way;
  #level = 0;
  /** @type {{way: Running, level: number} | undefined} a better way on trial */
  #trial;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #climbing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hiding;
  #asleep = false; // nobody can see it
  #inSight = true;
  #paused = false;
  #ended = new AbortController();
  /** @type {Date | undefined} */
  #seen;
  #pictured = false; // since the ladder was begun
  /** @type {Why} what is wrong just now, as the ways say */
  #why = {};
  /** @type {Why} and as the hub says */
  #known;
  #first = "live"; // state of the source of the best rung, as the hub said last
  /** @type {Map<number, {reason: string, at: number}>} rungs that this browser cannot take */
  #cannot = new Map();

  /**
   * @param {HTMLElement} root with data-camera
   * @param {EventTarget} [feed] tells of the camera's return
   */
  constructor(root, feed) {
    this.#root = root;
    const d = root.dataset;
    this.#camera = d.camera ?? "";
    this.#name = d.name ?? this.#camera;
    this.#small = d.small !== undefined;
    this.#known = { reason: d.why, fix: d.fix, code: d.code };
    this.#ladder = ladder((d.play ?? "main").split(" "), this.#small);
    this.#video = /** @type {HTMLVideoElement} */ (h("video", { muted: true, playsinline: true, tabindex: "-1", "aria-label": `Live picture of ${this.#name}` }));
    this.#canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": `Picture of ${this.#name}`, hidden: true }));
    this.#video.muted = true;
    (root.querySelector(".player-poster") ?? root.querySelector(".player-scene"))?.after(this.#video, this.#canvas);
    if (!this.#video.isConnected) root.prepend(this.#video, this.#canvas);
    this.#poster();
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });
    addEventListener("online", () => this.#retry(), { signal });
    root.querySelector("[data-pause]")?.addEventListener("click", () => this.#togglePause(), { signal });
    this.#video.addEventListener("resize", () => this.#shape(this.#video.videoWidth, this.#video.videoHeight), { signal });
    feed?.addEventListener("feed", (e) => this.#told(/** @type {CustomEvent} */ (e).detail), { signal });
    if (d.hold !== undefined) this.#fallAsleep();
    else if (document.visibilityState === "hidden") this.#asleep = true;
    else this.#start();
  }

  stop() {
    this.#ended.abort();
    clearTimeout(this.#hiding);
    this.#halt();
  }

  /**
   * Whether the picture is where a person can see it.
   * @param {boolean} yes
   */
  inSight(yes) {
    this.#inSight = yes;
    this.#visibility();
  }

  // --- up and down the ladder ---

  /** Begins with the best rung. */
  #start() {
    this.#pictured = false;
    this.#begin(this.#best(0));
  }

  /** @param {number} from */
  #best(from) {
    const now = Date.now();
    for (const [level, { at }] of this.#cannot) if (now - at > cannotFor) this.#cannot.delete(level);
    for (let i = from; i < this.#ladder.length; i++) if (!this.#cannot.has(i)) return i;
    return this.#ladder.length - 1;
  }

  /** @param {number} level */
  #begin(level) {
    this.#halt();
    this.#level = level;
    // What is known to be wrong stays to be read while the next way is tried.
    if (this.#state !== "failed" && this.#state !== "offline") this.#set("starting");
    this.#way = this.#make(level);
    this.#waitFor(level);
  }

  /**
   * @param {number} level
   * @returns {Running}
   */
  #make(level) {
    /** @type {any} */
    let way;
    const onTrial = () => this.#trial?.way === way;
    const current = () => this.#way === way && !onTrial();
    /** @type {import("./mse.js").Told} */
    const told = {
      picture: () => (current() || onTrial()) && this.#picture(level),
      stalled: (reason) => current() && this.#stalled(reason),
      offline: (reason) => current() && this.#offline(reason),
      failed: (reason, more) => (current() || onTrial()) && this.#failed(level, { reason, ...more }),
      cannot: (reason) => (current() || onTrial()) && this.#unable(level, reason),
      delay: (s) => current() && this.#delay(s),
      size: (width, height) => current() && this.#shape(width, height),
    };
    const { way: Kind, stream } = this.#ladder[level];
    way = new Kind({ video: this.#video, canvas: this.#canvas, camera: this.#camera, stream, small: this.#small, told });
    queueMicrotask(() => way.start());
    return way;
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
      if (this.#state !== "live" && this.#state !== "paused") this.#failed(level, { reason: this.#why.reason || "no picture came", fix: this.#why.fix });
    }, this.#ladder[level].wait);
  }

  // --- what the ways tell ---

  /** @param {number} level */
  #picture(level) {
    if (this.#trial?.level === level) {
      const trial = this.#trial;
      this.#trial = undefined;
      this.#way?.stop();
      this.#way = trial.way;
      this.#level = level;
    }
    const { way, stream } = this.#ladder[level];
    this.#seen = new Date();
    this.#pictured = true;
    const mode = `${way.id} ${stream}`;
    if (this.#state === "live" && this.#root.dataset.mode === mode) return;
    clearTimeout(this.#patience);
    this.#root.dataset.mode = mode;
    this.#video.hidden = way !== Mse;
    this.#canvas.hidden = way === Mse;
    this.#why = {};
    this.#set("live");
    this.#badge(this.#label());
    this.#planClimb();
  }

  /** @param {string} reason */
  #stalled(reason) {
    this.#why = { reason };
    this.#set("stalled");
    if (reason !== "tap") this.#waitFor(this.#level);
  }

  /** @param {string} reason */
  #offline(reason) {
    clearTimeout(this.#patience);
    if (this.#root.dataset.hold !== undefined && this.#pictured) {
      this.#fallAsleep();
      return;
    }
    const say = () => {
      this.#why = { reason };
      const next = this.#best(this.#level + 1);
      // Another stream of the camera may be there; single pictures would only be old ones.
      if (next > this.#level && this.#ladder[next].way === Mse) this.#begin(next);
      else this.#set("offline");
    };
    if (this.#pictured || this.#known.reason) say();
    else this.#patience = setTimeout(say, wakesWithin);
  }

  /**
   * @param {number} level
   * @param {Why} why
   */
  #failed(level, why) {
    if (this.#trial?.level === level) {
      this.#trial.way.stop();
      this.#trial = undefined;
      this.#planClimb();
      return;
    }
    this.#why = why;
    const next = this.#best(level + 1);
    if (next > level) {
      this.#begin(next);
      return;
    }
    // The last way keeps trying by itself.
    this.#set("failed");
    this.#planClimb();
  }

  /**
   * @param {number} level
   * @param {string} reason
   */
  #unable(level, reason) {
    this.#cannot.set(level, { reason, at: Date.now() });
    this.#failed(level, {});
  }

  #planClimb() {
    clearTimeout(this.#climbing);
    // Two ways by the same video element cannot be on at once: the hub's word on the
    // source, not a trial, leads from one stream back to the other.
    if (this.#level === this.#best(0) || (this.#state === "live" && this.#ladder[this.#level].way === Mse)) return;
    this.#climbing = setTimeout(() => this.#climb(), climb);
  }

  #climb() {
    const better = this.#best(0);
    if (better >= this.#level || this.#trial) return;
    const way = this.#make(better);
    this.#trial = { way, level: better };
    setTimeout(() => {
      if (this.#trial?.way === way) this.#failed(better, {});
    }, this.#ladder[better].wait);
  }

  /**
   * The hub's word on cameras: one that came back is tried at once.
   * @param {{name: string, data: any}} m
   */
  #told(m) {
    if (m.name !== "cameras" && m.name !== "hello") return;
    const camera = m.data.cameras?.find((/** @type {any} */ c) => c.id === this.#camera);
    /** @type {any[]} */
    const sources = camera?.sources ?? [];
    const isIll = (/** @type {any} */ s) => s.state === "waiting" || s.state === "locked";
    const ill = camera?.online ? undefined : sources.find(isIll);
    if (!camera) this.#known = { reason: "it is no longer in the config" };
    else if (ill) this.#learn(ill);
    else if (camera.online) this.#known = {};
    else if (!this.#known.code) this.#known = { reason: bare(camera.offline_reason || "") || undefined };
    if (this.#state === "offline" || this.#state === "failed") this.#set(this.#state);
    const first = sources.find((s) => s.stream === this.#ladder[0].stream)?.state ?? "";
    const back = first === "live" && this.#first !== "live" && this.#state === "live" && this.#level !== this.#best(0);
    this.#first = first;
    if (camera?.online && (this.#state === "failed" || (this.#state === "offline" && this.#level > 0) || back)) this.#retry();
  }

  /** @param {{reason?: string, fix?: string, code?: string}} ill a source */
  async #learn({ reason, fix, code }) {
    if (code && code === this.#known.code) return;
    const known = { reason: bare(reason ?? ""), fix, code };
    this.#known = known;
    const words = code && (await meaning(code));
    if (!words || this.#known !== known) return;
    known.reason = words;
    if (this.#state === "offline" || this.#state === "failed") this.#set(this.#state);
  }

  #retry() {
    if (this.#asleep || this.#paused || this.#state === "asleep") return;
    if (this.#state === "live" && this.#level === this.#best(0)) return;
    this.#start();
  }

  // --- seen, or not ---

  #visibility() {
    clearTimeout(this.#hiding);
    if (document.visibilityState === "hidden" || !this.#inSight) {
      this.#hiding = setTimeout(() => {
        this.#asleep = true;
        this.#freeze();
        this.#halt();
      }, hiddenFor);
      return;
    }
    if (!this.#asleep) return;
    this.#asleep = false;
    if (!this.#paused && this.#state !== "asleep") this.#start();
  }

  /** A camera on a battery is woken by a person only. */
  #fallAsleep() {
    this.#freeze();
    this.#halt();
    this.#why = { reason: this.#root.dataset.hold };
    this.#set("asleep");
    const box = this.#root.querySelector("[data-note]");
    if (this.#small || !box || box.querySelector("button")) return;
    const wake = h("button", { class: "button button-primary", type: "button" }, icon("play"), "Look now");
    wake.addEventListener("click", () => {
      this.#set("starting");
      this.#start();
    });
    box.append(wake);
  }

  #togglePause() {
    this.#paused = !this.#paused;
    const button = this.#root.querySelector("[data-pause]");
    button?.setAttribute("aria-pressed", String(this.#paused));
    button?.setAttribute("aria-label", this.#paused ? "Go on with the live picture" : "Pause the live picture");
    button?.replaceChildren(icon(this.#paused ? "play" : "pause"));
    if (!this.#paused) {
      this.#set("starting");
      this.#start();
      return;
    }
    this.#freeze();
    this.#halt();
    this.#set("paused");
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
    if (img.complete && img.naturalWidth === 0 && img.loading !== "lazy") gone();
    else img.addEventListener("error", gone, { once: true });
  }

  /**
   * A large picture has the place that its own form needs.
   * @param {number} width
   * @param {number} height
   */
  #shape(width, height) {
    if (this.#small || !width || !height) return;
    const turned = this.#root.dataset.rotate === "90" || this.#root.dataset.rotate === "270";
    this.#root.style.setProperty("--ratio", turned ? `${height} / ${width}` : `${width} / ${height}`);
  }

  /** @param {State} state */
  #set(state) {
    this.#state = state;
    this.#root.dataset.state = state;
    if (state === "starting") this.#badge("Connecting");
    else if (state !== "live") this.#badge({ stalled: "Reconnecting", offline: "Offline", failed: "No picture", paused: "Paused", asleep: "Asleep" }[state]);
    const box = /** @type {HTMLElement | null} */ (this.#root.querySelector("[data-note]"));
    if (!box) return;
    // What the hub knows of the source says more than what came of it here.
    const known = (state === "offline" || state === "failed") && this.#known.reason !== undefined;
    const why = known ? this.#known : this.#why;
    const cannot = [...this.#cannot.values()].map((c) => c.reason);
    const words = note(known ? "offline" : state, { name: this.#name, small: this.#small, seen: this.#seen, why, cannot: [...new Set(cannot)] });
    box.hidden = words === undefined;
    const told = JSON.stringify(words);
    if (!words || box.dataset.told === told) return; // nothing to announce anew
    box.dataset.told = told;
    box.replaceChildren(...drawn(words, this.#small, this.#root.closest("dialog, [data-details]") ? undefined : `/cameras/${encodeURIComponent(this.#camera)}`));
  }

  #label() {
    const { way, stream } = this.#ladder[this.#level];
    return stream === "main" || this.#small ? way.label : `${way.label} ${stream}`;
  }

  /** @param {string} text */
  #badge(text) {
    const badge = this.#root.querySelector("[data-badge]");
    if (badge && badge.textContent !== text) badge.textContent = text;
  }

  /** @param {number} seconds */
  #delay(seconds) {
    if (this.#state !== "live") return;
    this.#badge(`${this.#label()} · ${seconds.toFixed(1)} s`);
  }
}

/**
 * The ways that this browser has, best first. A small picture takes no MJPEG: a browser
 * opens few connections to one host, and a stream of pictures keeps its own for good.
 * @param {string[]} streams
 * @param {boolean} small
 * @returns {Rung[]}
 */
function ladder(streams, small) {
  /** @type {Rung[]} */
  const all = streams.map((stream) => ({ way: Mse, stream, wait: 8_000 }));
  if (!small) all.push({ way: Mjpeg, stream: "main", wait: 6_000 });
  all.push({ way: Snapshots, stream: "main", wait: 10_000 });
  const here = all.filter((rung) => rung.way.supported());
  return here.length > 0 ? here : all.slice(-1);
}
