// A camera is offline when the page opens: its last pictures, which the hub still holds,
// are not called live.

import { Person, badge, frames, live, must, run, until, url } from "./lib.mjs";

await run({
  async "what the hub held of an offline camera is not live"() {
    const person = await Person.arrive();
    const page = await person.open("/explain/E-CFG-VALUE"); // a page without a player
    let ws;
    await page.routeWebSocket(/\/api\/v1\/ws/, (to) => {
      ws = to;
      to.send(JSON.stringify({ type: "offline", reason: "the camera refuses the login" }));
      to.connectToServer();
    });
    await page.goto(`${url}/`);
    await until("pictures are decoded", async () => (await frames(page)) > 15);
    const state = await page.locator("main [data-player]").first().getAttribute("data-state");
    must(state !== "live", `it is called ${state}: ${await badge(page)}`);
    ws.send(JSON.stringify({ type: "live" }));
    await live(page);
    await person.leave();
  },
});
