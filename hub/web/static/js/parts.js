// @ts-check
// Live parts: pieces of a page that the server draws again when something happened.
// An element says what it waits for: data-part="today" data-on="event quiet". The page's
// own address with ?part=today gives its new content; so no row is drawn in two languages.

import { all, ago } from "./dom.js";

// A flood of events draws a part at most this often (ms).
const pace = 700;

export class Parts {
  /** @type {Map<string, {timer?: ReturnType<typeof setTimeout>, last: number}>} */
  #known = new Map();

  /** @param {EventTarget} feed */
  constructor(feed) {
    feed.addEventListener("feed", (e) => {
      const { name, data } = /** @type {CustomEvent} */ (e).detail;
      this.#happened(name, data);
    });
    setInterval(() => tick(), 15_000);
    // What no event tells of (a log) is looked at anew every so many seconds.
    for (const el of all("[data-every]")) {
      setInterval(() => document.visibilityState === "visible" && this.draw(el.dataset.part ?? ""), Number(el.dataset.every) * 1000);
    }
    for (const el of all(".log")) el.scrollTop = el.scrollHeight;
    tick();
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  #happened(name, data) {
    const everything = name === "hello" || name === "gap";
    for (const el of all("[data-part]")) {
      const waits = (el.dataset.on ?? "").split(" ");
      const kinds = el.dataset.kinds; // a list of what people read of does not follow the rest
      if (kinds && name === "event" && !kinds.split(" ").includes(data.type)) continue;
      const about = el.dataset.about; // a trace waits for its own event only
      if (about && data && !everything && ![data.event_id, data.data?.event_id, data.correlation, data.id].includes(about)) continue;
      if (everything || waits.includes(name)) this.draw(el.dataset.part ?? "");
    }
  }

  /** @param {string} part */
  draw(part) {
    const known = this.#known.get(part) ?? { last: 0 };
    this.#known.set(part, known);
    if (known.timer) return;
    const wait = Math.max(60, known.last + pace - Date.now());
    known.timer = setTimeout(async () => {
      known.timer = undefined;
      known.last = Date.now();
      await redraw(part).catch(() => {
        // The hub is away; the feed's return draws everything again.
      });
    }, wait);
  }
}

/** @param {string} part */
async function redraw(part) {
  const address = new URL(location.href);
  address.searchParams.set("part", part);
  const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } });
  // What the page is about has gone: nothing old is shown as if it held.
  for (const el of all(`[data-part="${part}"]`)) el.hidden = answer.status === 404;
  if (!answer.ok || answer.redirected) return;
  const doc = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = doc.body;
  for (const el of all(`[data-part="${part}"]`)) {
    const focus = /** @type {HTMLElement | null} */ (document.activeElement);
    const key = focus && el.contains(focus) ? focus.dataset.key ?? focus.getAttribute("href") : undefined;
    const open = new Set(all("details[open]", el).map((d) => d.dataset.key));
    const log = el.querySelector(".log");
    const atEnd = !log || log.scrollTop + log.clientHeight > log.scrollHeight - 30;
    const scrolled = log?.scrollTop ?? 0;
    const same = el.innerHTML === fresh.innerHTML;
    if (same) continue; // nothing to announce, nothing to lose
    if (el.querySelector("input:checked, [data-armed]")) continue; // what a person has begun is not taken away
    el.replaceChildren(...[...fresh.childNodes].map((n) => document.importNode(n, true)));
    for (const d of all("details", el)) if (d.dataset.key && open.has(d.dataset.key)) d.setAttribute("open", "");
    const list = el.querySelector(".log");
    if (list) list.scrollTop = atEnd ? list.scrollHeight : scrolled;
    if (key) all("a, button", el).find((b) => b.dataset.key === key || b.getAttribute("href") === key)?.focus();
    el.dispatchEvent(new CustomEvent("redrawn", { bubbles: true }));
  }
  tick();
}

/** Brings all relative times up to date. */
function tick() {
  for (const el of all("time[data-ago]")) {
    const then = new Date(el.getAttribute("datetime") ?? "");
    if (!Number.isNaN(then.getTime())) el.textContent = ago(then);
  }
}
