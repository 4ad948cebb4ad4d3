// @ts-check
// The shared worker: one for all tabs of this browser, with one connection.

import { Desk } from "./feed-desk.js";

const desk = new Desk("/api/v1/events/stream");

// @ts-ignore: the page's library of types does not know a worker's scope
globalThis.onconnect = (/** @type {MessageEvent} */ e) => {
  const port = e.ports[0];
  let id = "";
  port.onmessage = ({ data: m }) => {
    switch (m.t) {
      case "join":
        id = m.id;
        desk.join(id, (out) => port.postMessage(out), m.audible === true);
        break;
      case "leave":
        desk.leave(id);
        break;
      default:
        desk.hear(id, m);
    }
  };
  port.postMessage({ t: "hello" });
};
