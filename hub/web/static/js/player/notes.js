// @ts-check
// What a player says when there is no picture: what it is, why, and what to do.

import { url } from "../api.js";
import { ago, h, icon } from "../dom.js";

/** @typedef {"starting" | "live" | "stalled" | "offline" | "failed" | "paused" | "asleep"} State */
/** @typedef {{reason?: string, fix?: string, code?: string}} Why */
/** @typedef {{icon: string, title: string, text: string, fix?: string, code?: string}} Note */

// How browsers name what they decode (RFC 6381), and how people do.
/** @type {[RegExp, string][]} */
const codecs = [
  [/\b(avc1|avc3)\b/, "H.264"],
  [/\b(hvc1|hev1)\b/, "H.265"],
  [/\bav01\b/, "AV1"],
  [/\bvp09\b/, "VP9"],
];

/**
 * @param {string} mime
 * @returns {string} the codec as people name it
 */
export function codecIn(mime) {
  return codecs.find(([form]) => form.test(mime))?.[1] ?? mime;
}

/**
 * @param {State} state
 * @param {{name: string, small: boolean, seen?: Date, why: Why, cannot: string[]}} about
 * @returns {Note | undefined} nothing where the picture speaks for itself
 */
export function note(state, { name, small, seen, why, cannot }) {
  const last = seen ? ` Last picture ${ago(seen)}.` : "";
  const reason = why.reason ? sentence(why.reason) : "";
  const more = { fix: why.fix && sentence(why.fix), code: why.code };
  switch (state) {
    case "stalled":
      if (why.reason === "tap") return { icon: "play", title: "Press pause and play to begin", text: "This browser waits for a touch before it shows video." };
      return { icon: "refresh", title: "Reconnecting", text: reason };
    case "offline":
      if (/no longer in the config/.test(reason)) return { icon: "camera-off", title: small ? "Removed" : `${name} was removed`, text: reason };
      return { icon: "camera-off", title: small ? "Offline" : `${name} is offline`, text: `${reason}${last}${more.fix ? "" : " It comes back by itself."}`, ...more };
    case "failed":
      if (cannot.length > 0) {
        const text = `${cannot.map(sentence).join(" ")}${reason ? ` And the hub has no single pictures of it: ${lower(reason)}` : ""}${last}`;
        return { icon: "camera-off", title: small ? "No picture" : "No picture in this browser", text, ...more, fix: more.fix || advice(cannot.join(" ")) };
      }
      return { icon: "camera-off", title: "No picture yet", text: `${reason}${last} Trying again.`, ...more };
    case "asleep":
      return { icon: "quiet", title: "Asleep", text: reason };
  }
  return undefined;
}

/** @param {string} text */
function advice(text) {
  return /H\.265/.test(text) ? "Set the camera's video encoding to H.264 in its own settings, or add a sub stream in H.264." : undefined;
}

/**
 * @param {Note} n
 * @param {boolean} short there is room for what it is, and not for what to do
 * @param {string} [details] where more of it is told
 * @returns {Node[]}
 */
export function drawn(n, short, details) {
  if (short) return [h("strong", {}, n.title), h("span", {}, ...prose(n.text))];
  /** @type {Node[]} */
  const out = [icon(n.icon), h("strong", {}, n.title), h("span", {}, ...prose(n.text))];
  if (n.fix) out.push(h("span", { class: "player-fix" }, ...prose(n.fix)));
  if (n.code || (n.fix && details)) {
    const links = h("span", { class: "player-links" });
    if (n.code) links.append(h("a", { class: "code", href: `/explain/${encodeURIComponent(n.code)}` }, n.code));
    if (details) links.append(h("a", { href: details }, "Look at the camera"));
    out.push(links);
  }
  return out;
}

/**
 * Text of a room: what stands between backticks is code.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function prose(text) {
  return text.split("`").map((piece, i) => (i % 2 ? h("code", {}, piece) : piece));
}

/** @param {string} text */
export function sentence(text) {
  const s = text.trim();
  const t = s.charAt(0).toUpperCase() + s.slice(1);
  return t === "" || /[.!?]$/.test(t) ? t : `${t}.`;
}

/** @param {string} text */
function lower(text) {
  // A name in capitals (MJPEG, H.264) stays as it is.
  return /^[A-Z][a-z ]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/**
 * A reason without the address that it begins with, as "rtsp://…: the camera refuses" has it.
 * @param {string} reason
 */
export function bare(reason) {
  return reason.replace(/^((rtsp|http) )?(rtsp|http)s?:\/\/\S+: /, "");
}

/** @type {Map<string, Promise<string | undefined>>} */
const titles = new Map();

/**
 * What a code means, in words for people; undefined where nobody says.
 * @param {string} code
 */
export function meaning(code) {
  let title = titles.get(code);
  if (!title) {
    title = fetch(url(`/explain/${encodeURIComponent(code)}`), { credentials: "same-origin" })
      .then(async (answer) => (answer.ok ? (await answer.json()).title : undefined))
      .catch(() => undefined);
    titles.set(code, title);
  }
  return title;
}
