// @ts-check
// The home page: ring, quiet, snapshot, full screen, and the list of first steps.

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
    snapshot: (b) => snapshot(b.dataset.camera ?? ""),
    copy: async (b) => {
      await navigator.clipboard.writeText(document.getElementById(b.dataset.from ?? "")?.textContent ?? "");
      toast("Copied");
    },
    full: async (b) => {
      const player = b.closest("[data-stage]")?.querySelector("[data-player]");
      if (player) await fullScreen(/** @type {HTMLElement} */ (player));
    },
  });
  checklist();
  // A clipboard needs a secure context; without one the button would only fail.
  for (const button of all("[data-act]")) button.hidden = button.dataset.act === "copy" && !navigator.clipboard;
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

/** @param {string} camera */
async function snapshot(camera) {
  const answer = await fetch(url(`${cameraPath(camera)}/snapshot.jpg?max_age=1s`), { cache: "no-store" });
  if (!answer.ok) {
    const { refusal } = await import("./api.js");
    throw await refusal(answer);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  const now = new Date();
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  link.download = `${camera}-${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  toast("Snapshot saved");
}

/** @param {HTMLElement} player */
async function fullScreen(player) {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  if (player.requestFullscreen) {
    await player.requestFullscreen();
    return;
  }
  // An iPhone gives the whole screen to a video only.
  /** @type {any} */ (player.querySelector("video"))?.webkitEnterFullscreen?.();
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
