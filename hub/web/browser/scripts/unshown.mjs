// A camera whose codec this browser has not: single pictures where the hub can make
// them, else the reason and what to do about it; never a spinner.

import { Person, must, note, run, until } from "./lib.mjs";

const withoutCodec = () => {
  MediaSource.isTypeSupported = () => false;
};

const problem = {
  status: 503,
  contentType: "application/problem+json",
  body: JSON.stringify({ type: "about:blank", title: "no picture", status: 503, code: "E-CONV-NO-FFMPEG", detail: "ffmpeg is not installed", hint: "Install it on the hub: `sudo apt install ffmpeg`." }),
};

await run({
  async "pictures by MJPEG, and small ones one at a time"() {
    const person = await Person.arrive({ init: withoutCodec });
    const page = await person.open("/");
    await until("MJPEG", async () => (await page.locator(".player-large [data-badge]").textContent()) === "MJPEG");
    await until("small ones", async () => (await page.locator(".player-small[data-state=live][data-mode^=snapshots]").count()) === 3);
    await person.leave();
  },
  async "no pictures at all: the reason and the fix"() {
    const person = await Person.arrive({ init: withoutCodec, quiet: [/status of 503/] });
    await person.context.route(/stream\.mjpeg|snapshot\.jpg/, (r) => r.fulfill(problem));
    const page = await person.open("/");
    const box = page.locator(".player-large [data-note]");
    await until("the reason", async () => /No picture in this browser/.test(await box.textContent()));
    const text = await box.textContent();
    note(text);
    must(/does not play H\.264/.test(text), "what this browser lacks");
    must(/ffmpeg is not installed/.test(text) && /sudo apt install ffmpeg/.test(text), "why there are no others, and the fix");
    must((await box.getByRole("link", { name: "E-CONV-NO-FFMPEG" }).count()) === 1, "the code leads to its text");
    await until("each small one says it too", async () => (await page.locator(".player-small[data-state=failed]", { hasText: "does not play H.264" }).count()) === 3);
    must((await page.locator("main [data-state=starting]").count()) === 0, "nothing spins");
    await person.leave();
  },
});
