// Without a mouse: all that a page does can be done with Tab, Enter, Space and Escape.

import { Person, live, must, note, rested, rings, run, until, url } from "./lib.mjs";

const focus = (page) =>
  page.evaluate(() => {
    const el = document.activeElement;
    if (!el || el === document.body) return { name: "", seen: true, size: 44 };
    const box = el.getBoundingClientRect();
    const style = getComputedStyle(el);
    return {
      name: (el.getAttribute("aria-label") ?? el.textContent ?? "").trim().replace(/\s+/g, " "),
      tag: el.tagName,
      seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
      inside: box.bottom > 0 && box.top < innerHeight,
      size: Math.max(box.height, box.width),
    };
  });

/** Presses Tab until the element of that name has the focus. */
async function reach(page, name) {
  const passed = [];
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const at = await focus(page);
    passed.push(at.name);
    if (!at.name) continue;
    must(at.seen, `the focus on "${at.name}" is not to be seen`);
    if (name.test(at.name)) {
      must(at.inside, `"${at.name}" has the focus out of sight`);
      return at;
    }
  }
  throw new Error(`Tab does not lead to ${name}; it led to ${passed.join(", ")}`);
}

await run({
  async "ring, look, dismiss, be quiet, read the trace"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await live(page);
    await page.keyboard.press("Tab");
    must(/content/.test((await focus(page)).name), "the first Tab is the way past the head");
    // The first key was a touch: the page may sound from then on. The button ends it, and begins it again.
    const audible = (want) => until(`sound is ${want}`, () => page.evaluate((w) => document.documentElement.dataset.audible === w, want));
    await audible("on");
    await reach(page, /^Sound on$/);
    await page.keyboard.press("Enter");
    await audible("off");
    must((await focus(page)).name === "Turn on sound", "the button says what it does");
    await page.keyboard.press("Enter");
    await audible("on");
    await reach(page, /^Pause the live picture$/);
    await page.keyboard.press("Space");
    await until("paused", async () => (await page.locator("main [data-badge]").textContent()) === "Paused");
    await page.keyboard.press("Space");
    await live(page);
    await reach(page, /^Ring the doorbell$/);
    await rested(page);
    await page.keyboard.press("Enter");
    await until("the overlay", () => rings(page).count());
    must((await focus(page)).name === "Not now", "the overlay takes the focus");
    // The focus stays in the overlay, round and round.
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("Tab");
      must(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null), "the focus left the overlay");
    }
    await page.keyboard.press("Escape");
    await until("dismissed", async () => (await rings(page).count()) === 0);
    must((await focus(page)).name === "Ring the doorbell", "the focus is where it was");
    await reach(page, /^Quiet 1 h$/);
    await page.keyboard.press("Enter");
    await until("quiet", () => page.getByRole("button", { name: /Quiet until/ }).count());
    await until("the banner says it", () => page.locator(".bar", { hasText: "Quiet until" }).count());
    await until("the focus is on the same button", async () => /^Quiet until/.test((await focus(page)).name));
    await page.keyboard.press("Enter");
    await until("not quiet", () => page.getByRole("button", { name: "Quiet 1 h" }).count());
    await reach(page, /^Ring/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/events\//);
    must(/Ring at Demo porch/.test(await page.locator("h1").textContent()), "the event's page");
    await person.leave();
  },
  async "restart a plugin, choose a password, sign out and in"() {
    const person = await Person.arrive({ quiet: [/status of 401/] });
    const page = await person.open("/");
    await reach(page, /^Plugins$/);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/plugins`);
    await reach(page, /^Restart demo$/);
    const pid = async () => (await page.evaluate(async () => (await fetch("/api/v1/plugins/demo")).json())).pid;
    const before = await pid();
    await page.keyboard.press("Enter");
    await until("another process", async () => (await pid()) > 0 && (await pid()) !== before);
    await page.goto(url);
    await reach(page, /^You: owner$/);
    await page.keyboard.press("Enter");
    await reach(page, /^Choose a password$/);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/setup`);
    for (let i = 0; i < 30 && !(await page.evaluate(() => document.activeElement?.getAttribute("name") === "password")); i++) await page.keyboard.press("Tab");
    await page.keyboard.type("a lamp on the porch");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/`);
    await reach(page, /^You: owner$/);
    await page.keyboard.press("Enter");
    await reach(page, /^Sign out$/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/login/);
    await page.keyboard.type("not this one");
    await page.keyboard.press("Enter");
    await until("refused with its code", () => page.getByText("E-ACCESS-WRONG").count());
    await page.keyboard.type("a lamp on the porch");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/`);
    note(`signed in again by ${(await page.evaluate(async () => (await fetch("/api/v1/me")).json())).via}`);
    await person.leave();
  },
});
