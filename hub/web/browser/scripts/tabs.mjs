// Opens one tab, says so, waits for a line, opens two more, and again.

import { createInterface } from "node:readline";
import { Person, until } from "./lib.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const person = await Person.arrive();
const playing = (page) => page.evaluate(() => (document.querySelector("main video")?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0) > 10);
for (const more of [1, 2]) {
  for (let i = 0; i < more; i++) {
    const page = await person.open("/");
    await until("the picture moves", () => playing(page));
  }
  console.log(`live ${person.context.pages().length}`);
  await lines.next();
}
await person.leave();
process.exit(0);
