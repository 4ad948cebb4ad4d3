// A misspelt key: the page says line and right word, and everything goes on.
// PORCHLIGHT_FILE is the config that the hub watches.

import { readFileSync, writeFileSync } from "node:fs";
import { Person, frames, live, must, run, until } from "./lib.mjs";

const file = process.env.PORCHLIGHT_FILE;

await run({
  async "told on every open page, and gone when it is mended"() {
    const good = readFileSync(file, "utf8");
    const bad = good.replace("sound:", "soud:");
    must(bad !== good, "the file has a sound");
    const line = bad.split("\n").findIndex((l) => l.includes("soud:")) + 1;
    const person = await Person.arrive();
    const page = await person.open("/");
    const other = await person.open("/plugins");
    await page.bringToFront();
    await live(page);
    writeFileSync(file, bad);
    for (const p of [page, other]) {
      const bar = p.locator("[data-part=banner] .bar-bad").first();
      await until("the banner", async () => (await bar.count()) && (await bar.textContent()).includes(`:${line}:`));
      must(/sound/.test(await bar.textContent()), `the right word: ${await bar.textContent()}`);
    }
    const before = await frames(page);
    await until("the porch moves on", async () => (await frames(page)) > before + 20);
    await other.goto(new URL("/config", other.url()).href);
    must(/soud/.test(await other.locator("main").textContent()), "the config page has the line");
    writeFileSync(file, good);
    for (const p of [page, other]) await until("the banner is gone", async () => (await p.locator(".bar-bad:visible").count()) === 0);
    await person.leave();
  },
});
