// The pages of Apple Home in a house of two cameras that nobody has added yet: codes to
// scan and to print, a new one without script, and what the hub hears of itself.

import { Person, check, must, note, run, sideways, until } from "./lib.mjs";

const code = /^\d{3}-\d{2}-\d{3}$/;

/** The digits of each accessory, by its name. */
const codes = (page) =>
  page.evaluate(() => Object.fromEntries([...document.querySelectorAll("li.hk")].map((li) => [li.querySelector("h2")?.textContent, li.querySelector(".hk-digits")?.textContent])));

const shown = (page) =>
  until("two codes", async () => {
    const all = await codes(page);
    return ["Front door", "Drive"].every((name) => code.test(all[name] ?? "")) && all;
  });

const parts = {
  async "codes to scan"() {
    const person = await Person.arrive();
    const asked = [];
    person.context.on("request", (r) => asked.push(decodeURIComponent(r.url())));
    const page = await person.open("/homekit");
    // The plugin may still be starting; its page is drawn again by itself.
    const all = await shown(page);
    must((await page.locator("li.hk .qr").count()) >= 2, "each has its code for the camera");
    must(all["Front door"] !== all.Drive, "each has a code of its own");
    must((await page.locator(".nav [aria-current]").textContent()) === "HomeKit", "the navigation says where one is");
    for (const digits of Object.values(all)) {
      const plain = digits.replaceAll("-", "");
      must(!asked.some((u) => u.includes(digits) || u.includes(plain) || u.includes("X-HM")), "no address holds a code");
    }
    await person.leave();
  },
  async "what a person has begun stays"() {
    const person = await Person.arrive();
    const page = await person.open("/homekit");
    await shown(page);
    const card = page.locator("li.hk", { hasText: "Drive" });
    await card.locator("details.hk-over summary").click();
    await card.locator("input[name=sure]").check();
    for (let i = 0; i < 2; i++) await page.waitForResponse((r) => r.url().includes("part=accessories"));
    must(await card.locator("input[name=sure]").isChecked(), "the tick is still there after the page was drawn again");
    await person.leave();
  },
  async "on paper"() {
    const person = await Person.arrive({ colorScheme: "dark" });
    const page = await person.open("/homekit");
    await shown(page);
    await page.getByRole("link", { name: "All codes on one sheet" }).click();
    await page.waitForURL(/\/homekit\/codes$/);
    must(await page.locator("[data-act=print]").isVisible(), "a button prints it");
    await page.emulateMedia({ media: "print" });
    must(!(await page.locator("nav").isVisible()) && !(await page.locator("[data-act=print]").isVisible()), "nothing but the sheet is printed");
    for (const name of ["Front door", "Drive"]) {
      const one = page.locator(".hk-sheet-code", { hasText: name });
      must((await one.locator(".qr").isVisible()) && code.test(await one.locator(".hk-digits").textContent()), `${name} with both its codes`);
    }
    const ink = await page.locator(".hk-sheet-code h2").first().evaluate((h) => getComputedStyle(h).color + " on " + getComputedStyle(document.body).backgroundColor);
    must(ink === "rgb(0, 0, 0) on rgb(255, 255, 255)", `dark on white in a dark house too: ${ink}`);
    const pdf = await page.pdf({ format: "A4" });
    note(`a PDF of ${pdf.length} bytes`);
    must((pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) ?? []).length === 1, "two codes fit on one page");
    await person.leave();
  },
  async "a new code, without script"() {
    const person = await Person.arrive({ javaScriptEnabled: false });
    const page = await person.open("/homekit");
    const before = await until("two codes", async () => {
      await page.reload();
      const digits = await page.locator("li.hk .hk-digits").allTextContents();
      return digits.length >= 2 && digits;
    });
    const card = page.locator("li.hk", { hasText: "Front door" });
    const old = await card.locator(".hk-digits").textContent();
    await card.locator("details.hk-over summary").click();
    await card.getByRole("button", { name: "Make a new code" }).click();
    must((await card.locator(".hk-digits").textContent()) === old, "nothing happens before one is sure");
    await card.locator("input[name=sure]").check();
    await card.getByRole("button", { name: "Make a new code" }).click();
    const fresh = await until("a new code", async () => {
      await page.reload();
      const digits = await card.locator(".hk-digits").textContent({ timeout: 1_000 });
      return code.test(digits) && digits !== old && digits;
    });
    must(new URL(page.url()).pathname === "/homekit" && new URL(page.url()).search === "", page.url());
    const after = await page.locator("li.hk .hk-digits").allTextContents();
    must(before.filter((d) => d !== old).every((d) => after.includes(d)), "the others keep theirs");
    must(!before.includes(fresh), "it is nobody else's");
    await person.leave();
  },
  async "No Response"() {
    const person = await Person.arrive();
    const page = await person.open("/homekit/no-response");
    const step = (n) => page.locator(".nr > li").nth(n - 1);
    must(/The plugin homekit runs/.test(await step(1).textContent()), "that the plugin runs is known at once");
    await until("the hub has listened for itself", async () => /Front door: TCP port \d+ answers/.test(await step(4).textContent()));
    must((await page.locator("#looking").textContent()) === "", "it says no more that it looks");
    must(/Front door/.test(await step(3).textContent()), "whether it is heard stands at its step");
    await step(4).locator("summary", { hasText: "ufw" }).click();
    const rules = await step(4).locator("#rules-ufw").textContent();
    const port = /TCP port (\d+) answers/.exec(await step(4).textContent())[1];
    must(rules.includes("5353/udp") && rules.includes(port), `the real ports: ${rules}`);
    note((await step(3).textContent()).replace(/\s+/g, " ").slice(-160));
    await person.leave();
  },
};

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    parts[`axe, ${colorScheme}, ${width} px`] = async () => {
      const person = await Person.arrive({ colorScheme, viewport: { width, height: 844 }, reducedMotion: "reduce" });
      const page = await person.open("/homekit");
      await shown(page);
      for (const path of ["/homekit", "/homekit/codes", "/homekit/no-response"]) {
        await page.goto(new URL(path, page.url()).href);
        if (path.endsWith("response")) await until("it has looked", async () => /TCP port/.test(await page.locator("#answers").textContent()));
        for (const fold of await page.locator("main details").all()) await fold.evaluate((d) => d.setAttribute("open", ""));
        await check(page, path);
        await sideways(page, path);
      }
      await person.leave();
    };
  }
}

await run(parts);
