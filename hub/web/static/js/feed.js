// @ts-check
// A tab's end of the feed of events. Listeners hear:
//   feed     {name, data}   something happened in the house
//   link     {up}           the connection came or went
//   offer    {key}          a sound that this tab may claim
//   go       {sound, waited} this tab sounds
//   unheard  {sound}        no tab of this browser can be heard
//   house    {cameras}      the cameras as they are now; also when this tab joins
//   dismiss  {ring}         the ring was seen in another tab
//   signed-out

import { Tabs } from "./feed-tabs.js";

/** @typedef {import("./feed-desk.js").Message} Message */

// A worker that says nothing in this time does not run here.
const workerWithin = 3_000;

export class Feed extends EventTarget {
  #id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  /** @type {{post: (m: Message) => void} | undefined} */
  #way;
  #audible = false;
  /** @type {any[]} */
  #cameras = [];

  constructor() {
    super();
    this.#connect();
    // A page in the back-forward cache neither hears nor sounds.
    addEventListener("pagehide", () => this.#way?.post({ t: "leave" }));
    addEventListener("pageshow", (e) => {
      if (e.persisted) this.#connect();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#way?.post({ t: "wake" });
    });
  }

  /** @param {Message} m */
  post(m) {
    if (m.t === "audible") this.#audible = m.on === true;
    this.#way?.post(m);
  }

  /**
   * A camera as the hub named it last, where it did.
   * @param {string} id
   * @returns {any}
   */
  camera(id) {
    return this.#cameras.find((c) => c.id === id);
  }

  /** @param {Message} m */
  #hear = (m) => {
    if (m.t === "house") this.#cameras = m.cameras;
    this.dispatchEvent(new CustomEvent(m.t, { detail: m }));
  };

  #connect() {
    if (typeof SharedWorker === "undefined") {
      this.#byTabs();
      return;
    }
    /** @type {SharedWorker} */
    let worker;
    try {
      worker = new SharedWorker(new URL("./feed-worker.js", import.meta.url), { type: "module", name: "porchlight-feed" });
    } catch {
      this.#byTabs();
      return;
    }
    const port = worker.port;
    const giveUp = () => {
      if (this.#way) return;
      port.close();
      this.#byTabs();
    };
    const timer = setTimeout(giveUp, workerWithin);
    worker.onerror = giveUp;
    this.#way = undefined;
    port.onmessage = ({ data: m }) => {
      if (m.t !== "hello") {
        this.#hear(m);
        return;
      }
      clearTimeout(timer);
      this.#way = { post: (out) => port.postMessage(out) };
      this.#join();
    };
  }

  #byTabs() {
    this.#way = new Tabs(this.#id, "/api/v1/events/stream", this.#hear);
    this.#join();
  }

  #join() {
    this.#way?.post({ t: "join", id: this.#id, audible: this.#audible });
  }
}
