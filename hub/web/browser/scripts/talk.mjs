// Talking to the door: by WebRTC where that is, by a socket where it is not; one at a
// time; and every reason why it is not possible, with what to do.

import { Person, api, check, live, must, note, rested, rings, run, until } from "./lib.mjs";

const any = /^(WebRTC|MSE) · \d+\.\d s$/;
const button = (page) => page.locator("main .talk");
const says = (page) => page.locator("main .talk-says");
const heard = (page) => api(page, "/plugins/demo/actions/talk_status", "POST", { camera: "demo_porch" });

/** A grey button says why when it is pressed all the same. */
async function press(page) {
  const { x, y, width, height } = await button(page).boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.up();
}

/** Whether the door hears somebody louder than a quiet room. */
const hears = (page) => until("the door hears", async () => {
  const s = await heard(page);
  return s.talking && s.heard_seconds > 0.5 && s.level_dbfs > -50 && s;
});

await run({
  async "held: heard; let go: not"() {
    for (const webrtc of [true, false]) {
      const person = await Person.arrive({ webrtc });
      const page = await person.open("/");
      note(await live(page, any));
      await until("the button is ready", async () => (await button(page).textContent()) === "Hold to talk");
      await button(page).hover();
      await page.mouse.down();
      await until("talking", async () => (await button(page).textContent()) === "Talking");
      const s = await hears(page);
      note(`as ${s.codec}, ${s.level_dbfs} dBFS, from ${s.talker}`);
      await until("the meter moves", () => page.evaluate(() => Number(document.querySelector("main .talk").style.getPropertyValue("--level")) > 0.05));
      await page.mouse.up();
      await until("over", async () => !(await heard(page)).talking && (await button(page).textContent()) === "Hold to talk");
      await person.leave();
    }
  },
  async "the second is told who"() {
    const first = await Person.arrive({ signedIn: false });
    const one = await first.open(process.env.PORCHLIGHT_LINK);
    await one.waitForURL((u) => u.pathname === "/");
    await live(one);
    await one.keyboard.press("t"); // kept open
    await until("the first talks", async () => (await button(one).textContent()) === "End talk");
    await hears(one);
    const second = await Person.arrive({ quiet: [/status of 409/] });
    const two = await second.open("/");
    await live(two);
    await until("the line is busy", async () => (await button(two).textContent()) === "Line busy");
    must((await button(two).getAttribute("aria-disabled")) === "true", "grey");
    await press(two);
    await until("who it is", async () => /The owner, on .* is talking there now/.test(await says(two).textContent()));
    const told = await two.evaluate(async () => {
      const r = await fetch("/api/v1/cameras/demo_porch/talk", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
      return { status: r.status, ...(await r.json()) };
    });
    must(told.status === 409 && told.code === "E-TALK-BUSY" && /^the owner, on /.test(told.who), JSON.stringify(told));
    await check(two, "a busy line");
    await one.keyboard.press("t");
    await until("free again", async () => (await button(two).textContent()) === "Hold to talk");
    await first.leave();
    await second.leave();
  },
  async "by keys alone"() {
    const person = await Person.arrive();
    const page = await person.open("/");
    await live(page);
    await button(page).focus();
    await page.keyboard.down(" ");
    await until("talking", async () => (await button(page).textContent()) === "Talking");
    await page.keyboard.up(" ");
    await until("over", async () => (await button(page).textContent()) === "Hold to talk");
    await page.keyboard.press("Enter");
    await until("kept open", async () => (await button(page).textContent()) === "End talk");
    await page.keyboard.press("Enter");
    await until("over again", async () => (await button(page).textContent()) === "Hold to talk");
    await person.leave();
  },
  async "grey has a reason: no HTTPS, no permission"() {
    const plain = await Person.arrive({ init: () => Object.defineProperty(globalThis, "isSecureContext", { value: false }) });
    const page = await plain.open("/");
    await live(page);
    must((await button(page).getAttribute("aria-disabled")) === "true", "grey without HTTPS");
    await press(page);
    await until("HTTPS is named", async () => /HTTPS/.test(await says(page).textContent()));
    must((await says(page).getByRole("link", { name: "How to" }).getAttribute("href")) === "/trust", "and where it is told");
    await check(page, "no microphone");
    await plain.leave();
    const refused = await Person.arrive({
      init: () => navigator.mediaDevices && (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"))),
    });
    const other = await refused.open("/");
    await live(other);
    await button(other).hover();
    await other.mouse.down();
    await until("the permission is named", async () => /told not to give the page the microphone/.test(await says(other).textContent()));
    await other.mouse.up();
    await refused.leave();
  },
  async "answered from the overlay: picture, sound, talk; then hung up"() {
    const person = await Person.arrive({ webrtc: true });
    const page = await person.open("/");
    await live(page, any);
    await rested(page);
    const second = await Person.arrive();
    const elsewhere = await second.open("/");
    await live(elsewhere, any);
    await page.getByRole("button", { name: "Ring the doorbell" }).click();
    await rings(page).waitFor();
    await page.getByRole("button", { name: "Answer" }).click();
    await until("they are at the door", async () => (await page.locator("dialog.ring .talk").textContent()) === "End talk");
    await until("another device is told", async () => /^Answered at .* is talking there\.$/.test((await elsewhere.locator("#ring-title, #ring-text").allTextContents()).join(" ")));
    await hears(page);
    const loud = () => page.evaluate(() => [...document.querySelectorAll("video")].filter((v) => !v.muted && !v.paused).map((v) => (v.closest("dialog") ? "overlay" : "page")));
    await until("the door is heard once", async () => (await loud()).join() === "overlay");
    await check(page, "the answered ring");
    await page.getByRole("button", { name: "Hang up" }).click();
    await until("it is over", async () => (await page.locator("dialog").count()) === 0 && !(await heard(page)).talking);
    await until("the other device too", async () => / talked there\.$/.test(await elsewhere.locator("#ring-text").textContent()));
    await second.leave();
    await person.leave();
  },
});
