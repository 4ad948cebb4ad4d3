// @ts-check
// Talking to the door: hold the button (or its space key) and speak, let go to listen; two
// touches in a row, Enter, or the key t keep it open. The sound goes by the picture's own
// WebRTC session where there is one, else by a socket. Where nobody can talk the button is
// grey and says why, and what to do.

import { cameraPath, Refusal, send } from "../api.js";
import { h, icon } from "../dom.js";
import { barred, denied, Mic, NoMicrophone, refused } from "./mic.js";
import { bare, sentence } from "./notes.js";

// A second touch in this time (ms) keeps the talk open.
const twice = 350;
// A microphone that takes longer (ms) was asked a person for.
const askedFor = 1_000;
// What a person is told stays for so long (ms).
const says = 9_000;
// Sound for the socket that may wait (bytes): half a second.
const maxWaiting = 16_000;

/** @typedef {{by: string, end: () => Promise<unknown>}} Line an open talk */

export class Talk {
  button;
  says;
  #label;
  #of;
  #root;
  /** @type {"idle" | "wait" | "on"} */
  #state = "idle";
  #held = false;
  #locked = false; // on until the next touch
  #pointed = false; // held by a pointer, not by a key
  #byKey = false; // the click that follows is a key's
  #refused = false; // the microphone, by the person
  #listed = false; // the hub has told that this talk goes on
  #pressed = 0;
  #bar = ""; // why nobody can talk, while the person is told
  #turn = 0; // of the newest press: what an older one opens is let go
  /** @type {Mic | undefined} */
  #mic;
  /** @type {Line | undefined} */
  #line;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #letting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hushing;
  /** @type {any} what the hub says of talk at this camera */
  #can;

  /**
   * @param {HTMLElement} root the player
   * @param {import("./controls.js").Of} of
   */
  constructor(root, of) {
    this.#root = root;
    this.#of = of;
    this.#can = JSON.parse(root.dataset.talk ?? "{}");
    this.#label = h("span", { "data-label": true });
    this.button = h("button", { class: "talk", type: "button", "data-talk-button": true }, h("span", { class: "talk-level", "aria-hidden": "true" }), icon("mic"), this.#label);
    this.says = h("div", { class: "talk-says", role: "status", hidden: true });
    const { signal } = of;
    const b = this.button;
    b.addEventListener("pointerdown", (e) => this.#down(e), { signal });
    for (const over of /** @type {const} */ (["pointerup", "pointercancel"])) b.addEventListener(over, () => this.#up(), { signal });
    b.addEventListener("keydown", (e) => this.#key(e), { signal });
    b.addEventListener("keyup", (e) => e.key === " " && this.#up(), { signal });
    b.addEventListener("blur", () => this.#held && !this.#pointed && this.#up(), { signal });
    // A screen reader's press is a click alone: it opens and ends.
    b.addEventListener("click", (e) => e.detail === 0 && !this.#byKey && this.toggle(), { signal });
    b.addEventListener("contextmenu", (e) => e.preventDefault(), { signal });
    of.feed?.addEventListener("house", (e) => this.#house(/** @type {CustomEvent} */ (e).detail.cameras), { signal });
    addEventListener("pagehide", () => this.end(), { signal });
    refused().then((yes) => yes && this.#grey(), () => {});
    this.#show();
  }

  get on() {
    return this.#state !== "idle";
  }

  // --- presses ---

  /** @param {PointerEvent} e */
  #down(e) {
    if (e.button !== 0) return;
    e.preventDefault(); // no selection, no menu of a long touch
    this.button.focus({ preventScroll: true });
    this.button.setPointerCapture(e.pointerId);
    this.#pointed = true;
    this.#press();
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.key !== " " && e.key !== "Enter") return;
    e.preventDefault();
    this.#byKey = true;
    setTimeout(() => (this.#byKey = false));
    if (e.repeat) return;
    if (e.key === "Enter") this.toggle();
    else {
      this.#pointed = false;
      this.#press();
    }
  }

  #press() {
    const now = performance.now();
    const again = now - this.#pressed < twice;
    this.#pressed = now;
    clearTimeout(this.#letting);
    if (this.#locked) {
      this.end();
      return;
    }
    if (again && this.on) {
      this.#locked = true;
      this.#show();
      return;
    }
    this.#held = true;
    this.begin(false);
  }

  #up() {
    if (!this.#held) return;
    this.#held = false;
    this.#pointed = false;
    if (this.#locked) return;
    // A short touch may be the first of two.
    const wait = Math.max(0, twice - (performance.now() - this.#pressed));
    this.#letting = setTimeout(() => {
      if (this.#locked || this.#held) return;
      this.end();
      if (wait > 0) this.#say({ text: "Hold the button while you speak", fix: "Or press it twice, and it stays open." });
    }, wait);
  }

  toggle() {
    if (this.on) this.end();
    else this.begin(true);
  }

  // --- the talk ---

  /** @param {boolean} keep open until it is ended */
  async begin(keep) {
    const why = this.#barrier();
    if (why) {
      this.#say(why);
      this.#bar = why.text;
      return;
    }
    if (this.on) return;
    this.#locked = keep;
    this.#set("wait");
    const turn = ++this.#turn;
    /** @type {Mic | undefined} */
    let mic;
    const asked = performance.now();
    try {
      mic = await Mic.open();
      if (turn !== this.#turn) {
        // The browser asked for leave, and took the finger from the button by that.
        if (performance.now() - asked > askedFor) this.#say({ text: "The microphone is ready", fix: "Hold the button and speak." });
        throw new Over();
      }
      this.#mic = mic;
      const line = await this.#open(mic);
      if (turn !== this.#turn) {
        this.#hangUp(line);
        throw new Over();
      }
      this.#line = line;
      this.#listed = false;
      this.#set("on");
      this.#meter(turn);
    } catch (err) {
      mic?.close();
      if (turn === this.#turn) {
        this.#turn++;
        this.#mic = undefined;
        this.#locked = this.#held = false;
        this.#set("idle");
      }
      if (!(err instanceof Over)) this.#say(told(err));
    }
  }

  end() {
    clearTimeout(this.#letting);
    if (!this.on) return;
    this.#turn++;
    this.#locked = this.#held = false;
    if (this.#line) this.#hangUp(this.#line);
    this.#line = undefined;
    this.#mic?.close(); // the browser's own sign of it goes out at once
    this.#mic = undefined;
    this.#set("idle");
  }

  /**
   * @param {Mic} mic
   * @returns {Promise<Line>}
   */
  async #open(mic) {
    const path = `${cameraPath(this.#of.camera)}/talk`;
    const speech = this.#of.speech();
    if (!speech) return this.#bySocket(mic, path);
    await speech.send(mic.track);
    try {
      const { id, by } = await send(path, { session: speech.session });
      const end = () => Promise.all([speech.send(null), send(`${path}/${encodeURIComponent(id)}`, {}, "DELETE")]);
      return { by, end };
    } catch (err) {
      await speech.send(null).catch(() => {});
      throw err;
    }
  }

  /**
   * @param {Mic} mic
   * @param {string} path
   * @returns {Promise<Line>}
   */
  async #bySocket(mic, path) {
    const { by, socket } = await send(path);
    const at = new URL(socket, location.href);
    at.protocol = at.protocol === "https:" ? "wss:" : "ws:";
    const ws = new WebSocket(at);
    ws.binaryType = "arraybuffer";
    const turn = this.#turn;
    ws.onmessage = (e) => {
      const m = typeof e.data === "string" ? JSON.parse(e.data) : {};
      if (m.type === "ended" && turn === this.#turn) this.#over(m.reason);
    };
    ws.onclose = () => turn === this.#turn && this.#over("the connection was lost");
    try {
      await mic.pieces((piece) => {
        if (ws.readyState === WebSocket.OPEN && ws.bufferedAmount < maxWaiting) ws.send(piece);
      });
    } catch (err) {
      ws.close(); // or the door would be kept from others by a talk without sound
      throw err;
    }
    return { by, end: async () => ws.close() }; // the talk ends with its socket
  }

  /** @param {Line} line */
  #hangUp(line) {
    line.end().catch(() => {
      // It is over already, or ends by its silence.
    });
  }

  /**
   * It was ended elsewhere.
   * @param {string} [reason]
   */
  #over(reason) {
    this.end();
    this.#say({ text: reason ? `The talk has ended: ${bare(reason)}` : "The talk has ended." });
  }

  /** @param {number} turn */
  #meter(turn) {
    if (turn !== this.#turn || !this.#mic) return;
    this.button.style.setProperty("--level", this.#mic.level().toFixed(2));
    requestAnimationFrame(() => this.#meter(turn));
  }

  /** @param {any[]} cameras */
  #house(cameras) {
    const camera = cameras.find((c) => c.id === this.#of.camera);
    if (!camera) return;
    this.#can = camera.talk ?? {};
    if (this.#state === "on" && this.#can.by === this.#line?.by) this.#listed = true;
    else if (this.#state === "on" && this.#listed) this.#over(this.#can.by ? `${this.#can.by} talks now` : this.#can.can ? undefined : this.#can.why);
    this.#show();
  }

  // --- what the person sees ---

  /** @returns {{text: string, fix?: string, href?: string, code?: string} | undefined} why nobody can talk from here */
  #barrier() {
    if (!this.#can.can) return { text: `Nobody can talk here: ${this.#can.why || "the hub does not know yet whether the camera can"}`, fix: this.#can.fix, code: this.#can.code };
    if (document.body.dataset.mayTalk === undefined) return { text: "Your account may look, and not talk.", fix: "The owner of the house can let you." };
    const bar = barred();
    if (bar) return told(bar);
    if (this.#refused) return told(denied());
    if (this.#can.by && !this.on) return { text: `${capital(this.#can.by)} is talking there now.`, fix: "One person talks at a time: wait until they have finished." };
    return undefined;
  }

  #grey() {
    this.#refused = true;
    this.#show();
  }

  /** @param {"idle" | "wait" | "on"} state */
  #set(state) {
    this.#state = state;
    if (state !== "idle") this.#hush();
    if (state !== "on") this.button.style.removeProperty("--level");
    this.#show();
  }

  #show() {
    const why = this.on ? undefined : this.#barrier();
    const grey = why !== undefined;
    if (this.#bar && this.#bar !== why?.text) this.#hush(); // it is true no more
    const busy = grey && this.#can.can && this.#can.by;
    this.#root.dataset.talking = this.#state;
    this.button.setAttribute("aria-disabled", String(grey));
    this.button.setAttribute("aria-pressed", String(this.#state === "on"));
    this.button.classList.toggle("talk-locked", this.#locked && this.on);
    const text = busy ? "Line busy" : this.#state === "wait" ? "One moment" : this.#state === "on" ? (this.#locked ? "End talk" : "Talking") : grey ? "Talk" : "Hold to talk";
    if (this.#label.textContent !== text) {
      // A narrow picture has room for the last word.
      const [, hold, word] = /^(Hold to )?(.*)$/.exec(text) ?? ["", "", text];
      this.#label.replaceChildren(...(hold ? [h("span", { class: "talk-hold" }, hold)] : []), h("span", { class: "talk-word" }, word));
    }
    this.button.title = grey ? "Why it is not possible" : "Hold and speak; press twice to keep it open";
  }

  /** @param {{text: string, fix?: string, href?: string, code?: string}} what */
  #say({ text, fix, href, code }) {
    clearTimeout(this.#hushing);
    this.#bar = "";
    const parts = [h("strong", {}, sentence(text))];
    if (fix) parts.push(h("span", {}, ...sentence(fix).split("`").map((piece, i) => (i % 2 ? h("code", {}, piece) : piece))));
    if (href) parts.push(h("a", { href }, "How to"));
    if (code) parts.push(h("a", { class: "code", href: `/explain/${encodeURIComponent(code)}` }, code));
    this.says.replaceChildren(...parts);
    this.says.hidden = false;
    this.#hushing = setTimeout(() => this.#hush(), says);
  }

  #hush() {
    clearTimeout(this.#hushing);
    this.#bar = "";
    this.says.hidden = true;
  }
}

/** The press is over before the talk began. */
class Over extends Error {}

/** @param {unknown} err */
function told(err) {
  if (err instanceof NoMicrophone) return { text: err.message, fix: err.fix, href: err.href };
  if (err instanceof Refusal) {
    const fix = err.hint || (err.status === 501 ? "This hub was built without it." : undefined);
    return { text: capital(bare(err.message)), fix, code: err.code };
  }
  return { text: err instanceof Error && err.message ? `It did not work: ${err.message}` : "It did not work." };
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
