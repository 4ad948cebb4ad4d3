// The demo plugin is killed: the page says so, the picture comes back, nobody rings.

import { Person, api, frames, live, must, note, rings, run, until } from "./lib.mjs";

await run({
  async "the picture comes back by itself"() {
    const person = await Person.arrive({ quiet: [/WebSocket/, /status of 503/] });
    const page = await person.open("/");
    await live(page);
    const { pid } = await api(page, "/plugins/demo");
    const before = await api(page, "/events?kind=ring&limit=200");
    const killed = Date.now();
    process.kill(pid, "SIGKILL");
    await until("another process", async () => {
      const p = await api(page, "/plugins/demo");
      return p.pid > 0 && p.pid !== pid;
    });
    const at = await frames(page);
    await until("the picture moves again", async () => /^MSE/.test(await page.locator("main [data-badge]").textContent()) && (await frames(page)) > at + 10);
    const took = (Date.now() - killed) / 1000;
    note(`moving again ${took.toFixed(1)} s after the kill`);
    must(took < 10, `it took ${took} s`);
    must((await rings(page).count()) === 0, "a phantom ring");
    must((await api(page, "/events?kind=ring&limit=200")).events.length === before.events.length, "a phantom ring in the journal");
    await person.leave();
  },
});
