// axe finds nothing serious: every page, light and dark, wide and narrow, with the
// overlay and the menu open as well.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { Person, api, live, must, note, rested, rings, run, until } from "./lib.mjs";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function check(page, what) {
  // The page's policy allows no script of ours: the debugger's own evaluation brings it in.
  await page.evaluate(source);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  const told = bad.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join(" | ")}`);
  must(passes.length > 5, "axe looked at nothing");
  must(bad.length === 0, `${what}: ${told.join("; ")}`);
  for (const v of violations) note(`${what}: ${v.impact} ${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
}

async function sideways(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(over <= 0, `${what} is ${over} px too wide`);
}

const parts = {};
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    parts[`${colorScheme}, ${width} px`] = async () => {
      // The page that says 404 is one, in the console too. Moving things are looked at at rest.
      const person = await Person.arrive({ colorScheme, viewport: { width, height: 844 }, reducedMotion: "reduce", quiet: [/status of 404/] });
      const page = await person.open("/");
      await live(page);
      await check(page, "home");
      await sideways(page, "home");
      await page.locator(".menu summary").click();
      await check(page, "menu");
      await page.keyboard.press("Escape");
      await rested(page);
      await page.locator("main [data-act=ring]").click();
      await until("the overlay", () => rings(page).count());
      await check(page, "ring overlay");
      await page.keyboard.press("Escape");
      const { events } = await api(page, "/events?kind=ring&limit=1");
      for (const path of ["/events", "/events?camera=none", `/events/${events[0].id}`, "/plugins", "/plugins/demo", "/config", "/setup", "/explain/E-CFG-NOT-YET", "/nowhere"]) {
        await page.goto(new URL(path, page.url()).href);
        await check(page, path);
        await sideways(page, path);
      }
      await person.context.clearCookies();
      for (const path of ["/login", "/login?why=setup-link"]) {
        await page.goto(new URL(path, page.url()).href);
        await check(page, path);
        await sideways(page, path);
      }
      await person.leave();
    };
  }
}
await run(parts);
