// @ts-check
// Motion JPEG: a stream of pictures in one answer (multipart/x-mixed-replace). It is read
// here rather than by an image element, so that a stop is seen and the stream can be let go.

import { Refusal, refusal } from "../api.js";

// Nothing for this long (ms): ask anew.
const silence = 8_000;
// A part longer than this is no picture of a doorbell.
const maxPart = 8 << 20;

const headEnd = [13, 10, 13, 10];

export class Mjpeg {
  static id = "mjpeg";
  static label = "MJPEG";

  /** @type {import("./screen.js").Surface} */
  static surface = "still";

  #canvas;
  #told;
  #url;
  #stop = new AbortController();
  #tries = 0;

  static supported() {
    return typeof ReadableStream === "function" && typeof createImageBitmap === "function";
  }

  /**
   * @param {{canvas: HTMLCanvasElement, camera: string, told: import("./mse.js").Told}} o
   */
  constructor({ canvas, camera, told }) {
    this.#canvas = canvas;
    this.#told = told;
    this.#url = `/api/v1/cameras/${encodeURIComponent(camera)}/stream.mjpeg`;
  }

  async start() {
    this.#told.sound(false, "single pictures have no sound");
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let reason = "the pictures ended";
      /** @type {{fix?: string, code?: string}} */
      let more = {};
      try {
        await this.#run(signal);
      } catch (err) {
        if (signal.aborted) return;
        reason = err instanceof TypeError ? "the hub does not answer" : err instanceof Error ? err.message : reason;
        if (err instanceof Refusal) more = { fix: err.hint, code: err.code };
      }
      if (signal.aborted) return;
      this.#tries++;
      if (this.#tries >= 2) {
        this.#told.failed(reason, more);
        return;
      }
      this.#told.stalled(reason);
      await new Promise((r) => setTimeout(r, 1000));
    }
  }

  stop() {
    this.#stop.abort();
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    const quiet = new AbortController();
    const either = AbortSignal.any ? AbortSignal.any([signal, quiet.signal]) : signal;
    const answer = await fetch(this.#url, { signal: either, cache: "no-store" });
    if (!answer.ok || !answer.body) throw await refusal(answer);
    const reader = answer.body.getReader();
    const parts = new PartReader();
    for (;;) {
      const timer = setTimeout(() => {
        quiet.abort();
        reader.cancel().catch(() => {});
      }, silence);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      const pictures = parts.take(value);
      // Only the newest is drawn: a slow screen shall not lag.
      const newest = pictures.at(-1);
      if (newest) await this.#draw(newest);
    }
  }

  /** @param {Uint8Array} jpeg */
  async #draw(jpeg) {
    await draw(this.#canvas, new Blob([/** @type {BlobPart} */ (jpeg)], { type: "image/jpeg" }));
    this.#tries = 0;
    this.#told.picture();
    this.#told.size(this.#canvas.width, this.#canvas.height);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} jpeg
 */
export async function draw(canvas, jpeg) {
  const picture = await createImageBitmap(jpeg);
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  picture.close();
}

/** Cuts the stream into parts, by their Content-Length or by the JPEG's own end. */
class PartReader {
  #rest = new Uint8Array(0);

  /**
   * @param {Uint8Array} bytes
   * @returns {Uint8Array[]}
   */
  take(bytes) {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    /** @type {Uint8Array[]} */
    const out = [];
    let at = 0;
    for (;;) {
      const head = index(all, headEnd, at);
      if (head < 0) break;
      const length = lengthIn(new TextDecoder("latin1").decode(all.subarray(at, head)));
      const start = head + headEnd.length;
      const end = length === undefined ? index(all, [0xff, 0xd9], start) + 2 : start + length;
      if (end < start + 2 || end > all.length) break;
      out.push(all.slice(start, end));
      at = end;
    }
    this.#rest = all.slice(at);
    if (this.#rest.length > maxPart) throw new Error("a picture was too large");
    return out;
  }
}

/** @param {string} head */
function lengthIn(head) {
  const m = /content-length:\s*(\d+)/i.exec(head);
  return m ? Number(m[1]) : undefined;
}

/**
 * @param {Uint8Array} bytes
 * @param {number[]} what
 * @param {number} from
 */
function index(bytes, what, from) {
  for (let i = bytes.indexOf(what[0], from); i >= 0; i = bytes.indexOf(what[0], i + 1)) {
    if (what.every((b, k) => bytes[i + k] === b)) return i;
  }
  return -1;
}
