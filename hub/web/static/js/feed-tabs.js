// @ts-check
// Where there is no shared worker: the tabs elect one that holds the connection and
// speak over a BroadcastChannel. The leader is asked now and then whether it is there
// (an answer is no timer, so that a hidden tab gives it at once); where it is silent,
// the lowest id among those who stand wins.

import { Desk } from "./feed-desk.js";

const askEvery = 4_000;
const answerWithin = 600;

export class Tabs {
  /** @type {Desk | undefined} set in the leader only */
  #desk;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  #id;
  #hear;
  #audible = false;
  #url;
  #leader = "";
  #lowest = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #asking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #verdict;

  /**
   * @param {string} id
   * @param {string} url
   * @param {(m: import("./feed-desk.js").Message) => void} hear
   */
  constructor(id, url, hear) {
    this.#id = id;
    this.#url = url;
    this.#hear = hear;
    if (typeof BroadcastChannel === "undefined") {
      this.#lead(); // alone with itself
      return;
    }
    this.#channel = new BroadcastChannel("porchlight-feed");
    this.#channel.onmessage = ({ data }) => this.#got(data);
    this.#asking = setInterval(() => this.#ask(), askEvery);
    this.#ask();
  }

  /** @param {import("./feed-desk.js").Message} m */
  post(m) {
    if (m.t === "join" || m.t === "audible") this.#audible = (m.on ?? m.audible) === true;
    if (m.t === "leave") {
      this.#leave();
      return;
    }
    this.#toDesk(m);
  }

  /** @param {import("./feed-desk.js").Message} m */
  #toDesk(m) {
    if (!this.#desk) {
      this.#channel?.postMessage({ to: "desk", from: this.#id, m });
      return;
    }
    if (m.t === "join") this.#desk.join(this.#id, this.#hear, this.#audible);
    else this.#desk.hear(this.#id, m);
  }

  #leave() {
    clearInterval(this.#asking);
    clearTimeout(this.#verdict);
    this.#channel?.postMessage(this.#desk ? { gone: true } : { to: "desk", from: this.#id, m: { t: "leave" } });
    this.#desk?.close();
    this.#desk = undefined;
    this.#channel?.close();
  }

  #ask() {
    if (this.#desk || this.#verdict) return;
    this.#leader = "";
    this.#lowest = this.#id;
    this.#channel?.postMessage({ ask: true, from: this.#id });
    this.#verdict = setTimeout(() => {
      this.#verdict = undefined;
      if (!this.#leader && this.#lowest === this.#id) this.#lead();
    }, answerWithin);
  }

  #lead() {
    this.#desk = new Desk(this.#url);
    this.#desk.join(this.#id, this.#hear, this.#audible);
    this.#channel?.postMessage({ lead: this.#id });
  }

  /** @param {any} data */
  #got(data) {
    if (data.gone) {
      this.#ask();
      return;
    }
    if (data.ask) {
      if (this.#desk) this.#channel?.postMessage({ lead: this.#id });
      else if (data.from < this.#lowest) this.#lowest = data.from;
      return;
    }
    if (data.lead) {
      this.#follow(data.lead);
      return;
    }
    if (data.to === "desk" && this.#desk) this.#serve(data.from, data.m);
    if (data.to === this.#id) this.#hear(data.m);
  }

  /** @param {string} leader */
  #follow(leader) {
    if (this.#desk && leader < this.#id) {
      this.#desk.close(); // two were elected: the lower id stays
      this.#desk = undefined;
    }
    if (this.#desk) {
      this.#channel?.postMessage({ lead: this.#id });
      return;
    }
    const known = this.#leader === leader;
    this.#leader = leader;
    if (!known) this.#toDesk({ t: "join", audible: this.#audible });
  }

  /**
   * @param {string} from
   * @param {import("./feed-desk.js").Message} m
   */
  #serve(from, m) {
    if (m.t === "join") this.#desk?.join(from, (out) => this.#channel?.postMessage({ to: from, m: out }), m.audible === true);
    else if (m.t === "leave") this.#desk?.leave(from);
    else this.#desk?.hear(from, m);
  }
}
