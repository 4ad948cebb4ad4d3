// Where the best way does not work the next is taken, and the badge says so.

import { Person, badge, live, must, note, rested, run, until } from "./lib.mjs";

const withoutMse = () => {
  delete globalThis.MediaSource;
  delete globalThis.ManagedMediaSource;
};

// A few points of the canvas, to see whether it moves.
const look = (page) =>
  page.evaluate(() => {
    const c = document.querySelector("main [data-player] canvas");
    if (!(c instanceof HTMLCanvasElement) || c.hidden || c.width < 100) return "";
    return c.toDataURL("image/jpeg", 0.3);
  });

async function changes(page) {
  const first = await until("a picture", () => look(page));
  await until("another picture", async () => (await look(page)) !== first);
}

await run({
  async "MJPEG without MediaSource"() {
    const person = await Person.arrive({ init: withoutMse });
    const page = await person.open("/");
    await live(page, /^MJPEG$/);
    await changes(page);
    await person.leave();
  },
  async "single pictures without MJPEG"() {
    const person = await Person.arrive({ init: withoutMse, quiet: [/ERR_FAILED/] });
    await person.context.route("**/stream.mjpeg", (r) => r.abort());
    const page = await person.open("/");
    await live(page, /^Snapshots$/);
    await changes(page);
    await person.leave();
  },
  async "no socket: MJPEG, and up again when there is one"() {
    const person = await Person.arrive({ quiet: [/WebSocket/, /ERR_INTERNET_DISCONNECTED/] });
    let open = false;
    const page = await person.context.newPage();
    await page.routeWebSocket(/\/api\/v1\/ws/, (ws) => (open ? ws.connectToServer() : ws.close({ code: 1011, reason: "not today" })));
    await page.goto(process.env.PORCHLIGHT_URL);
    await live(page, /^MJPEG$/);
    open = true;
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await live(page);
    await person.leave();
  },
  async "a lost connection is said, and mended"() {
    const person = await Person.arrive({ quiet: [/WebSocket/, /ERR_/] });
    const page = await person.context.newPage();
    const sockets = [];
    await page.routeWebSocket(/\/api\/v1\/ws/, (ws) => {
      const server = ws.connectToServer();
      sockets.push(ws);
      server.onMessage((m) => ws.send(m));
    });
    await page.goto(process.env.PORCHLIGHT_URL);
    await live(page);
    const states = await page.evaluate(() => {
      globalThis.states = [];
      const player = document.querySelector("main [data-player]");
      new MutationObserver(() => globalThis.states.push(player.dataset.state)).observe(player, { attributes: true, attributeFilter: ["data-state"] });
      return globalThis.states;
    });
    must(states.length === 0, "nothing yet");
    await sockets[0].close({ code: 1012, reason: "the hub starts again" });
    await until("reconnecting was shown, then live", () => page.evaluate(() => globalThis.states.includes("stalled") && globalThis.states.at(-1) === "live"));
    note(`after it: ${await badge(page)}`);
    await live(page);
    await person.leave();
  },
  async "no script at all"() {
    const scripted = await Person.arrive();
    await rested(await scripted.open("/"));
    await scripted.leave();
    const person = await Person.arrive({ javaScriptEnabled: false });
    const page = await person.open("/");
    must((await page.getByRole("button", { name: "Ring the doorbell" }).count()) === 1, "the button is there");
    const rows = () => page.locator(".row-ring").count();
    const before = await rows();
    await page.getByRole("button", { name: "Ring the doorbell" }).click();
    await until("the ring is listed", async () => {
      await page.reload();
      return (await rows()) > before || before >= 9; // nine is all that the page lists
    });
    await person.leave();
  },
});
