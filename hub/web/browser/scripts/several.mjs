// Several cameras: all of them live on a phone-wide page, one large by a touch, and the
// one that hangs on its side stands upright.

import { Person, check, must, note, run, sideways, until } from "./lib.mjs";

/** How each player of the page fares, by camera. */
const players = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("main [data-player]")].map((p) => {
        const v = p.querySelector("video");
        const box = p.getBoundingClientRect();
        const seen = v.getBoundingClientRect();
        return [
          p.dataset.camera,
          {
            state: p.dataset.state,
            small: p.dataset.small !== undefined,
            frames: v.getVideoPlaybackQuality().totalVideoFrames,
            mark: v.dataset.mark ?? "",
            turned: getComputedStyle(v).rotate,
            left: Math.round(box.left),
            width: box.width,
            // A turned element has the height of its box for its width.
            fits: Math.abs(v.offsetWidth - box.height) < 2 && Math.abs(v.offsetHeight - box.width) < 2,
            inside: seen.width <= box.width + 1 && seen.height <= box.height + 1,
          },
        ];
      }),
    ),
  );

const allLive = (page, n) =>
  until(`${n} live pictures`, async () => {
    const all = Object.values(await players(page));
    return all.length === n && all.every((p) => p.state === "live");
  });

async function allMove(page) {
  const before = await players(page);
  await until("every picture moves", async () => {
    const now = await players(page);
    return Object.keys(before).every((id) => now[id].frames > before[id].frames + 10);
  });
}

const parts = {
  async "four cameras on a phone-wide page, all moving"() {
    const person = await Person.arrive({ viewport: { width: 390, height: 844 }, hasTouch: true });
    const page = await person.open("/?view=grid");
    await allLive(page, 4);
    await allMove(page);
    const columns = new Set(Object.values(await players(page)).map((p) => p.left));
    must(columns.size === 2, `${columns.size} columns, want 2`);
    await sideways(page, "the grid");
    await page.getByRole("link", { name: "Show Garden large" }).tap();
    await until("Garden is large", async () => (await players(page)).garden?.small === false);
    await allLive(page, 4);
    must(new URL(page.url()).searchParams.get("camera") === "garden", `the address says so: ${page.url()}`);
    await person.leave();
  },
  async "a touch makes one large, the rest go on, and back is back"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await allLive(page, 4);
    await page.evaluate(() => document.querySelectorAll("main [data-player] video").forEach((v) => (v.dataset.mark = "same")));
    await page.getByRole("link", { name: "Show Garden large" }).click();
    await until("Garden is large", async () => (await players(page)).garden?.small === false);
    const now = await players(page);
    must(now.front_door.small, "the front door is small");
    must(now.drive.mark === "same" && now.back.mark === "same", "the players that stay where they are go on");
    await allLive(page, 4);
    await allMove(page);
    await page.goBack();
    await until("the front door is large", async () => (await players(page)).front_door?.small === false);
    await page.getByRole("link", { name: "All alike" }).click();
    await until("all are small", async () => Object.values(await players(page)).every((p) => p.small));
    await allLive(page, 4);
    await person.leave();
  },
  async "without a mouse"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await allLive(page, 4);
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
    for (let i = 0; i < 40 && (await focused()) !== "Show Back yard large"; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until("the back yard is large", async () => (await players(page)).back?.small === false);
    must(await page.evaluate(() => document.activeElement?.classList.contains("player-large")), "the focus is on what was asked for");
    await person.leave();
  },
  async "the one on its side stands upright"() {
    const person = await Person.arrive();
    for (const path of ["/?camera=drive", "/cameras/drive"]) {
      const page = await person.open(path);
      await until("its picture", async () => (await players(page)).drive.state === "live");
      const { turned, fits, inside } = (await players(page)).drive;
      must(turned === "90deg" && fits && inside, `turned ${turned}, fits ${fits}, inside ${inside}`);
      await page.close();
    }
    await person.leave();
  },
  async "the camera's own page has its figures, and a test"() {
    const person = await Person.arrive();
    const page = await person.open("/cameras/garden");
    const sources = page.locator("[data-part=sources]");
    await until("the figures", async () => /H\.264, 1280.×.720/.test(await sources.textContent()) && /b\/s/.test(await sources.textContent()));
    must(/conf\.d\/garden\.yaml:2/.test(await page.locator("main").textContent()), "where it stands in the config");
    await page.getByRole("button", { name: "Look at it now" }).click();
    await until("what was found", () => page.locator("#report .verdict").count());
    note((await page.locator("#report .verdict").textContent()).trim());
    await person.leave();
  },
  async "the doctor is asked from the health page"() {
    const person = await Person.arrive();
    const page = await person.open("/health");
    must((await page.locator("tbody th", { hasText: "Garden" }).count()) === 1, "the camera is in the table");
    await page.getByRole("button", { name: "Look at everything" }).click();
    await until("what was found", () => page.locator("#report .verdict").count(), 90_000);
    note((await page.locator("#report .verdict").textContent()).trim());
    await check(page, "health, with findings");
    await person.leave();
  },
};
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    parts[`axe: ${colorScheme}, ${width} px`] = async () => {
      const person = await Person.arrive({ colorScheme, viewport: { width, height: 844 }, reducedMotion: "reduce" });
      const page = await person.open("/");
      for (const path of ["/", "/?view=grid", "/?camera=side_bell", "/cameras/drive", "/cameras/front_door", "/cameras/side_bell", "/config", "/health", "/api/docs"]) {
        await page.goto(new URL(path, page.url()).href);
        if (path === "/") await allLive(page, 4);
        if (path === "/api/docs") await until("the calls", () => page.locator(".call").count());
        await check(page, path);
        await sideways(page, path);
      }
      await person.leave();
    };
  }
}
await run(parts);
