// The first visit: the link signs in, the porch moves, five times with nothing kept.

import { Person, badge, frames, link, live, must, note, run, until, url } from "./lib.mjs";

async function moves(page) {
  await live(page);
  // The machine may be busy with other tests: any five seconds will do, the rate may not.
  let best = 0;
  for (let i = 0; i < 4 && best < 100; i++) {
    const before = await frames(page);
    await page.waitForTimeout(5_000);
    best = Math.max(best, (await frames(page)) - before);
  }
  note(`badge ${await badge(page)}, ${best} frames in 5 s`);
  must(best >= 100, `${best} frames in 5 s, want at least 100`);
}

const parts = {
  async "the setup link signs in and the picture is there"() {
    const person = await Person.arrive({ signedIn: false });
    const page = await person.open(link);
    await page.waitForURL(`${url}/`);
    const loaded = Date.now();
    await until("the first frame", async () => (await frames(page)) > 1);
    note(`first frames ${((Date.now() - loaded) / 1000).toFixed(1)} s after the page`);
    await moves(page);
    await page.goto(link);
    await page.waitForURL(/\/(login.*)?$/);
    await person.leave();
  },
};
for (let n = 2; n <= 5; n++) {
  parts[`fresh profile ${n}`] = async () => {
    const person = await Person.arrive();
    await moves(await person.open("/"));
    await person.leave();
  };
}
await run(parts);
