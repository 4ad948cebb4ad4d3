// What the scripts share: a browser, a person who is signed in, and eyes that are open
// all the time. The house comes by the environment: PORCHLIGHT_URL, PORCHLIGHT_COOKIE,
// PORCHLIGHT_LINK (a fresh setup link), CHROMIUM (the browser's path).

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const url = process.env.PORCHLIGHT_URL.replace(/\/$/, "");
export const link = process.env.PORCHLIGHT_LINK;

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  // A microphone that beeps, and nobody who must be asked for it.
  "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

/** Waits until what gives something true, and gives that. */
export async function until(name, what, ms = 30_000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      last = await what();
      if (last) return last;
    } catch (err) {
      last = err.message;
    }
    if (Date.now() > end) throw new Error(`${name}: not within ${ms / 1000} s (last: ${JSON.stringify(last)})`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** @param {boolean} ok */
export function must(ok, text) {
  if (!ok) throw new Error(text);
}

export function note(text) {
  console.log(text);
}

export class Person {
  /** What went wrong while nobody looked. */
  seen = [];

  constructor(browser, context, quiet) {
    this.browser = browser;
    this.context = context;
    this.quiet = quiet;
  }

  /**
   * A browser with a profile of its own. It has WebRTC only where a script asks for that:
   * whether a browser reaches its own machine by it depends on the machine.
   */
  static async arrive({ signedIn = true, quiet = [], init, webrtc = false, ...options } = {}) {
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    const person = new Person(browser, context, quiet);
    context.setDefaultTimeout(30_000);
    if (signedIn) {
      const [name, value] = process.env.PORCHLIGHT_COOKIE.split(/=(.*)/s);
      await context.addCookies([{ name, value, url, httpOnly: true, sameSite: "Strict" }]);
    }
    const host = new URL(url).host;
    context.on("request", (r) => {
      const to = new URL(r.url());
      if (!["data:", "blob:"].includes(to.protocol) && to.host !== host) person.seen.push(`a request to another host: ${r.url()}`);
    });
    context.on("weberror", (e) => person.seen.push(`an error in the page: ${e.error().message}`));
    context.on("console", (m) => {
      const text = m.text();
      if (m.type() !== "error" || person.quiet.some((q) => q.test(text))) return;
      person.seen.push(`in the console: ${text} (${m.location().url})`);
    });
    if (!webrtc) await context.addInitScript(() => delete globalThis.RTCPeerConnection);
    if (init) await context.addInitScript(init);
    return person;
  }

  async open(path) {
    const page = await this.context.newPage();
    page.on("websocket", (ws) => {
      if (new URL(ws.url()).host !== new URL(url).host) this.seen.push(`a socket to another host: ${ws.url()}`);
    });
    await page.goto(path.startsWith("http") ? path : url + path);
    return page;
  }

  async leave() {
    await this.browser.close();
    must(this.seen.length === 0, `unseen by the person: ${this.seen.join("; ")}`);
  }
}

/** Runs a script's parts; the first that fails ends it. */
export async function run(parts) {
  for (const [name, part] of Object.entries(parts)) {
    const begun = Date.now();
    try {
      await part();
    } catch (err) {
      console.log(`FAILED ${name}: ${err.stack}`);
      process.exit(1);
    }
    console.log(`ok ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  }
}

// --- what a person sees ---

export const badge = (page) => page.locator("main [data-player] [data-badge]").textContent();

export const frames = (page) =>
  page.evaluate(() => {
    const v = document.querySelector("main [data-player] video");
    return v instanceof HTMLVideoElement ? v.getVideoPlaybackQuality().totalVideoFrames : 0;
  });

export const rings = (page) => page.locator("dialog.ring[open]");

export async function live(page, want = /^MSE · \d+\.\d s$/) {
  return until(`a live picture (${want})`, async () => want.test(await badge(page)) && badge(page));
}

export async function api(page, path, method = "GET", body) {
  return page.evaluate(
    async ([p, m, b]) => {
      const r = await fetch("/api/v1" + p, { method: m, body: b && JSON.stringify(b), headers: b ? { "Content-Type": "application/json" } : {} });
      return r.status === 204 ? null : r.json();
    },
    [path, method, body],
  );
}

/** The bell takes presses within 3 s for one; this waits until it would take another. */
export async function rested(page) {
  await until("the bell is rested", async () => {
    const { events } = await api(page, "/events?kind=ring&limit=1");
    return events.length === 0 || Date.now() - new Date(events[0].received).getTime() > 3_500;
  });
}

// --- what axe sees ---

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Fails where axe finds something serious. */
export async function check(page, what) {
  // The page's policy allows no script of ours: the debugger's own evaluation brings it in.
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  const told = bad.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join(" | ")}`);
  must(passes.length > 5, "axe looked at nothing");
  must(bad.length === 0, `${what}: ${told.join("; ")}`);
  for (const v of violations) note(`${what}: ${v.impact} ${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
}

/** Fails where the page is wider than the screen. */
export async function sideways(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(over <= 0, `${what} is ${over} px too wide`);
}
