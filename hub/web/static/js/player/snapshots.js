// @ts-check
// The last resort: one picture a second.

import { Refusal, refusal } from "../api.js";
import { draw } from "./mjpeg.js";

const every = 1_000;
const everySmall = 2_000;
// After a refusal the hub is left in peace for longer each time, up to the last (ms).
const waits = [2_000, 4_000, 8_000, 15_000];

export class Snapshots {
  static id = "snapshots";
  static label = "Snapshots";

  /** @type {import("./screen.js").Surface} */
  static surface = "still";

  #canvas;
  #told;
  #url;
  #every;
  #stop = new AbortController();

  static supported() {
    return typeof createImageBitmap === "function";
  }

  /**
   * @param {{canvas: HTMLCanvasElement, camera: string, small: boolean, told: import("./mse.js").Told}} o
   */
  constructor({ canvas, camera, small, told }) {
    this.#every = small ? everySmall : every;
    this.#canvas = canvas;
    this.#told = told;
    this.#url = `/api/v1/cameras/${encodeURIComponent(camera)}/snapshot.jpg?max_age=1s${small ? "&width=640" : ""}`;
  }

  async start() {
    this.#told.sound(false, "single pictures have no sound");
    const { signal } = this.#stop;
    let failed = 0;
    while (!signal.aborted) {
      let wait = this.#every;
      try {
        const answer = await fetch(this.#url, { signal, cache: "no-store" });
        if (!answer.ok) throw await refusal(answer);
        await draw(this.#canvas, await answer.blob());
        failed = 0;
        this.#told.picture();
        this.#told.size(this.#canvas.width, this.#canvas.height);
      } catch (err) {
        if (signal.aborted) return;
        wait = waits[Math.min(failed++, waits.length - 1)];
        this.#told.failed(
          err instanceof TypeError ? "the hub does not answer" : err instanceof Error ? err.message : "no picture",
          err instanceof Refusal ? { fix: err.hint, code: err.code } : undefined,
        );
      }
      await new Promise((r) => setTimeout(r, wait));
    }
  }

  stop() {
    this.#stop.abort();
  }
}
