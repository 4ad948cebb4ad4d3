// @ts-check
// Which player of the page is heard: at most one, the one that came last (the overlay
// before the page). Silent until a person asks for sound; that is kept for the tab.

const key = "porchlight-listen"; // sessionStorage: "on" or "off", and the volume

class Speaker extends EventTarget {
  #on = false;
  #volume = 1;
  /** @type {object[]} who may be heard, the last first */
  #stack = [];

  constructor() {
    super();
    try {
      const [on, volume] = (sessionStorage.getItem(key) ?? "").split(" ");
      this.#on = on === "on";
      this.#volume = Math.min(1, Math.max(0.05, Number(volume) || 1));
    } catch {
      // Nothing kept: silent.
    }
    // A page that nobody has touched yet may not sound; the first touch lets it, which with
    // a finger is the lifting of it.
    const touched = new AbortController();
    const tell = () => {
      if (navigator.userActivation?.hasBeenActive !== false) touched.abort();
      this.#tell();
    };
    for (const type of ["pointerdown", "pointerup", "touchend", "keydown"]) addEventListener(type, () => setTimeout(tell), { capture: true, passive: true, signal: touched.signal });
  }

  get on() {
    return this.#on;
  }

  get volume() {
    return this.#volume;
  }

  /** @param {boolean} on */
  turn(on) {
    this.#on = on;
    this.#keep();
  }

  /** @param {number} volume 0 to 1; 0 is off */
  setVolume(volume) {
    this.#on = volume > 0;
    if (volume > 0) this.#volume = Math.min(1, volume);
    this.#keep();
  }

  /** @param {object} player */
  enter(player) {
    this.#stack.push(player);
    this.#tell();
  }

  /** @param {object} player */
  leave(player) {
    this.#stack = this.#stack.filter((p) => p !== player);
    this.#tell();
  }

  /** @param {object} player */
  hears(player) {
    return this.#on && this.#stack.at(-1) === player && navigator.userActivation?.hasBeenActive !== false;
  }

  #keep() {
    try {
      sessionStorage.setItem(key, `${this.#on ? "on" : "off"} ${this.#volume}`);
    } catch {
      // For this page only.
    }
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

export const speaker = new Speaker();
