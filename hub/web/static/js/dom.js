// @ts-check
// Building and finding elements. No markup is ever made from a string of the hub:
// text goes in as text.

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, string | boolean | undefined>} [attrs] false and undefined leave the attribute out
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (value === false || value === undefined) continue;
    el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children);
  return el;
}

const svgNS = "http://www.w3.org/2000/svg";
const sprite = new URL("../icons.svg", import.meta.url).pathname;

/**
 * An icon of the sprite, hidden from assistive technology: the text beside it speaks.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(svgNS, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(svgNS, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * All elements that match, typed.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement[]}
 */
export function all(selector, root = document) {
  return /** @type {HTMLElement[]} */ ([...root.querySelectorAll(selector)]);
}

/**
 * A short message at the foot of the page; read out politely.
 * @param {string} text
 * @param {"ok" | "bad"} [kind]
 */
export function toast(text, kind = "ok") {
  const shelf = document.getElementById("toasts");
  if (!shelf) return;
  const note = h("div", { class: `toast toast-${kind}` }, icon(kind === "ok" ? "check" : "alert"), h("span", {}, text));
  shelf.append(note);
  while (shelf.children.length > 3) shelf.firstElementChild?.remove();
  setTimeout(() => note.remove(), kind === "ok" ? 4000 : 9000);
}

/**
 * "just now", "2 min ago": the same words as the server's.
 * @param {Date} then
 * @param {Date} [now]
 */
export function ago(then, now = new Date()) {
  const s = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000));
  if (s < 10) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} days ago`;
}
