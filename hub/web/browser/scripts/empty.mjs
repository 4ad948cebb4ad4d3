// A house without a camera: the page says what to do, and fits a phone.

import { Person, must, run, sideways } from "./lib.mjs";

await run({
  async "no camera yet"() {
    const person = await Person.arrive({ viewport: { width: 390, height: 844 }, hasTouch: true });
    const page = await person.open("/");
    must(await page.getByText("No camera yet").isVisible(), "it says so");
    await sideways(page, "the home page");
    await person.leave();
  },
});
