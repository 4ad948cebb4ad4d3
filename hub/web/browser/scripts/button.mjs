// A bare button: its page is a bell, and a line to copy that rings it from anywhere.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Person, must, note, rested, rings, run, until, url } from "./lib.mjs";

const sh = promisify(execFile);

async function copied(page) {
  await page.getByRole("button", { name: "Copy the curl line" }).click();
  return until("the clipboard", () => page.evaluate(() => navigator.clipboard.readText()));
}

await run({
  async "the copied line rings it"() {
    const person = await Person.arrive();
    await person.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
    const page = await person.open("/cameras/side_bell");
    must((await page.locator("main [data-player]").count()) === 0, "no picture is waited for");
    const line = await copied(page);
    must(/^curl -X POST http\S+\/hooks\/\S+$/.test(line), `the line: ${line.replace(/hooks.*/, "hooks/…")}`);
    await rested(page);
    note((await sh("sh", ["-c", `${line} --silent --show-error --fail-with-body`])).stdout.trim());
    await until("the overlay", () => rings(page).count());
    must(/Side bell/.test(await rings(page).textContent()), "it says which");
    must((await rings(page).locator("[data-player]").count()) === 0, "and waits for no picture");
    await page.keyboard.press("Escape");
    await until("it is listed", () => page.locator("[data-part=lately] .row-ring").count());
    await person.leave();
  },
  async "a new address makes the old one worthless"() {
    const person = await Person.arrive();
    await person.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
    const page = await person.open("/cameras/side_bell");
    const before = await copied(page);
    await page.getByText("The address alone, and a new one").click();
    const button = page.locator("[data-act=renew]");
    await button.click();
    await until("it asks first", async () => /press again/.test(await button.textContent()));
    must((await copied(page)) === before, "nothing has changed yet");
    await button.click();
    const after = await until("another line", async () => {
      const now = await page.locator("#hook-curl").textContent();
      return now !== before && now;
    });
    const status = async (line) => (await sh("sh", ["-c", `${line} --silent --output /dev/null --write-out '%{http_code}'`])).stdout;
    must((await status(before)) === "404", "the old one");
    await rested(page);
    must((await status(after)) === "202", "the new one");
    await person.leave();
  },
  async "its own button rings it, large on the home page too"() {
    const person = await Person.arrive();
    const page = await person.open("/?camera=side_bell");
    await rested(page);
    await page.getByRole("button", { name: "Ring it" }).click();
    await until("the overlay", () => rings(page).count());
    await person.leave();
  },
});
