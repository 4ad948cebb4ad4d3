// @ts-check
// The browser chime: Web Audio, synthesised here, no file. A browser lets a page sound
// only after a person has touched it, so the context is made at the first touch.

import { recipe } from "./recipes.js";
import { send } from "./api.js";
import { all } from "./dom.js";

const key = "porchlight-sound"; // "off": this browser shall be silent
const touched = "porchlight-touched"; // an earlier page of this tab was touched
// Sounds wait for each other; one that would begin later than this (s) is left out.
const longestQueue = 10;
// The hub waits 3 s for the word that a page sounds (ms).
const latestReport = 2_000;
// A sound's end goes down to silence in this time (s).
const fade = 0.12;

export class Sound {
  /** @type {AudioContext | undefined} */
  #ctx;
  #feed;
  /** The way out of what was begun last. @type {AudioNode | undefined} */
  #last;
  /** Time of this context at which what was begun has ended. */
  #busyUntil = 0;
  /** Stops the little sound that says that sound is on. @type {(() => void) | undefined} */
  #greeting;

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.#feed = feed;
    for (const type of ["pointerdown", "keydown"]) {
      addEventListener(type, (e) => this.#touch(e), { capture: true, passive: true });
    }
    feed.addEventListener("offer", (e) => this.#offered(/** @type {CustomEvent} */ (e).detail));
    feed.addEventListener("go", (e) => this.#go(/** @type {CustomEvent} */ (e).detail));
    feed.addEventListener("unheard", () => this.#unheard());
    for (const button of all("[data-sound]")) button.addEventListener("click", () => this.#toggle());
    // A visitor who has touched an earlier page of the house may be heard at once.
    if (wasTouched()) this.#wake();
    this.#show();
  }

  get wanted() {
    try {
      return localStorage.getItem(key) !== "off";
    } catch {
      return true; // storage is refused: the default
    }
  }

  get audible() {
    return this.wanted && this.#ctx?.state === "running";
  }

  #toggle() {
    const on = !this.audible;
    try {
      localStorage.setItem(key, on ? "on" : "off");
    } catch {
      // It holds for this page then.
    }
    if (on) this.#wake(() => this.#greet()); // so that a person hears that it works
    this.#show();
  }

  #greet() {
    this.play("ding_dong", 25);
    const out = this.#last;
    // A ring does not wait for it.
    this.#greeting = () => {
      out?.disconnect();
      this.#busyUntil = 0;
      this.#greeting = undefined;
    };
    setTimeout(() => (this.#greeting = undefined), 2_500);
  }

  /** @param {Event} e */
  #touch(e) {
    try {
      sessionStorage.setItem(touched, "yes");
    } catch {
      // The next page waits for its own touch.
    }
    // The button decides by itself: were it on already by then, its click would turn it off.
    if (e.target instanceof Element && e.target.closest("[data-sound]")) return;
    this.#wake();
  }

  /** @param {() => void} [then] */
  #wake(then) {
    if (!this.wanted) return;
    if (!this.#ctx) {
      const Context = globalThis.AudioContext ?? /** @type {any} */ (globalThis).webkitAudioContext;
      if (!Context) return;
      this.#ctx = /** @type {AudioContext} */ (new Context());
      this.#ctx.addEventListener("statechange", () => this.#show());
    }
    const ready = () => {
      this.#show();
      then?.();
    };
    if (this.#ctx.state === "running") ready();
    else this.#ctx.resume().then(ready, () => {});
  }

  #show() {
    const on = this.audible;
    this.#feed.post({ t: "audible", on });
    for (const button of all("[data-sound]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(on));
      const label = button.querySelector("[data-label]");
      if (label) label.textContent = on ? "Sound on" : "Turn on sound";
    }
    document.documentElement.dataset.audible = on ? "on" : "off";
  }

  #unheard() {
    for (const button of all("[data-sound]")) button.classList.add("calls");
  }

  /** @param {{key: string}} offer */
  #offered(offer) {
    if (this.audible) this.#feed.post({ t: "claim", key: offer.key });
  }

  /** @param {{sound: any, waited: number}} won */
  #go({ sound, waited }) {
    if (!this.#ctx || this.#busyUntil - this.#ctx.currentTime > longestQueue) return;
    this.#greeting?.();
    const late = this.play(sound.sound, sound.volume) * 1000;
    // Told when it begins, so that the trace has the true time; but before the hub stops waiting.
    setTimeout(() => this.#tell(sound, waited + late), Math.min(late, latestReport));
  }

  /**
   * @param {any} sound
   * @param {number} took ms
   */
  #tell(sound, took) {
    send(`/chimes/${encodeURIComponent(sound.chime)}/sounded`, { event_id: sound.event_id, took_ms: Math.round(took) }).catch(() => {
      // It sounded all the same; the trace will say that no page told of it.
    });
  }

  /**
   * Sound now, or after what sounds already: two never overlap.
   * @param {string} name
   * @param {number} volume 0 to 100
   * @returns {number} seconds until it begins
   */
  play(name, volume) {
    const ctx = this.#ctx;
    if (!ctx) return 0;
    // A little ahead: making the notes takes a moment, and one in the past is cut short.
    const begun = ctx.currentTime;
    const start = Math.max(begun + 0.04, this.#busyUntil);
    const { length, scale, notes } = recipe(name);
    const end = start + length;
    const out = ctx.createGain();
    const loud = scale * Math.pow(Math.min(100, Math.max(0, volume)) / 100, 2);
    out.gain.setValueAtTime(loud, start);
    out.gain.setValueAtTime(loud, end - fade);
    out.gain.linearRampToValueAtTime(0, end);
    out.connect(ctx.destination);
    this.#last = out;
    for (const note of notes) strike(ctx, out, start, end, note);
    this.#busyUntil = end + 0.15;
    setTimeout(() => out.disconnect(), (end - ctx.currentTime + 1) * 1000);
    return start - begun;
  }
}

function wasTouched() {
  try {
    return sessionStorage.getItem(touched) !== null;
  } catch {
    return false;
  }
}

/**
 * @param {AudioContext} ctx
 * @param {AudioNode} out
 * @param {number} start of the sound
 * @param {number} end of the sound
 * @param {import("./recipes.js").Note} note
 */
function strike(ctx, out, start, end, { at, hz, to, glide, gain, voice }) {
  const begin = start + at;
  for (const [ratio, share, decay] of voice.partials) {
    const tone = ctx.createOscillator();
    const env = ctx.createGain();
    tone.frequency.setValueAtTime(hz * ratio, begin);
    if (to && glide) tone.frequency.linearRampToValueAtTime(to * ratio, begin + glide);
    env.gain.setValueAtTime(0, begin);
    env.gain.linearRampToValueAtTime(gain * share, begin + voice.attack);
    env.gain.setTargetAtTime(0, begin + voice.attack, decay);
    tone.connect(env).connect(out);
    tone.start(begin);
    tone.stop(Math.min(end, begin + voice.attack + 8 * decay)); // by then it is at a 3000th
  }
}
