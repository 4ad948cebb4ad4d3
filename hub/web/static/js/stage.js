// @ts-check
// The players of a page. On the home page one camera is large and the others are small;
// a touch on a small one makes it large, without loading the page anew. A player whose
// place is the same before and after goes on without a break.

import { hasSub } from "./api.js";
import { all } from "./dom.js";
import { Player } from "./player/player.js";

// A small picture starts a little before it comes into sight (px).
const margin = "200px";

export class Stage {
  /** @type {Map<HTMLElement, Player>} */
  #players = new Map();
  #feed;
  /** @type {HTMLElement | null} */
  #box;
  #eye;
  #drawn = 0; // the newest that was asked for
  #ids = ""; // of the cameras that the page shows
  /** What else of them the page shows. @type {string | undefined} */
  #form;

  /** @param {import("./feed.js").Feed} feed */
  constructor(feed) {
    this.#feed = feed;
    this.#box = document.querySelector("[data-stage][data-ids]");
    this.#eye = new IntersectionObserver((seen) => seen.forEach((s) => this.#players.get(/** @type {HTMLElement} */ (s.target))?.inSight(s.isIntersecting)), { rootMargin: margin });
    this.#start();
    if (!this.#box) return;
    this.#ids = this.#box.dataset.ids ?? "";
    document.addEventListener("click", (e) => this.#clicked(e));
    addEventListener("popstate", () => this.#draw());
    feed.addEventListener("house", (e) => this.#house(/** @type {CustomEvent} */ (e).detail.cameras));
  }

  #start() {
    for (const el of all("[data-player]", document.querySelector("main") ?? document)) {
      if (this.#players.has(el)) continue;
      this.#players.set(el, new Player(el, this.#feed));
      if (el.dataset.small !== undefined) this.#eye.observe(el);
    }
  }

  /** @param {MouseEvent} e */
  #clicked(e) {
    const link = e.target instanceof Element ? /** @type {HTMLAnchorElement | null} */ (e.target.closest("a[data-show], a[data-view]")) : null;
    if (!link || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    if (link.href !== location.href) history.pushState({}, "", link.href);
    this.#draw(link.dataset.view ?? "show");
  }

  /** @param {any[]} cameras */
  #house(cameras) {
    const form = cameras.map((c) => [c.id, c.name, c.kind, c.rotate, c.button, hasSub(c)].join("/")).join(" ");
    const ids = cameras.map((c) => c.id).join(" ");
    const same = ids === this.#ids && form === (this.#form ?? form);
    this.#ids = ids;
    this.#form = form;
    if (!same) this.#draw();
  }

  /** @param {string} [by] what was pressed: it gets the focus again */
  async #draw(by) {
    const turn = ++this.#drawn;
    const address = new URL(location.href);
    address.searchParams.set("part", "stage");
    const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } }).catch(() => undefined);
    if (turn !== this.#drawn || !this.#box) return;
    if (!answer?.ok || answer.redirected) {
      if (by) location.reload(); // the whole page says what is wrong
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    if (turn !== this.#drawn) return;
    this.#replace(this.#box, fresh);
    if (by === "show") {
      const large = /** @type {HTMLElement | null} */ (this.#box.querySelector(".player-large, .bell-plate-large"));
      large?.scrollIntoView({ block: "nearest" });
      large?.setAttribute("tabindex", "-1");
      large?.focus({ preventScroll: true });
    } else if (by) /** @type {HTMLElement | null} */ (this.#box.querySelector(`[data-view="${by}"]`))?.focus({ preventScroll: true });
  }

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} fresh
   */
  #replace(box, fresh) {
    const content = [...fresh.childNodes].map((n) => document.importNode(n, true));
    const holder = document.createElement("div");
    holder.append(...content);
    /** @type {Map<string, HTMLElement>} */
    const kept = new Map();
    for (const el of this.#players.keys()) if (box.contains(el)) kept.set(place(el), el);
    const ids = all("[data-player]", holder);
    for (const el of ids) {
      const old = kept.get(place(el));
      if (old) {
        el.replaceWith(old);
        kept.delete(place(old));
      }
    }
    box.replaceChildren(...holder.childNodes);
    for (const [el, player] of this.#players) {
      if (el.isConnected) continue;
      player.stop();
      this.#eye.unobserve(el);
      this.#players.delete(el);
    }
    this.#start();
    box.dispatchEvent(new CustomEvent("redrawn", { bubbles: true }));
  }
}

/**
 * What a player shows, and how.
 * @param {HTMLElement} el
 */
function place(el) {
  const d = el.dataset;
  return [d.camera, d.name, d.play, d.rotate, d.small !== undefined, d.hold !== undefined].join("/");
}
