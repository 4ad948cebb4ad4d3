// @ts-check
// What the buttons of the pages do, and the list of first steps.

import { all, h, icon, toast } from "./dom.js";
import { cameraPath, Refusal, send, url } from "./api.js";

/**
 * While it runs the button is busy; what the hub refuses is said.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} act
 */
export async function busy(button, act) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (err) {
    const code = err instanceof Refusal && err.code ? ` (${err.code})` : "";
    toast(`${err instanceof Error ? err.message : "It did not work."}${code}`, "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** @param {Record<string, (button: HTMLButtonElement) => Promise<unknown>>} acts */
function onClicks(acts) {
  // One listener: parts are drawn again and their buttons with them.
  document.addEventListener("click", (e) => {
    const button = e.target instanceof Element ? /** @type {HTMLButtonElement | null} */ (e.target.closest("[data-act]")) : null;
    const act = button && acts[button.dataset.act ?? ""];
    if (!button || !act) return;
    e.preventDefault(); // without script the same button sends its form
    busy(button, () => act(button));
  });
}

// A ring is back here in some milliseconds; one that is not in this time (ms) was taken
// for the same press as the last.
const ringWithin = 2_000;

/**
 * @param {import("./parts.js").Parts} parts
 * @param {EventTarget} feed
 */
export function home(parts, feed) {
  onClicks({
    ring: (b) => ring(b.dataset.camera ?? "", feed),
    quiet: async () => {
      await send("/quiet", { for: "1h" });
      parts.draw("quiet");
      parts.draw("banner");
    },
    "quiet-end": async () => {
      await send("/quiet", {}, "DELETE");
      parts.draw("quiet");
      parts.draw("banner");
    },
    "try-chime": async (b) => {
      const played = await send(`/chimes/${encodeURIComponent(b.dataset.chime ?? "")}/test`);
      if (played && played.played === false) toast(`It did not sound: ${played.reason || "no reason was given"}.`, "bad");
    },
    mute: async (b) => {
      await send(`/chimes/${encodeURIComponent(b.dataset.chime ?? "")}/mute`, { muted: b.getAttribute("aria-pressed") !== "true" });
      parts.draw("chimes");
    },
    restart: async (b) => {
      await send(`/plugins/${encodeURIComponent(b.dataset.plugin ?? "")}/restart`);
      toast(`${b.dataset.plugin} starts again`);
    },
    retry: async (b) => {
      await send(`${cameraPath(b.dataset.camera ?? "")}/retry`);
      toast("Trying now");
      parts.draw("sources");
    },
    renew: async (b) => {
      if (!(await sure(b, "The old address stops at once"))) return;
      await send(`${cameraPath(b.dataset.camera ?? "")}/hook`);
      parts.draw("hook");
      toast("A new address is made; the old one is worthless");
    },
    revoke: async (b) => {
      if (!(await sure(b, "It stops at once"))) return;
      await send(`/tokens/${encodeURIComponent(b.dataset.token ?? "")}`, {}, "DELETE");
      parts.draw("list");
      toast("It is worthless now");
    },
    "revoke-stream": async (b) => {
      if (!(await sure(b, "What watches with it stops at once"))) return;
      await send(`/stream-passwords/${encodeURIComponent(b.dataset.password ?? "")}`, {}, "DELETE");
      parts.draw("streams");
      toast("It is worthless now");
    },
    unpair: async (b) => {
      if (!(await sure(b, "It loses the accessory at once"))) return;
      await send(`/plugins/${encodeURIComponent(b.dataset.plugin ?? "")}/actions/unpair`, { camera: b.dataset.camera, controller: b.dataset.controller });
      parts.draw("accessories");
      toast("It is no longer paired");
    },
    print: async () => window.print(),
    snapshot: (b) => snapshot(b.dataset.camera ?? "", Number(b.dataset.rotate ?? 0)),
    copy: async (b) => {
      await copy(document.getElementById(b.dataset.from ?? "")?.textContent ?? "");
      toast("Copied");
    },
  });
  inline();
  checklist();
  showCopies();
  document.addEventListener("redrawn", () => showCopies());
}

function canCopy() {
  return navigator.clipboard !== undefined || document.queryCommandSupported?.("copy") === true;
}

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // A page by plain HTTP from another machine has no clipboard but by a selection.
  const box = /** @type {HTMLTextAreaElement} */ (h("textarea", { class: "sr", "aria-hidden": "true", tabindex: "-1" }));
  box.value = text;
  document.body.append(box);
  const back = document.activeElement;
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  if (back instanceof HTMLElement) back.focus();
  if (!done) throw new Error("This browser does not let the page copy: select the line and copy it by hand.");
}

/**
 * @param {string} camera
 * @param {EventTarget} feed
 */
async function ring(camera, feed) {
  const heard = new Promise((resolve) => {
    const end = new AbortController();
    const done = (/** @type {boolean} */ yes) => {
      end.abort();
      resolve(yes);
    };
    const hear = (/** @type {Event} */ e) => {
      const { name, data } = /** @type {CustomEvent} */ (e).detail;
      if (name === "event" && data.type === "ring" && data.camera === camera) done(true);
    };
    feed.addEventListener("feed", hear, { signal: end.signal });
    setTimeout(() => done(false), ringWithin);
  });
  await send(`${cameraPath(camera)}/ring`, { test: true });
  if (!(await heard) && document.documentElement.dataset.link === "up") {
    toast("It rang a moment ago: the bell takes presses within a few seconds for one.");
  }
}

/**
 * A button that cannot be taken back asks by its own words: it acts on the second press.
 * @param {HTMLButtonElement} button
 * @param {string} warning
 */
async function sure(button, warning) {
  if (button.dataset.armed !== undefined) {
    delete button.dataset.armed;
    return true;
  }
  const label = [...button.childNodes].map((n) => n.cloneNode(true));
  button.dataset.armed = "";
  button.replaceChildren(icon("alert"), `${warning}: press again`);
  setTimeout(() => {
    if (button.dataset.armed === undefined) return;
    delete button.dataset.armed;
    button.replaceChildren(...label);
  }, 6_000);
  return false;
}

/**
 * Forms whose answer is one part of the page: it takes its place there, and nothing else
 * moves. With a note of its own the old answer stays until the new one is there. Some are
 * sent at once.
 */
function inline() {
  document.addEventListener("submit", (e) => {
    const form = e.target instanceof HTMLFormElement && e.target.dataset.inline ? e.target : null;
    const place = form && document.getElementById(form.dataset.inline ?? "");
    const note = document.getElementById(form?.dataset.note ?? "") ?? place;
    const button = form?.querySelector("button");
    if (!form || !place || !note || !button) return;
    e.preventDefault();
    busy(button, async () => {
      note.replaceChildren(h("p", { class: "looking", role: "status" }, icon("clock"), form.dataset.busy ?? ""));
      const address = new URL(form.action);
      address.hash = "";
      address.searchParams.set("part", form.dataset.partName ?? "");
      const answer = await fetch(address, { method: "POST", credentials: "same-origin", headers: { Accept: "text/html" } }).catch(() => undefined);
      note.replaceChildren();
      if (!answer) throw new Refusal("The hub does not answer.", "", 0);
      const doc = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) throw new Refusal(doc.querySelector(".oops h1 + p")?.textContent ?? `The hub answered ${answer.status}.`, doc.querySelector(".oops .code")?.textContent ?? "", answer.status);
      place.replaceChildren(...[...doc.body.childNodes].map((n) => document.importNode(n, true)));
      showCopies(place);
    });
  });
  for (const form of all("form[data-at-once]")) /** @type {HTMLFormElement} */ (form).requestSubmit();
}

/**
 * A button that this browser cannot serve would only fail.
 * @param {ParentNode} [root]
 */
function showCopies(root) {
  for (const button of all("[data-act]", root)) button.hidden = button.dataset.act === "copy" && !canCopy();
}

/**
 * @param {string} camera
 * @param {number} turn degrees, clockwise
 */
async function snapshot(camera, turn) {
  const answer = await fetch(url(`${cameraPath(camera)}/snapshot.jpg?max_age=1s`), { cache: "no-store" });
  if (!answer.ok) {
    const { refusal } = await import("./api.js");
    throw await refusal(answer);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await turned(await answer.blob(), turn));
  const now = new Date();
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  link.download = `${camera}-${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  toast("Snapshot saved");
}

/**
 * @param {Blob} jpeg
 * @param {number} degrees clockwise
 */
async function turned(jpeg, degrees) {
  if (degrees % 360 === 0) return jpeg;
  const picture = await createImageBitmap(jpeg);
  const canvas = document.createElement("canvas");
  const lying = degrees % 180 === 0;
  canvas.width = lying ? picture.width : picture.height;
  canvas.height = lying ? picture.height : picture.width;
  const to = canvas.getContext("2d");
  to?.translate(canvas.width / 2, canvas.height / 2);
  to?.rotate((degrees * Math.PI) / 180);
  to?.drawImage(picture, -picture.width / 2, -picture.height / 2);
  picture.close();
  return new Promise((done) => canvas.toBlob((b) => done(b ?? jpeg), "image/jpeg", 0.92));
}

/** The first steps: each can be ticked off, and the whole put away for this browser. */
function checklist() {
  const box = document.getElementById("first-steps");
  if (!box) return;
  const key = "porchlight-steps";
  /** @type {{gone?: boolean, skipped?: string[]}} */
  let state = {};
  try {
    state = JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    // Nothing kept.
  }
  const keep = () => {
    try {
      localStorage.setItem(key, JSON.stringify(state));
    } catch {
      // For this page only.
    }
  };
  const show = () => {
    box.hidden = state.gone === true;
    for (const step of all("[data-step]", box)) {
      if (!state.skipped?.includes(step.dataset.step ?? "")) continue;
      step.classList.add("done");
      const mark = step.querySelector(".step-mark");
      mark?.replaceChildren(icon("check"), h("span", { class: "sr" }, "put aside: "));
      step.querySelector("[data-skip]")?.remove();
    }
  };
  box.addEventListener("click", (e) => {
    const el = e.target instanceof Element ? e.target.closest("[data-skip], [data-dismiss]") : null;
    if (!el) return;
    if (el.hasAttribute("data-dismiss")) state.gone = true;
    else {
      const step = /** @type {HTMLElement | null} */ (el.closest("[data-step]"));
      state.skipped = [...(state.skipped ?? []), step?.dataset.step ?? ""];
      /** @type {HTMLElement | null} */ (step?.querySelector("a, button:not([data-skip])"))?.focus();
    }
    keep();
    show();
    if (state.gone) document.querySelector("main")?.focus();
  });
  show();
}
