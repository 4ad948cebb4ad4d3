// The picture and what a person does with it: which way it takes, sound, nearer and
// farther, full screen, keys. Whether WebRTC reaches a browser on the hub's own machine
// is up to that machine: what is seen is that, or the next way.

import { Person, badge, check, live, must, note, run, until } from "./lib.mjs";

const any = /^(WebRTC|MSE) · \d+\.\d s$/;

/** What each player of the page sounds like. */
const sounds = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("[data-player]")].map((p) => ({
      where: p.closest("dialog") ? "overlay" : "page",
      audio: p.dataset.audio,
      loud: [...p.querySelectorAll("video")].filter((v) => !v.muted && !v.paused).length,
      seen: [...p.querySelectorAll("video")].filter((v) => !v.hidden).length,
    })),
  );

const near = (page) => page.evaluate(() => document.querySelector("main .player-view").style.transform);

await run({
  async "the best way, told with its delay; no WebRTC is no harm"() {
    const person = await Person.arrive({ webrtc: true, quiet: [/WebSocket/] });
    const page = await person.open("/");
    note(`with WebRTC: ${await live(page, any)}`);
    await person.leave();
    // A hub that refuses: the next way is there within the time that WebRTC has.
    const barred = await Person.arrive({ webrtc: true, quiet: [/status of 503/] });
    await barred.context.route("**/whep?*", (r) => r.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ title: "off", status: 503, code: "E-WHEP-OFF" }) }));
    const other = await barred.open("/");
    await live(other);
    await barred.leave();
  },
  async "silent until it is touched, and never twice"() {
    const person = await Person.arrive({ webrtc: true });
    const page = await person.open("/");
    await live(page, any);
    await until("there is sound to be had", async () => (await sounds(page))[0].audio === "off");
    must((await sounds(page)).every((s) => s.loud === 0), "silent at first");
    await page.locator("main .player-view").click({ position: { x: 300, y: 150 } });
    await until("it sounds", async () => (await sounds(page))[0].loud === 1);
    await page.keyboard.press("m");
    await until("silent again", async () => (await sounds(page))[0].loud === 0);
    await page.keyboard.press("m");
    await page.reload();
    await live(page, any);
    await page.mouse.click(5, 300); // a fresh page may sound once it was touched
    await until("the tab remembers", async () => (await sounds(page))[0].loud === 1);
    await person.leave();
  },
  async "the delay and the way, when the best goes and comes back"() {
    const person = await Person.arrive({ webrtc: true, quiet: [/ERR_FAILED/] });
    let open = true;
    await person.context.route(/\/whep\?/, (r) => (open ? r.continue() : r.abort()));
    const page = await person.open("/");
    if (!(await until("WebRTC", async () => /^WebRTC · /.test(await badge(page)), 8_000).catch(() => false))) {
      note("WebRTC does not reach this machine's own browser");
      await person.leave();
      return;
    }
    open = false;
    await page.reload();
    await live(page, /^MSE · /);
    open = true;
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await live(page, /^WebRTC · /);
    must((await badge(page)).startsWith("WebRTC"), "up again without a reload");
    await person.leave();
  },
  async "nearer by wheel and keys, about by arrows and pointer, and all again"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await live(page);
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -500);
    await until("nearer", async () => /scale\(2\./.test(await near(page)));
    const at = await near(page);
    await page.keyboard.press("ArrowRight");
    must((await near(page)) !== at, "an arrow moves it");
    await page.mouse.down();
    await page.mouse.move(460, 340, { steps: 4 });
    await page.mouse.up();
    await check(page, "a near picture");
    await page.getByRole("button", { name: /near; show all/ }).click();
    await until("all of it", async () => (await near(page)) === "");
    await page.keyboard.press("+");
    await until("nearer by key", async () => /scale\(1\.25/.test(await near(page)));
    await page.keyboard.press("0");
    await until("all again", async () => (await near(page)) === "");
    await page.mouse.dblclick(400, 300);
    await until("nearer by two touches", async () => /scale\(2\.5/.test(await near(page)));
    await person.leave();
  },
  async "two fingers on a phone"() {
    const person = await Person.arrive({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const page = await person.open("/");
    await live(page);
    const hand = await person.context.newCDPSession(page);
    const touch = (type, ...points) => hand.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
    await touch("touchStart", [170, 170], [210, 170]);
    for (let i = 1; i <= 6; i++) await touch("touchMove", [170 - 10 * i, 170], [210 + 10 * i, 170]);
    await touch("touchEnd");
    await until("nearer", async () => /scale\([3-6]/.test(await near(page)));
    await person.leave();
  },
  async "full screen and the list of keys"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await live(page);
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keys for the picture" }).waitFor();
    await check(page, "the list of keys");
    await page.keyboard.press("Escape");
    await until("the list is gone", async () => (await page.locator("dialog").count()) === 0);
    await page.keyboard.press("f");
    await until("full screen", () => page.evaluate(() => document.fullscreenElement?.matches("[data-player]")));
    await page.keyboard.press("f");
    await until("the page again", () => page.evaluate(() => document.fullscreenElement === null));
    await page.keyboard.press("k");
    await until("paused", async () => (await badge(page)) === "Paused");
    await page.keyboard.press("k");
    await live(page);
    await person.leave();
  },
});
