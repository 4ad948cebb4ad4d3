// The config in several files: an error stands at its line of its file, the last save's
// plan is told, and a camera that is removed while somebody watches takes only itself along.
// PORCHLIGHT_FILE is the main file; conf.d/garden.yaml beside it is included.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Person, badge, frames, must, note, run, until } from "./lib.mjs";

const garden = join(dirname(process.env.PORCHLIGHT_FILE), "conf.d/garden.yaml");

await run({
  async "an error in an included file"() {
    const good = readFileSync(garden, "utf8");
    const person = await Person.arrive();
    const page = await person.open("/config");
    must((await page.locator(".file").count()) >= 2, "every file is shown");
    writeFileSync(garden, good.replace("plugin: demo\n", "plugn: demo\n"));
    const margin = page.locator(".file", { hasText: "conf.d/garden.yaml" }).locator("tr", { has: page.locator(".margin") });
    await until("the error in the margin", async () => (await margin.count()) >= 1 && /plugin/.test(await margin.first().textContent()));
    must(/^4/.test((await margin.first().textContent()).trim()), `its line: ${await margin.first().textContent()}`);
    const place = page.locator(".problems a.place").first();
    must(/^conf\.d\/garden\.yaml:4:\d+$/.test(await place.textContent()), await place.textContent());
    await place.click();
    must(await page.locator("tr:target .margin").isVisible(), "the place leads to the line");
    writeFileSync(garden, good);
    await until("mended", async () => (await page.locator(".margin").count()) === 0);
    await person.leave();
  },
  async "a camera removed while watched"() {
    const good = readFileSync(garden, "utf8");
    const person = await Person.arrive({ quiet: [/WebSocket/, /status of (404|503)/] });
    const home = await person.open("/?view=grid");
    const live = (id) => home.locator(`main [data-camera=${id}][data-state=live]`).count();
    for (const id of ["front_door", "drive", "garden", "back"]) await until(`${id} is live`, () => live(id));
    await home.evaluate(() => document.querySelectorAll("main [data-player] video").forEach((v) => (v.dataset.mark = "same")));
    const own = await person.open("/cameras/garden");
    await until("its own page is live", () => own.locator("main [data-player][data-state=live]").count());
    await home.bringToFront();
    writeFileSync(garden, good.replace(/ {2}garden:\n {4}name: Garden\n {4}plugin: demo\n/, ""));
    await until("its tile has gone", async () => (await home.locator("main [data-camera=garden]").count()) === 0);
    for (const id of ["front_door", "drive", "back"]) {
      must((await home.locator(`main [data-camera=${id}] video[data-mark=same]`).count()) > 0, `${id} was not begun anew`);
      await until(`${id} goes on`, () => live(id));
    }
    await own.bringToFront();
    const gone = Date.now();
    await until("its own page says so", async () => /no longer in the config/.test(await own.locator("[data-note]").textContent()));
    await until("nothing says that it is online", async () => !(await own.getByText("Online", { exact: true }).first().isVisible()));
    const said = await own.locator("[data-note]").textContent();
    must(!/by itself/.test(said), `it promises what nobody knows: ${said}`);
    const config = await person.open("/config");
    await until("the plan tells", async () => /Stopped\s*camera garden/.test(await config.locator(".plan").textContent()));
    note((await config.locator(".plan").textContent()).replace(/\s+/g, " ").trim());
    await config.close();
    await own.bringToFront();
    const at = await frames(own);
    const apart = 5_000; // ms; well over what a picture may lag on a busy machine
    await until("it was away for so long", () => Date.now() - gone > apart);
    writeFileSync(garden, good);
    await until("it is back", async () => /^MSE · \d/.test(await badge(own)) && (await frames(own)) > at + 30);
    must(await own.getByText("Online", { exact: true }).first().isVisible(), "and the page says so");
    // How long nothing came is no delay of what comes now.
    const lag = await own.evaluate(() => {
      const v = document.querySelector("main [data-player] video");
      return { held: v.buffered.end(v.buffered.length - 1) - v.currentTime, said: Number(/([\d.]+) s$/.exec(document.querySelector("main [data-badge]").textContent)?.[1]) };
    });
    must(lag.said < lag.held + 1.5, `the delay is told as ${lag.said} s, and ${lag.held.toFixed(1)} s are held`);
    await person.leave();
  },
});
