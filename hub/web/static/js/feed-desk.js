// @ts-check
// The desk holds the browser's one connection for events and hands what comes to
// every tab. It also decides which tab sounds: a sound is offered to the tabs that
// can be heard, and the first that claims it gets it. It runs in the shared worker,
// or in the elected tab where there are no shared workers.

/** @typedef {{t: string, [key: string]: any}} Message */

// The names of the hub's server-sent events.
const names = ["hello", "event", "hop", "sound", "cameras", "plugins", "chimes", "quiet", "config", "cards", "gap", "bye"];
// Seconds between tries once the browser has given the connection up.
const waits = [1, 2, 5, 10, 30];
// A machine that slept may hold a line that nobody is at the other end of. A tab that
// wakes has it made anew when nothing came for this long (ms).
const doubt = 60_000;
// A claim that comes later than this is for a sound nobody waits for any more.
const offerLasts = 2_500;
// More tabs than anybody has open; the oldest goes first.
const maxTabs = 128;

export class Desk {
  /** @type {Map<string, {post: (m: Message) => void, audible: boolean}>} */
  #tabs = new Map();
  /** @type {Map<string, {sound: any, at: number, taken: boolean}>} */
  #offers = new Map();
  /** @type {EventSource | undefined} */
  #source;
  #tries = 0;
  #up = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #heard = 0; // when the last message came
  /** The cameras as the hub named them last. @type {any[] | undefined} */
  #cameras;
  #seq = ""; // id of the last event, to go on from
  #url;

  /** @param {string} url of the stream */
  constructor(url) {
    this.#url = url;
  }

  /**
   * @param {string} id
   * @param {(m: Message) => void} post
   * @param {boolean} audible
   */
  join(id, post, audible) {
    this.#tabs.set(id, { post, audible });
    if (this.#tabs.size > maxTabs) this.leave([...this.#tabs.keys()][0]);
    if (!this.#source && !this.#retry) this.#open();
    post({ t: "link", up: this.#up });
    if (this.#cameras) post({ t: "house", cameras: this.#cameras });
  }

  /** @param {string} id */
  leave(id) {
    this.#tabs.delete(id);
    if (this.#tabs.size === 0) this.close();
  }

  close() {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#up = false;
  }

  /**
   * A tab's message.
   * @param {string} id
   * @param {Message} m
   */
  hear(id, m) {
    const tab = this.#tabs.get(id);
    if (!tab) return;
    switch (m.t) {
      case "audible":
        tab.audible = m.on === true;
        break;
      case "claim":
        this.#claim(tab, m.key);
        break;
      case "dismiss":
        this.#all({ t: "dismiss", ring: m.ring });
        break;
      case "wake":
        if (this.#source && Date.now() - this.#heard > doubt) {
          this.#source.close();
          this.#open();
        }
        break;
    }
  }

  /** @param {Message} m */
  #all(m) {
    for (const tab of this.#tabs.values()) tab.post(m);
  }

  #open() {
    const source = new EventSource(this.#seq ? `${this.#url}?after=${this.#seq}` : this.#url);
    this.#source = source;
    this.#heard = Date.now();
    source.onopen = () => {
      this.#tries = 0;
      this.#setUp(true);
    };
    source.onerror = () => {
      this.#setUp(false);
      // CONNECTING: the browser tries again by itself. CLOSED: it got an answer that
      // was no stream and has given up.
      if (source.readyState === EventSource.CLOSED) this.#again();
    };
    for (const name of names) {
      source.addEventListener(name, (e) => this.#got(name, /** @type {MessageEvent} */ (e)));
    }
  }

  #again() {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#retry);
    const wait = waits[Math.min(this.#tries++, waits.length - 1)];
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#tabs.size > 0) this.#open();
    }, wait * 1000);
    this.#signedIn();
  }

  async #signedIn() {
    try {
      const answer = await fetch("/api/v1/cameras", { credentials: "same-origin" });
      if (answer.status === 401) this.#all({ t: "signed-out" });
    } catch {
      // The hub is away; the next try tells.
    }
  }

  /** @param {boolean} up */
  #setUp(up) {
    if (this.#up === up) return;
    this.#up = up;
    this.#all({ t: "link", up });
  }

  /**
   * @param {string} name
   * @param {MessageEvent} e
   */
  #got(name, e) {
    this.#heard = Date.now();
    if (e.lastEventId) this.#seq = e.lastEventId;
    let data;
    try {
      data = JSON.parse(e.data);
    } catch {
      return; // not ours
    }
    if (name === "sound") {
      this.#offer(data);
      return;
    }
    if (Array.isArray(data.cameras)) {
      this.#cameras = data.cameras;
      this.#all({ t: "house", cameras: data.cameras });
    }
    if (name === "bye" && data.reason === "session") this.#all({ t: "signed-out" });
    this.#all({ t: "feed", name, data });
  }

  /** @param {any} sound */
  #offer(sound) {
    const key = `${sound.event_id}/${sound.chime}`;
    const now = Date.now();
    for (const [k, o] of this.#offers) if (now - o.at > 60_000) this.#offers.delete(k);
    if (this.#offers.has(key)) return; // told twice: sounded once
    this.#offers.set(key, { sound, at: now, taken: false });
    let asked = 0;
    for (const tab of this.#tabs.values()) {
      if (!tab.audible) continue;
      tab.post({ t: "offer", key });
      asked++;
    }
    if (asked === 0) this.#all({ t: "unheard", sound });
  }

  /**
   * @param {{post: (m: Message) => void}} tab
   * @param {string} key
   */
  #claim(tab, key) {
    const offer = this.#offers.get(key);
    if (!offer || offer.taken || Date.now() - offer.at > offerLasts) return;
    offer.taken = true;
    tab.post({ t: "go", sound: offer.sound, waited: Date.now() - offer.at });
  }
}
