// axe finds nothing serious: every page, light and dark, wide and narrow, with the
// overlay and the menu open as well.

import { Person, api, check, live, rested, rings, run, sideways, until } from "./lib.mjs";

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
      for (const path of ["/homekit", "/homekit/no-response", "/events", "/events?camera=none", `/events/${events[0].id}`, "/plugins", "/plugins/demo", "/config", "/health", "/cameras/demo_porch", "/setup", "/explain/E-CFG-NOT-YET", "/nowhere"]) {
        await page.goto(new URL(path, page.url()).href);
        await check(page, path);
        await sideways(page, path);
      }
      await person.context.clearCookies();
      for (const path of ["/login", "/login?why=setup-link", "/trust"]) {
        await page.goto(new URL(path, page.url()).href);
        await check(page, path);
        await sideways(page, path);
      }
      await person.leave();
    };
  }
}
await run(parts);
