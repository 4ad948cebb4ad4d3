// @ts-check
// The ways to a picture, best first, and what this tab remembers of the best.

import { Mjpeg } from "./mjpeg.js";
import { Mse } from "./mse.js";
import { Snapshots } from "./snapshots.js";
import { Whep } from "./whep.js";

/** @typedef {typeof Whep | typeof Mse | typeof Mjpeg | typeof Snapshots} Way */
/**
 * @typedef {object} Rung
 * @property {Way} way
 * @property {string} stream
 * @property {number} wait how long (ms) it may show nothing at first
 * @property {number} mend and later, when a picture was there
 */

/**
 * The ways that this browser has. A small picture takes no WebRTC, whose setting up costs
 * more than a small picture is worth, and no MJPEG: a browser opens few connections to one
 * host, and a stream of pictures keeps its own for good.
 * @param {string[]} streams
 * @param {boolean} small
 * @returns {Rung[]}
 */
export function ladder(streams, small) {
  /** @type {Rung[]} */
  const all = [];
  if (!small) all.push({ way: Whep, stream: streams[0] ?? "main", wait: 2_000, mend: 60_000 });
  for (const stream of streams) all.push({ way: Mse, stream, wait: 8_000, mend: 8_000 });
  if (!small) all.push({ way: Mjpeg, stream: "main", wait: 6_000, mend: 6_000 });
  all.push({ way: Snapshots, stream: "main", wait: 10_000, mend: 10_000 });
  const here = all.filter((rung) => rung.way.supported());
  return here.length > 0 ? here : all.slice(-1);
}

const key = "porchlight-webrtc"; // sessionStorage: what became of it in this tab
// After so many failures in a row WebRTC rests for so long (ms); it is tried in the
// background then, while a lesser way shows the picture.
const rests = [4_000, 30_000, 120_000, 300_000];
// How soon (ms) it is tried beside another way that goes first.
const beside = 300;
// A tab in which it has worked tries it again at this pace (ms) for so long (ms): the
// network may be back any moment.
const soon = 3_000;
const hopeful = 120_000;

/** @typedef {{failed: number, at: number, worked: number}} Memory times in ms since 1970 */

/** @returns {Memory} */
function remembered() {
  try {
    const m = JSON.parse(sessionStorage.getItem(key) ?? "");
    return { failed: Number(m.failed) || 0, at: Number(m.at) || 0, worked: Number(m.worked) || 0 };
  } catch {
    // A machine without a network has no address by which WebRTC could reach it: on the hub's
    // own machine another way goes first, and WebRTC is tried beside it.
    return { failed: atHome() ? 1 : 0, at: Date.now() + beside - rests[0], worked: 0 };
  }
}

function atHome() {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
}

/** @param {Memory} m */
function keep(m) {
  try {
    sessionStorage.setItem(key, JSON.stringify(m));
  } catch {
    // For this try only.
  }
}

/** What became of WebRTC in this tab. */
export const webrtc = {
  worked() {
    const m = remembered();
    if (m.failed > 0 || Date.now() - m.worked > 5_000) keep({ failed: 0, at: 0, worked: Date.now() });
  },
  failed() {
    const m = remembered();
    keep({ ...m, failed: m.failed + 1, at: Date.now() });
  },
  /** How long (ms) it is left in peace from now on. */
  rest() {
    const m = remembered();
    if (m.failed === 0) return 0;
    const pace = Date.now() - m.worked < hopeful ? soon : rests[Math.min(m.failed, rests.length) - 1];
    return Math.max(0, m.at + pace - Date.now());
  },
  /** The network came back: what was before counts no more. */
  forget() {
    const m = remembered();
    if (m.worked > 0) keep({ ...m, failed: 0 });
  },
};
