// @ts-check
// The live picture of one camera. It takes the best way that works (WebRTC, MSE of the
// streams that it is told, then MJPEG, then single pictures), says which and how far behind
// it is, comes down when one fails and goes up again when it can, without a break: a better
// way is tried beside the one that shows. It never leaves a person before a spinner: after
// a few seconds without a picture it says why and what to do.

import { h, icon } from "../dom.js";
import { Controls } from "./controls.js";
import { ladder, webrtc } from "./ladder.js";
import { bare, drawn, meaning, note, sentence } from "./notes.js";
import { Screen } from "./screen.js";
import { speaker } from "./speaker.js";
import { Whep } from "./whep.js";

/** @typedef {import("./notes.js").State} State */
/** @typedef {import("./notes.js").Why} Why */
/** @typedef {import("./ladder.js").Rung} Rung */
/** @typedef {{stop: () => void, speech?: () => import("./whep.js").Speech | undefined}} Running */

// How often (ms) a better way is tried again from a lesser one; WebRTC has a pace of its own.
const climb = 30_000;
// And how soon, where the camera and not the way was at fault.
const retries = 5_000;
// A hidden tab, or a small picture out of sight, stops after this long (ms).
const hiddenFor = 20_000;
// A source that only sleeps until somebody looks is there in this time (ms); only then
// is it called offline.
const wakesWithin = 5_000;
// A stream that this browser could not show is not tried again for this long (ms).
const cannotFor = 300_000;

export class Player {
  #root;
  #screen;
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
  #trying;
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
  /** @type {Controls | undefined} */
  #controls;
  /** @type {{has: boolean, why: string, form: string}} */
  #sound = { has: false, why: "", form: "" };
  #source = "live"; // state of the source of the best rung, as the hub said last
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
    const { signal } = this.#ended;
    this.#screen = new Screen(root, this.#name, { small: this.#small, signal });
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });
    addEventListener("online", () => this.#networkBack(), { signal });
    feed?.addEventListener("link", (e) => /** @type {CustomEvent} */ (e).detail.up && this.#networkBack(), { signal });
    if (!this.#small) {
      this.#controls = new Controls(root, { camera: this.#camera, name: this.#name, screen: this.#screen, feed, signal, pause: () => this.#togglePause(), speech: () => this.#way?.speech?.() });
      speaker.addEventListener("change", () => this.#hear(), { signal });
      speaker.enter(this);
    }
    feed?.addEventListener("feed", (e) => this.#told(/** @type {CustomEvent} */ (e).detail), { signal });
    if (d.hold !== undefined) this.#fallAsleep();
    else if (document.visibilityState === "hidden") this.#asleep = true;
    else this.#start();
  }

  stop() {
    this.#controls?.stop();
    this.#ended.abort();
    speaker.leave(this);
    clearTimeout(this.#hiding);
    this.#halt();
  }

  /** What a person can do with the picture; a small one has nothing. */
  get controls() {
    return this.#controls;
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

  #start() {
    this.#pictured = false;
    this.#endTrial();
    this.#begin(this.#first());
    this.#planClimb();
  }

  /** The best rung that is not known to be barred. */
  #first() {
    const best = this.#best(0);
    return this.#ladder[best].way === Whep && webrtc.rest() > 0 ? this.#best(best + 1) : best;
  }

  /** @param {number} from */
  #best(from) {
    const now = Date.now();
    for (const [level, { at }] of this.#cannot) if (now - at > cannotFor) this.#cannot.delete(level);
    for (let i = from; i < this.#ladder.length; i++) if (!this.#cannot.has(i)) return i;
    return this.#ladder.length - 1;
  }

  /** @param {number} level */
  #surface(level) {
    return this.#ladder[level].way.surface;
  }

  /** @param {number} level */
  #begin(level) {
    clearTimeout(this.#patience);
    if (this.#trial && this.#surface(this.#trial.level) === this.#surface(level)) this.#endTrial();
    this.#screen.freeze(); // the last picture stays until another comes
    this.#way?.stop();
    this.#level = level;
    // What is known to be wrong stays to be read while the next way is tried.
    if (this.#state !== "failed" && this.#state !== "offline") this.#set("starting");
    this.#way = this.#make(level);
    this.#waitFor(this.#ladder[level].wait);
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
    const sound = { has: false, why: "", form: "" };
    /** @type {import("./mse.js").Told} */
    const told = {
      picture: () => {
        if (!current() && !onTrial()) return;
        this.#sound = sound;
        this.#picture(level);
      },
      stalled: (reason) => current() && this.#stalled(reason),
      offline: (reason) => (current() || onTrial()) && this.#offline(level, reason),
      failed: (reason, more) => (current() || onTrial()) && this.#failed(level, { reason, ...more }),
      cannot: (reason) => (current() || onTrial()) && this.#unable(level, reason),
      underway: (ms) => (onTrial() ? this.#tryFor(level, ms) : current() && this.#state !== "live" && this.#waitFor(ms)),
      delay: (s) => current() && this.#delay(s),
      size: (width, height) => current() && this.#screen.shape(width, height),
      sound: (has, why, form = "") => {
        Object.assign(sound, { has, why, form });
        if (current()) this.#hear();
      },
    };
    const { way: Kind, stream } = this.#ladder[level];
    const video = this.#screen[Kind.surface === "live" ? "live" : "film"];
    const talks = document.body.dataset.mayTalk !== undefined;
    way = new Kind({ video, canvas: this.#screen.still, camera: this.#camera, stream, small: this.#small, talks, told });
    queueMicrotask(() => way.start());
    return way;
  }

  #halt() {
    clearTimeout(this.#patience);
    clearTimeout(this.#climbing);
    this.#endTrial();
    this.#way?.stop();
    this.#way = undefined;
  }

  /** @param {number} ms */
  #waitFor(ms) {
    clearTimeout(this.#patience);
    const level = this.#level;
    this.#patience = setTimeout(() => {
      if (this.#state !== "live" && this.#state !== "paused") this.#failed(level, { reason: this.#why.reason || "no picture came", fix: this.#why.fix });
    }, ms);
  }

  // --- what the ways tell ---

  /** @param {number} level */
  #picture(level) {
    const tried = this.#trial?.level === level;
    if (tried) {
      const way = /** @type {Running} */ (this.#trial?.way);
      this.#trial = undefined;
      clearTimeout(this.#trying);
      this.#way?.stop();
      this.#way = way;
      this.#level = level;
    }
    const { way, stream } = this.#ladder[level];
    this.#seen = new Date();
    this.#pictured = true;
    if (way === Whep) webrtc.worked();
    const mode = `${way.id} ${stream}`;
    if (this.#state === "live" && this.#root.dataset.mode === mode) return;
    clearTimeout(this.#patience);
    this.#root.dataset.mode = mode;
    this.#screen.show(way.surface);
    this.#why = {};
    this.#set("live");
    this.#badge(this.#label());
    this.#hear();
    this.#planClimb();
  }

  /** @param {string} reason */
  #stalled(reason) {
    this.#why = { reason };
    this.#set("stalled");
    if (reason !== "tap") this.#waitFor(this.#ladder[this.#level].mend);
  }

  /**
   * @param {number} level
   * @param {string} reason
   */
  #offline(level, reason) {
    if (this.#ladder[level].way === Whep) {
      // A hub that has nothing to send ends the session; the next way waits for pictures.
      this.#endTrial();
      if (this.#level === level) this.#begin(this.#best(level + 1));
      this.#planClimb(retries);
      return;
    }
    clearTimeout(this.#patience);
    if (this.#root.dataset.hold !== undefined && this.#pictured) {
      this.#fallAsleep();
      return;
    }
    const say = () => {
      this.#why = { reason };
      const next = this.#best(this.#level + 1);
      // Another stream of the camera may be there; single pictures would only be old ones.
      if (next > this.#level && this.#surface(next) === "film") this.#begin(next);
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
    if (this.#ladder[level].way === Whep) webrtc.failed();
    if (this.#trial?.level === level) {
      this.#endTrial();
      this.#planClimb();
      return;
    }
    this.#why = why;
    const next = this.#best(level + 1);
    // The last way keeps trying by itself.
    if (next > level) this.#begin(next);
    else this.#set("failed");
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

  /** @param {number} [atLeast] ms */
  #planClimb(atLeast = 200) {
    clearTimeout(this.#climbing);
    const better = this.#best(0);
    if (better >= this.#level || this.#trial || this.#state === "asleep") return;
    // Two ways by the same surface cannot be on at once: the hub's word on the source, not a
    // trial, leads from one stream back to the other.
    if (this.#surface(better) === "film" && this.#surface(this.#level) === "film") return;
    this.#climbing = setTimeout(() => this.#climb(), this.#ladder[better].way === Whep ? Math.max(webrtc.rest(), atLeast) : climb);
  }

  #climb() {
    const better = this.#best(0);
    if (better >= this.#level || this.#trial || this.#asleep || this.#paused) return;
    if (document.pictureInPictureElement === this.#screen.film) {
      this.#planClimb(); // its window would go dark
      return;
    }
    this.#trial = { way: this.#make(better), level: better };
    // A first answer may take its time where the hub has just come back.
    this.#tryFor(better, 2 * this.#ladder[better].wait);
  }

  /**
   * @param {number} level
   * @param {number} ms
   */
  #tryFor(level, ms) {
    clearTimeout(this.#trying);
    this.#trying = setTimeout(() => this.#trial?.level === level && this.#failed(level, {}), ms);
  }

  #endTrial() {
    clearTimeout(this.#trying);
    this.#trial?.way.stop();
    this.#trial = undefined;
  }

  #networkBack() {
    webrtc.forget();
    if (this.#asleep || this.#paused || this.#state === "asleep") return;
    const better = this.#best(0);
    if (this.#state === "failed" || this.#state === "offline") this.#retry();
    // What shows goes on while the better way is tried.
    else if (better < this.#level && this.#surface(better) !== this.#surface(this.#level)) this.#climb();
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
    const back = first === "live" && this.#source !== "live" && this.#state === "live" && this.#level > this.#first();
    this.#source = first;
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
    if (this.#state === "live" && this.#level <= this.#first()) return;
    this.#start();
  }

  // --- seen, or not ---

  #visibility() {
    clearTimeout(this.#hiding);
    if (document.visibilityState === "hidden" || !this.#inSight) {
      this.#hiding = setTimeout(() => {
        if (this.#attended()) {
          this.#visibility();
          return;
        }
        this.#asleep = true;
        this.#screen.freeze();
        this.#halt();
      }, hiddenFor);
      return;
    }
    if (!this.#asleep) return;
    this.#asleep = false;
    if (!this.#paused && this.#state !== "asleep") this.#start();
  }

  /** Whether somebody follows it though the page is hidden: by ear, or in a window of its own. */
  #attended() {
    const apart = document.pictureInPictureElement;
    const heard = this.#sound.has && speaker.hears(this) && this.#root.dataset.hold === undefined;
    return heard || this.#controls?.talking || (apart !== null && this.#root.contains(apart));
  }

  /** A camera on a battery is woken by a person only. */
  #fallAsleep() {
    this.#screen.freeze();
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
    this.#controls?.paused(this.#paused);
    if (!this.#paused) {
      this.#set("starting");
      this.#start();
      return;
    }
    this.#screen.freeze();
    this.#halt();
    this.#set("paused");
  }

  #hear() {
    this.#screen.hear(this.#sound.has && speaker.hears(this), speaker.volume);
    this.#controls?.sound(this.#sound);
  }

  // --- what the person sees ---

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
    const cannot = [...this.#cannot.values()].map((c) => c.reason).filter((reason) => reason !== "");
    const words = note(known ? "offline" : state, { name: this.#name, small: this.#small, seen: this.#seen, why, cannot: [...new Set(cannot)] });
    box.hidden = words === undefined;
    const told = JSON.stringify(words);
    if (!words || box.dataset.told === told) return; // nothing to announce anew
    box.dataset.told = told;
    box.replaceChildren(...drawn(words, this.#small, this.#root.closest("dialog, [data-details]") ? undefined : `/cameras/${encodeURIComponent(this.#camera)}`));
  }

  #label() {
    const { way, stream } = this.#ladder[this.#level];
    const label = stream === "main" || this.#small ? way.label : `${way.label} ${stream}`;
    return this.#converted() ? `${label}, converted` : label;
  }

  /** What was converted of what is shown, and why. */
  #converted() {
    return /^converted: (.*)/.exec(this.#sound.form)?.[1] ?? "";
  }

  /** @param {string} text */
  #badge(text) {
    const badge = /** @type {HTMLElement | null} */ (this.#root.querySelector("[data-badge]"));
    if (!badge || badge.textContent === text) return;
    badge.textContent = text;
    badge.title = this.#state === "live" ? sentence(this.#converted()) : "";
  }

  /** @param {number} seconds */
  #delay(seconds) {
    if (this.#state !== "live") return;
    // Rounded up: a delay is never told smaller than it is.
    this.#badge(`${this.#label()} · ${Math.max(0.1, Math.ceil(seconds * 10) / 10).toFixed(1)} s`);
  }
}
