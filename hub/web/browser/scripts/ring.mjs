// A ring in two tabs: both show it, one sounds; what one dismisses is gone in both.

import { Person, api, live, must, note, rested, rings, run, until } from "./lib.mjs";

// Counts what is really asked of Web Audio.
const count = () => {
  globalThis.begun = 0;
  const start = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (...args) {
    globalThis.begun++;
    return start.apply(this, args);
  };
};
const begun = (page) => page.evaluate(() => globalThis.begun);
const audible = (page) => page.evaluate(() => document.documentElement.dataset.audible === "on");

async function twoTabs(init) {
  const person = await Person.arrive({ init });
  const first = await person.open("/");
  const second = await person.open("/events");
  for (const page of [first, second]) {
    await page.bringToFront();
    await page.getByRole("button", { name: "Turn on sound" }).click();
    await until("sound is on", () => audible(page));
  }
  await first.bringToFront();
  await live(first);
  return { person, first, second };
}

async function ringAndSee({ person, first, second }) {
  // The little sound that says "sound is on" has been heard by now, or is cut short.
  const before = [await begun(first), await begun(second)];
  await rested(first);
  await first.getByRole("button", { name: "Ring the doorbell" }).click();
  for (const page of [first, second]) {
    await until("the overlay", () => rings(page).count());
    must((await rings(page).getByRole("heading").textContent()) === "Someone is at Demo porch", "the overlay names the door");
    must((await rings(page).getAttribute("role")) === "alertdialog", "role alertdialog");
  }
  const more = await until("a sound", async () => {
    const now = [(await begun(first)) - before[0], (await begun(second)) - before[1]];
    return now[0] + now[1] > 0 && now;
  });
  // A second tab that sounds as well would do so at once; the trace is the bell's own account.
  const { events } = await api(first, "/events?kind=ring&limit=1");
  const hop = await until("the trace tells that the browser sounded", async () => {
    const { hops } = await api(first, `/events/${events[0].id}/trace`);
    return hops.find((h) => h.who === "chime browser" && h.outcome === "ok");
  });
  const after = [(await begun(first)) - before[0], (await begun(second)) - before[1]];
  note(`notes begun: ${after.join(" and ")}; trace: ${hop.who} ${hop.what}`);
  must(after.filter((n) => n > 0).length === 1, `exactly one tab sounds, not ${after} (first saw ${more})`);

  must(await first.evaluate(() => document.activeElement?.textContent === "Not now"), "the focus is on Not now");
  await until("the picture in the overlay", async () => /MSE/.test(await rings(first).locator("[data-badge]").textContent()));
  await first.keyboard.press("Escape");
  for (const page of [first, second]) await until("gone in both", async () => (await rings(page).count()) === 0);
  must(await first.evaluate(() => document.activeElement?.textContent?.includes("Ring the doorbell") === true), "the focus is back");
  await person.leave();
}

await run({
  async "two tabs and a shared worker"() {
    await ringAndSee(await twoTabs(count));
  },
  async "two tabs without shared workers"() {
    await ringAndSee(await twoTabs(`(${count})(); delete globalThis.SharedWorker;`));
  },
  async "one connection for three tabs"() {
    const person = await Person.arrive();
    const pages = [await person.open("/"), await person.open("/events"), await person.open("/plugins")];
    for (const page of pages) await until("connected", () => page.evaluate(() => document.documentElement.dataset.link === "up"));
    const streams = await until("the hub's count of streams", async () => {
      const text = await pages[0].evaluate(async () => (await fetch("/metrics")).text());
      const m = /^porchlight_web_streams (\d+)$/m.exec(text);
      return m && m[1];
    });
    must(streams === "1", `${streams} streams for one browser`);
    await person.leave();
  },
  async "a press too soon is answered"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await until("connected", () => page.evaluate(() => document.documentElement.dataset.link === "up"));
    await rested(page);
    const button = page.getByRole("button", { name: "Ring the doorbell" });
    await button.click();
    await until("the overlay", () => rings(page).count());
    await page.keyboard.press("Escape");
    await button.click();
    await until("a word", () => page.getByText("rang a moment ago").count());
    await person.leave();
  },
  async "an old ring is not shown again"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await until("connected", () => page.evaluate(() => document.documentElement.dataset.link === "up"));
    await page.waitForTimeout(1_000);
    must((await rings(page).count()) === 0, "a page that comes later shows no overlay");
    await person.leave();
  },
});
