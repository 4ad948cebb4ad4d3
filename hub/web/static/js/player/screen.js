// @ts-check
// The surfaces of a player, one above the other: the film (MSE), the live video (WebRTC)
// and the still (single pictures). One of them is seen; a way that is only tried runs
// beneath, silent and unseen.

import { h } from "../dom.js";

/** @typedef {"film" | "live" | "still"} Surface */

export class Screen {
  /** @type {HTMLVideoElement} */
  film;
  /** @type {HTMLVideoElement} */
  live;
  /** @type {HTMLCanvasElement} */
  still;
  /** Holds them, and is what zoom moves. */
  view;
  #root;
  #large;

  /**
   * @param {HTMLElement} root
   * @param {string} name of the camera
   * @param {{small: boolean, signal: AbortSignal}} o
   */
  constructor(root, name, { small, signal }) {
    this.#root = root;
    this.#large = !small;
    const video = (/** @type {boolean} */ hidden) =>
      /** @type {HTMLVideoElement} */ (h("video", { muted: true, playsinline: true, tabindex: "-1", "aria-label": `Live picture of ${name}`, hidden }));
    this.film = video(false);
    this.live = video(true);
    this.still = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": `Picture of ${name}`, hidden: true }));
    this.view = h("div", { class: "player-view" }, this.film, this.live, this.still);
    const below = root.querySelector(".player-poster") ?? root.querySelector(".player-scene");
    if (below) below.after(this.view);
    else root.prepend(this.view);
    for (const v of this.videos) {
      v.muted = true;
      v.disableRemotePlayback = true; // ManagedMediaSource demands it
      v.addEventListener("resize", () => !v.hidden && this.shape(v.videoWidth, v.videoHeight), { signal });
    }
    this.#poster();
  }

  get videos() {
    return [this.film, this.live];
  }

  /** The video that is seen, if one is. */
  get video() {
    return this.videos.find((v) => !v.hidden);
  }

  /** @param {Surface} surface */
  show(surface) {
    this.film.hidden = surface !== "film";
    this.live.hidden = surface !== "live";
    this.still.hidden = surface !== "still";
    const v = this.video;
    if (v) this.shape(v.videoWidth, v.videoHeight);
  }

  /**
   * All but the seen one are silent.
   * @param {boolean} heard
   * @param {number} volume
   */
  hear(heard, volume) {
    for (const v of this.videos) {
      v.volume = volume;
      v.muted = v.hidden || !heard;
      // A browser that would rather not sound stops the picture instead: the picture goes before.
      if (v.paused && !v.hidden && !v.muted && (v.srcObject || v.src)) v.play().catch(() => (v.muted = true));
    }
  }

  /** Keeps the last picture of the video where the video itself goes away. */
  freeze() {
    const v = this.video;
    if (!v || !v.videoWidth) return;
    this.still.width = v.videoWidth;
    this.still.height = v.videoHeight;
    this.still.getContext("2d")?.drawImage(v, 0, 0);
    this.show("still");
  }

  /**
   * A large picture has the place that its own form needs.
   * @param {number} width
   * @param {number} height
   */
  shape(width, height) {
    if (!this.#large || !width || !height) return;
    const turned = this.#root.dataset.rotate === "90" || this.#root.dataset.rotate === "270";
    this.#root.style.setProperty("--ratio", turned ? `${height} / ${width}` : `${width} / ${height}`);
  }

  #poster() {
    const img = /** @type {HTMLImageElement | null} */ (this.#root.querySelector(".player-poster"));
    if (!img) return;
    const gone = () => (img.hidden = true);
    if (img.complete && img.naturalWidth === 0 && img.loading !== "lazy") gone();
    else img.addEventListener("error", gone, { once: true });
  }
}
