// @ts-check
// The ring overlay: in every open tab, over everything, until somebody says so in one
// of them. A replay or an old ring is for the list, not for the overlay.

import { h, icon, toast } from "./dom.js";
import { cameraPath, hasSub, url } from "./api.js";
import { Player } from "./player/player.js";

// A ring older than this (ms) is shown in the list only.
const tooOld = 15_000;
// Nobody came: the overlay goes and leaves a note.
const lasts = 90_000;

export class Overlay {
  #feed;
  /** @type {{id: string, camera: string, name: string, dialog: HTMLDialogElement, player?: Player, times: number, back: Element | null, answered: boolean, by: string} | undefined} */
  #now;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #title = document.title;

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.#feed = feed;
    feed.addEventListener("feed", (e) => {
      const { name, data } = /** @type {CustomEvent} */ (e).detail;
      if (name !== "event" || data.type !== "ring") return;
      if (data.replay || data.age_ms > tooOld) return;
      this.show(data);
    });
    feed.addEventListener("house", () => this.#news());
    feed.addEventListener("dismiss", (e) => {
      // Who has answered stays at the door.
      if (!this.#now?.answered) this.#close(/** @type {CustomEvent} */ (e).detail.ring);
    });
  }

  /** @param {{id: string, camera: string, camera_name?: string, data?: {test?: boolean}}} ring */
  show(ring) {
    const name = ring.camera_name || ring.camera || "the door";
    if (this.#now?.camera === ring.camera) {
      this.#now.times++;
      this.#now.id = ring.id;
      if (this.#now.answered) return; // they are at the door already
      this.#now.by = "";
      this.#now.dialog.classList.remove("ring-answered");
      this.#say(this.#now.dialog, `Rang again at ${name}`, `${clock()}, ${this.#now.times} times`);
      this.#wait();
      return;
    }
    if (this.#now?.answered) {
      toast(`Someone is at ${name} too`);
      return;
    }
    if (this.#now) this.#close(this.#now.id);
    const back = document.activeElement;
    const dialog = this.#build(ring, name);
    document.body.append(dialog);
    dialog.showModal();
    const holder = /** @type {HTMLElement | null} */ (dialog.querySelector("[data-player]"));
    // A hidden tab shows the overlay, and takes pictures only when it is looked at.
    const player = holder ? new Player(holder, this.#feed) : undefined;
    this.#now = { id: ring.id, camera: ring.camera, name, dialog, player, times: 1, back, answered: false, by: "" };
    /** @type {HTMLElement} */ (dialog.querySelector("[data-not-now]")).focus();
    document.title = `Someone is at ${name}`;
    document.documentElement.classList.add("ringing");
    this.#wait();
  }

  /**
   * @param {{id: string, camera: string, data?: {test?: boolean}}} ring
   * @param {string} name
   * @returns {HTMLDialogElement}
   */
  #build(ring, name) {
    const camera = this.#feed.camera(ring.camera);
    const notNow = h("button", { class: `button button-large${camera?.button ? " button-primary" : ""}`, type: "button", "data-not-now": true }, "Not now");
    const answer = h("button", { class: "button button-primary button-large button-answer", type: "button", "data-answer": true });
    label(answer, camera);
    const dialog = /** @type {HTMLDialogElement} */ (
      h(
        "dialog",
        { class: "ring", role: "alertdialog", "aria-labelledby": "ring-title", "aria-describedby": "ring-text" },
        h(
          "div",
          { class: "ring-head", "aria-live": "assertive" },
          h("span", { class: "ring-bell" }, icon("bell")),
          h(
            "div",
            {},
            h("h2", { id: "ring-title" }, `Someone is at ${name}`),
            h("p", { id: "ring-text" }, ring.data?.test ? "Rung to try it." : clock()),
          ),
        ),
        ...(camera?.button ? [] : [pictureOf(ring.camera, name, camera)]),
        h(
          "div",
          { class: "ring-actions" },
          h("a", { class: "button button-plain button-large", href: `/events/${encodeURIComponent(ring.id)}`, "data-details": true }, "See the trace"),
          notNow,
          ...(camera?.button ? [] : [answer]),
        ),
      )
    );
    notNow.addEventListener("click", () => this.#dismiss());
    answer.addEventListener("click", () => this.#answer());
    dialog.addEventListener("cancel", (e) => {
      e.preventDefault();
      this.#dismiss();
    });
    return dialog;
  }

  /** What the hub tells of the camera: when somebody has answered on another device nobody need hurry here. */
  #news() {
    const now = this.#now;
    if (!now || now.answered || now.player?.controls?.talking) return;
    const camera = this.#feed.camera(now.camera);
    const answer = now.dialog.querySelector("[data-answer]");
    if (answer) label(answer, camera);
    const by = camera?.talk?.by ?? "";
    if (now.by && !by) this.#say(now.dialog, `Answered at ${now.name}`, `${capital(now.by)} talked there.`);
    if (!by || now.by === by) return;
    now.by = by;
    now.dialog.classList.add("ring-answered");
    document.title = `Answered at ${now.name}`;
    document.documentElement.classList.remove("ringing");
    this.#say(now.dialog, `Answered at ${now.name}`, `${capital(by)} is talking there.`);
  }

  /**
   * @param {HTMLElement} dialog
   * @param {string} text
   * @param {string} more
   */
  #say(dialog, text, more) {
    const title = dialog.querySelector("#ring-title");
    const note = dialog.querySelector("#ring-text");
    if (title) title.textContent = text;
    if (note) note.textContent = more;
    const details = dialog.querySelector("[data-details]");
    if (this.#now) details?.setAttribute("href", `/events/${encodeURIComponent(this.#now.id)}`);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const now = this.#now;
      if (!now) return;
      this.#close(now.id);
      if (!now.by) toast(`Someone rang at ${now.name}, ${clock()}`);
    }, lasts);
  }

  /** The picture is heard and the person is: as good as opening the door. */
  #answer() {
    const now = this.#now;
    if (!now || now.answered) return;
    now.answered = true;
    clearTimeout(this.#timer);
    this.#feed.post({ t: "dismiss", ring: now.id }); // the other tabs are quiet now
    document.documentElement.classList.remove("ringing");
    document.title = `At ${now.name}`;
    now.dialog.classList.add("ring-answered");
    const title = now.dialog.querySelector("#ring-title");
    const note = now.dialog.querySelector("#ring-text");
    const speaking = speaks(this.#feed.camera(now.camera));
    if (title) title.textContent = `You are at ${now.name}`;
    if (note) note.textContent = speaking ? "What you say is heard there while the microphone is red." : "You see and hear it; nobody there hears you.";
    now.dialog.querySelector("[data-answer]")?.remove();
    const end = now.dialog.querySelector("[data-not-now]");
    if (end) {
      end.textContent = speaking ? "Hang up" : "Close";
      end.classList.add("button-hang-up");
      /** @type {HTMLElement} */ (end).focus();
    }
    now.player?.controls?.answer(speaking);
  }

  #dismiss() {
    if (!this.#now) return;
    const ring = this.#now.id;
    this.#feed.post({ t: "dismiss", ring });
    this.#close(ring);
  }

  /** @param {string} ring */
  #close(ring) {
    const now = this.#now;
    if (!now || now.id !== ring) return;
    clearTimeout(this.#timer);
    this.#now = undefined;
    now.player?.stop();
    now.dialog.close();
    now.dialog.remove();
    document.title = this.#title;
    document.documentElement.classList.remove("ringing");
    if (now.back instanceof HTMLElement) now.back.focus();
  }
}

/**
 * @param {string} id
 * @param {string} name
 * @param {any} camera as the hub names it; undefined: not known yet
 */
function pictureOf(id, name, camera) {
  const poster = camera?.snapshot === false ? [] : [h("img", { class: "player-poster", src: url(`${cameraPath(id)}/snapshot.jpg?width=960`), alt: "" })];
  return h(
    "div",
    { class: "player", "data-player": true, "data-camera": id, "data-name": name, "data-play": hasSub(camera) ? "main sub" : "main", "data-rotate": String(camera?.rotate ?? 0), "data-talk": JSON.stringify(camera?.talk ?? {}), "data-state": "starting" },
    ...poster,
    h("div", { class: "player-top" }, h("span", { class: "badge badge-mode", "data-badge": true }, "Connecting")),
    h("div", { class: "player-note", "data-note": true, hidden: true }),
  );
}

/** @param {any} camera as the hub names it; undefined: not known yet */
function speaks(camera) {
  return (camera === undefined || Boolean(camera.talk?.can)) && document.body.dataset.mayTalk !== undefined;
}

/**
 * What the first button does, as far as the camera can.
 * @param {Element} button
 * @param {any} camera
 */
function label(button, camera) {
  const text = speaks(camera) ? "Answer" : "Listen";
  if (button.textContent !== text) button.replaceChildren(icon(text === "Answer" ? "mic" : "sound"), text);
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** As the lists of the pages write it. */
function clock() {
  return new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
