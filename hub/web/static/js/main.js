// @ts-check
// What every page starts: the feed, the ring overlay, the sound, the live parts.

import { all, h, icon } from "./dom.js";
import { Feed } from "./feed.js";
import { Overlay } from "./overlay.js";
import { Parts } from "./parts.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";
import { home } from "./home.js";

const feed = new Feed();
const parts = new Parts(feed);
new Overlay(feed);
new Sound(feed);
home(parts, feed);
new Stage(feed);
for (const el of all("[data-openapi]")) import("./apidocs.js").then(({ apiDocs }) => apiDocs(el));
for (const select of all("[data-submit]")) {
  select.addEventListener("change", () => /** @type {HTMLSelectElement} */ (select).form?.requestSubmit());
}

// A menu closes as menus do: by Escape, and by a touch elsewhere.
const menus = () => /** @type {HTMLDetailsElement[]} */ (all("details.menu[open]"));
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    /** @type {HTMLElement | null} */ (menu.querySelector("summary"))?.focus();
  }
});
document.addEventListener("click", (e) => {
  for (const menu of menus()) if (!menu.contains(/** @type {Node} */ (e.target))) menu.open = false;
});

feed.addEventListener("link", (e) => {
  const up = /** @type {CustomEvent} */ (e).detail.up;
  document.documentElement.dataset.link = up ? "up" : "down";
});
feed.addEventListener("signed-out", () => {
  const bar = document.getElementById("signed-out");
  if (bar) bar.hidden = false;
});

// Said only after a while: most interruptions are over before anyone reads of them.
let away = 0;
setInterval(() => {
  const down = document.documentElement.dataset.link === "down";
  away = down ? away + 1 : 0;
  const bar = document.getElementById("hub-away");
  if (bar) bar.hidden = away < 4;
}, 1000);

// Without sound the house still shows that it rings.
feed.addEventListener("unheard", () => {
  const shelf = document.getElementById("toasts");
  if (!shelf || shelf.querySelector("[data-unheard]")) return;
  const note = h("div", { class: "toast toast-warn", "data-unheard": true }, icon("sound-off"), h("span", {}, "It rings, but this browser is silent: press Turn on sound."));
  shelf.append(note);
  setTimeout(() => note.remove(), 8000);
});
