// @ts-check
// What a person can do with a large picture: pause, sound, talk, zoom, full screen, a
// window of its own; by touch and by keys.

import { h, icon, toast } from "../dom.js";
import { speaker } from "./speaker.js";
import { Talk } from "./talk.js";
import { Zoom } from "./zoom.js";

/**
 * @typedef {object} Of
 * @property {string} camera
 * @property {string} name
 * @property {import("./screen.js").Screen} screen
 * @property {EventTarget} [feed]
 * @property {AbortSignal} signal
 * @property {() => void} pause
 * @property {() => import("./whep.js").Speech | undefined} speech
 */

const keys = [
  ["f", "Full screen"],
  ["p", "Picture in a window of its own"],
  ["m", "Sound on or off"],
  ["t", "Talk, and end it"],
  ["k", "Pause and go on"],
  ["+ −", "Nearer, farther; 0 shows all"],
  ["← → ↑ ↓", "Move about in a near picture"],
  ["?", "This list"],
];

export class Controls {
  #root;
  #of;
  #pause;
  #listen;
  #volume;
  #pip;
  #talk;
  #zoom;
  /** @type {{has: boolean, why: string}} */
  #sound = { has: false, why: "" };

  /**
   * @param {HTMLElement} root the player
   * @param {Of} of
   */
  constructor(root, of) {
    this.#root = root;
    this.#of = of;
    this.#pause = round("pause", "Pause the live picture", "data-pause");
    this.#listen = round("sound-off", "Sound of the picture", "data-listen");
    this.#volume = /** @type {HTMLInputElement} */ (h("input", { class: "volume", type: "range", min: "0", max: "100", step: "5", "aria-label": "Volume of the picture" }));
    this.#pip = round("pip", "Picture in a window of its own", "data-pip");
    const full = round("expand", "Full screen", "data-full");
    const help = round("keys", "Keys for this picture", "data-keys");
    this.#talk = new Talk(root, of);
    root.append(
      h(
        "div",
        { class: "player-foot" },
        h("div", { class: "foot-side" }, this.#pause, h("div", { class: "listen" }, this.#listen, this.#volume)),
        this.#talk.button,
        h("div", { class: "foot-side foot-end" }, help, this.#pip, full),
      ),
      this.#talk.says,
    );
    this.#zoom = new Zoom(root, of.screen.view, of.signal);
    const { signal } = of;
    const on = (/** @type {HTMLElement} */ b, /** @type {() => unknown} */ act) => b.addEventListener("click", act, { signal });
    this.#pause.setAttribute("aria-pressed", "false");
    on(this.#pause, of.pause);
    on(this.#listen, () => this.#toggleSound());
    on(full, () => this.#full());
    on(this.#pip, () => this.#apart());
    on(help, () => this.#help());
    this.#volume.addEventListener("input", () => speaker.setVolume(Number(this.#volume.value) / 100), { signal });
    full.hidden = !canFill(root);
    this.#pip.hidden = document.pictureInPictureEnabled !== true;
    // A touch on the silent picture itself turns the sound on, and no more than that.
    of.screen.view.addEventListener("click", () => this.#sound.has && !speaker.on && !this.#zoom.moved && speaker.turn(true), { signal });
    document.addEventListener("keydown", (e) => this.#key(e), { signal });
    this.sound(this.#sound);
  }

  stop() {
    this.#talk.end();
  }

  get talking() {
    return this.#talk.on;
  }

  /**
   * A person answers the door: it is heard, and they are.
   * @param {boolean} speak they are heard too
   */
  answer(speak) {
    speaker.turn(true);
    if (speak) this.#talk.begin(true);
  }

  /** @param {boolean} yes */
  paused(yes) {
    this.#pause.setAttribute("aria-pressed", String(yes));
    this.#pause.setAttribute("aria-label", yes ? "Go on with the live picture" : "Pause the live picture");
    this.#pause.replaceChildren(icon(yes ? "play" : "pause"));
  }

  /** @param {{has: boolean, why: string}} sound of what is seen now */
  sound(sound) {
    this.#sound = sound;
    const heard = sound.has && speaker.on;
    this.#listen.setAttribute("aria-pressed", String(heard));
    this.#listen.setAttribute("aria-disabled", String(!sound.has));
    this.#listen.title = sound.has ? (heard ? "Sound off" : "Sound on") : "No sound: " + (sound.why || "there is no picture yet");
    this.#listen.replaceChildren(icon(heard ? "sound" : "sound-off"));
    this.#volume.value = String(heard ? Math.round(speaker.volume * 100) : 0);
    this.#volume.disabled = !sound.has;
    this.#root.dataset.audio = !sound.has ? "none" : heard ? "on" : "off";
  }

  #toggleSound() {
    if (!this.#sound.has) toast(`No sound: ${this.#sound.why || "there is no picture yet"}.`, "bad");
    else speaker.turn(!speaker.on);
  }

  async #full() {
    await fullScreen(this.#root).catch(() => toast("This browser does not give the whole screen.", "bad"));
  }

  async #apart() {
    const v = this.#of.screen.video;
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else if (v && v.readyState > 0) await v.requestPictureInPicture();
      else toast("Single pictures have no window of their own.", "bad");
    } catch {
      toast("This browser does not give the picture a window of its own.", "bad");
    }
  }

  #help() {
    const close = h("button", { class: "button button-primary", type: "button" }, "Close");
    const list = h("dl", { class: "keys" }, ...keys.map(([key, what]) => h("div", {}, h("dt", {}, ...key.split(" ").map((k) => h("kbd", {}, k))), h("dd", {}, what))));
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "sheet", "aria-labelledby": "keys-title" }, h("h2", { id: "keys-title" }, "Keys for the picture"), list, close));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    this.#root.append(dialog);
    dialog.showModal();
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || !this.#mine(e.target)) return;
    /** @type {Record<string, () => unknown>} */
    const acts = {
      f: () => this.#full(),
      p: () => this.#apart(),
      m: () => this.#toggleSound(),
      t: () => this.#talk.toggle(),
      k: () => this.#of.pause(),
      "?": () => this.#help(),
      "+": () => this.#zoom.by(1.25),
      "=": () => this.#zoom.by(1.25),
      "-": () => this.#zoom.by(0.8),
      0: () => this.#zoom.reset(),
    };
    const act = acts[e.key];
    if (act && !e.repeat) act();
    else if (!act && !this.#zoom.key(e.key)) return;
    e.preventDefault();
  }

  /**
   * Keys count where nothing else has the focus, and where the picture is on top.
   * @param {EventTarget | null} target
   */
  #mine(target) {
    const el = target instanceof Element ? target : document.body;
    const top = [...document.querySelectorAll("dialog[open]")].at(-1);
    if (top && (!top.contains(this.#root) || el.closest("dialog") !== top)) return false;
    if (el.closest("input, select, textarea, [contenteditable]")) return false;
    return el === document.body || el === top || el.matches("main") || this.#root.contains(el) || top?.contains(el) === true;
  }
}

/**
 * @param {string} name of the icon
 * @param {string} label
 * @param {string} mark
 */
function round(name, label, mark) {
  return h("button", { class: "round round-glass", type: "button", [mark]: true, "aria-label": label, title: label }, icon(name));
}

/** @param {HTMLElement} root */
function canFill(root) {
  return typeof root.requestFullscreen === "function" || "webkitEnterFullscreen" in HTMLVideoElement.prototype;
}

/** @param {HTMLElement} player */
async function fullScreen(player) {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  if (player.requestFullscreen) {
    await player.requestFullscreen();
    return;
  }
  // An iPhone gives the whole screen to a video only.
  /** @type {any} */ (player.querySelector("video:not([hidden])"))?.webkitEnterFullscreen?.();
}
