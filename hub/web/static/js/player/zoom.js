// @ts-check
// Nearer and farther: by two fingers, by the wheel, by a double touch, by keys. A near
// picture is moved about with one finger or the pointer, and never leaves its frame.

import { h, icon } from "../dom.js";

const most = 6;
const double = 2.5;
// A pointer that moved farther than this (px) did not click.
const slop = 6;
const step = 60; // px, of an arrow key

export class Zoom {
  #root;
  #view;
  #scale = 1;
  #x = 0;
  #y = 0;
  /** @type {Map<number, {x: number, y: number}>} */
  #fingers = new Map();
  #far = 0; // moved since the first finger came down, px
  #pill;

  /**
   * @param {HTMLElement} root the player
   * @param {HTMLElement} view what is moved
   * @param {AbortSignal} signal
   */
  constructor(root, view, signal) {
    this.#root = root;
    this.#view = view;
    this.#pill = h("button", { class: "badge badge-zoom", type: "button", "data-zoom": true, hidden: true });
    root.querySelector("[data-badge]")?.before(this.#pill);
    this.#pill.addEventListener("click", () => this.reset(), { signal });
    view.addEventListener("wheel", (e) => this.#wheel(e), { signal, passive: false });
    view.addEventListener("pointerdown", (e) => this.#down(e), { signal });
    view.addEventListener("pointermove", (e) => this.#move(e), { signal });
    for (const over of /** @type {const} */ (["pointerup", "pointercancel"])) view.addEventListener(over, (e) => this.#up(e), { signal });
    view.addEventListener("dblclick", (e) => (this.#scale > 1 ? this.reset() : this.#to(double, e.clientX, e.clientY)), { signal });
    addEventListener("resize", () => this.#show(), { signal });
  }

  /** Whether what just ended was a movement, not a click. */
  get moved() {
    return this.#far > slop;
  }

  /** @param {number} factor */
  by(factor) {
    const { left, top, width, height } = this.#root.getBoundingClientRect();
    this.#to(this.#scale * factor, left + width / 2, top + height / 2);
  }

  reset() {
    this.#scale = 1;
    this.#show();
  }

  /**
   * @param {string} key
   * @returns {boolean} whether it moved a near picture
   */
  key(key) {
    /** @type {Record<string, [number, number]>} */
    const ways = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const way = ways[key];
    if (!way || this.#scale === 1) return false;
    this.#x += way[0];
    this.#y += way[1];
    this.#show();
    return true;
  }

  /**
   * What is under the point stays under it.
   * @param {number} scale
   * @param {number} atX
   * @param {number} atY
   */
  #to(scale, atX, atY) {
    const next = Math.min(most, Math.max(1, scale));
    const { left, top, width, height } = this.#root.getBoundingClientRect();
    const px = atX - left - width / 2;
    const py = atY - top - height / 2;
    this.#x = px - ((px - this.#x) * next) / this.#scale;
    this.#y = py - ((py - this.#y) * next) / this.#scale;
    this.#scale = next;
    this.#show();
  }

  #show() {
    const { width, height } = this.#root.getBoundingClientRect();
    if (this.#scale < 1.02) this.#scale = 1;
    const limit = (/** @type {number} */ v, /** @type {number} */ side) => Math.min(Math.max(v, (-side * (this.#scale - 1)) / 2), (side * (this.#scale - 1)) / 2);
    this.#x = limit(this.#x, width);
    this.#y = limit(this.#y, height);
    this.#view.style.transform = this.#scale === 1 ? "" : `translate(${this.#x.toFixed(1)}px, ${this.#y.toFixed(1)}px) scale(${this.#scale.toFixed(3)})`;
    this.#root.toggleAttribute("data-near", this.#scale > 1);
    this.#pill.hidden = this.#scale === 1;
    const text = `${this.#scale.toFixed(1)}×`;
    if (this.#scale > 1 && this.#pill.textContent !== text) {
      this.#pill.replaceChildren(text, icon("cross"));
      this.#pill.setAttribute("aria-label", `${text} near; show all`);
    }
  }

  /** @param {WheelEvent} e */
  #wheel(e) {
    // At the top of the page the wheel has nothing to scroll up; elsewhere it scrolls.
    const ours = e.ctrlKey || this.#scale > 1 || document.fullscreenElement !== null || (e.deltaY < 0 && scrollY <= 0);
    if (!ours) return;
    e.preventDefault();
    const lines = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.#to(this.#scale * Math.exp(-e.deltaY * lines * (e.ctrlKey ? 0.01 : 0.002)), e.clientX, e.clientY);
  }

  /** @param {PointerEvent} e */
  #down(e) {
    if (e.button !== 0) return;
    if (this.#fingers.size === 0) this.#far = 0;
    this.#fingers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (this.#fingers.size === 2 || this.#scale > 1) this.#view.setPointerCapture(e.pointerId);
  }

  /** @param {PointerEvent} e */
  #move(e) {
    const was = this.#fingers.get(e.pointerId);
    if (!was) return;
    const now = { x: e.clientX, y: e.clientY };
    const other = [...this.#fingers].find(([id]) => id !== e.pointerId)?.[1];
    this.#far += Math.hypot(now.x - was.x, now.y - was.y);
    this.#fingers.set(e.pointerId, now);
    if (other) {
      const apart = Math.hypot(was.x - other.x, was.y - other.y) || 1;
      this.#x += (now.x - was.x) / 2;
      this.#y += (now.y - was.y) / 2;
      this.#to((this.#scale * Math.hypot(now.x - other.x, now.y - other.y)) / apart, (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else if (this.#scale > 1) {
      this.#x += now.x - was.x;
      this.#y += now.y - was.y;
      this.#show();
    }
  }

  /** @param {PointerEvent} e */
  #up(e) {
    this.#fingers.delete(e.pointerId);
  }
}
