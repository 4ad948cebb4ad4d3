// @ts-check
// Live by WebRTC (WHEP): an offer is posted, the answer brings picture and sound. When the
// pictures stop, the way is mended while the connection to the hub lasts: ICE begins anew
// from whatever address the browser has by then, or else a new session does.

import { cameraPath, refusal, Refusal, url } from "../api.js";

// The hub answers an offer at once (ms).
const answersWithin = 2_000;
// A picture is there this long (ms) after the connection.
const pictureWithin = 6_000;
// Nothing new for this long (ms): something is wrong. A camera of few pictures has more.
const standstill = 1_500;
const longestStandstill = 6_000;
// After the hub took a restart, pictures come in this time (ms), or this way is barred.
const restartsWithin = 3_000;
// Between tries to reach the hub (ms).
const pace = 700;
const look = 400;
// Pictures of the past are nearer to each other than this, in ticks of 90 kHz; they are
// decoded in this time (ms), whatever their times say.
const apart = 900;
const longestPast = 800;
// Seconds between the NTP epoch and that of Unix (RFC 5905 6).
const ntp = 2_208_988_800;

/** @typedef {{session: string, send: (track: MediaStreamTrack | null) => Promise<void>}} Speech */

export class Whep {
  static id = "webrtc";
  static label = "WebRTC";
  /** @type {import("./screen.js").Surface} */
  static surface = "live";

  #video;
  #told;
  #path;
  #stream;
  #talks;
  /** @type {RTCPeerConnection | undefined} */
  #pc;
  /** @type {RTCRtpSender | undefined} */
  #mic;
  #session = ""; // its address
  #stopped = new AbortController();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking;
  #frames = 0;
  #moved = 0; // when the newest frame was seen
  #gap = 0; // between pictures (ms), the longest of late
  #pictured = false;
  #first = 0; // when the first frame of this connection was seen
  #abreast = false; // what comes is of now
  #mending = false;
  #shift = Infinity;
  /** @type {{delay: number, emitted: number}} */
  #jitter = { delay: 0, emitted: 0 };

  static supported() {
    return typeof RTCPeerConnection === "function";
  }

  /**
   * @param {{video: HTMLVideoElement, camera: string, stream: string, talks: boolean, told: import("./mse.js").Told}} o
   */
  constructor({ video, camera, stream, talks, told }) {
    this.#video = video;
    this.#told = told;
    this.#talks = talks;
    this.#path = url(`${cameraPath(camera)}/whep`);
    this.#stream = stream;
  }

  async start() {
    addEventListener("pagehide", () => this.#leave(), { signal: this.#stopped.signal });
    addEventListener("online", () => this.#pictured && this.#mend("the network came back"), { signal: this.#stopped.signal });
    this.#looking = setInterval(() => this.#look(), look);
    try {
      await this.#open();
    } catch (err) {
      this.#refused(err);
    }
  }

  stop() {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    clearInterval(this.#looking);
    this.#video.srcObject = null;
    const pc = this.#pc;
    this.#pc = this.#mic = undefined;
    // The hub is told before its end of the connection notices.
    this.#leave().finally(() => pc?.close());
  }

  /** @returns {Speech | undefined} the way for the microphone, where there is one now */
  speech() {
    const mic = this.#mic;
    if (!mic || !this.#session || this.#pc?.connectionState !== "connected" || !this.#sends()) return undefined;
    return { session: this.#session.split("/").at(-1) ?? "", send: (track) => mic.replaceTrack(track) };
  }

  #sends() {
    return this.#pc?.getTransceivers().some((t) => t.sender === this.#mic && /send/.test(t.currentDirection ?? ""));
  }

  // --- the session ---

  async #open() {
    this.#close();
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#pc = pc;
    this.#frames = 0;
    const media = new MediaStream();
    pc.addTransceiver("video", { direction: "recvonly" });
    // Sending is agreed on from the start, so that talk needs no new agreement; nothing is
    // sent, and no microphone asked for, before a person talks.
    this.#mic = pc.addTransceiver("audio", { direction: this.#talks ? "sendrecv" : "recvonly" }).sender;
    pc.ontrack = ({ track, receiver }) => {
      media.addTrack(track);
      // As short as the network lets it be; not every browser has it.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    };
    pc.onconnectionstatechange = () => {
      if (pc !== this.#pc) return;
      if (pc.connectionState === "connected") this.#told.underway(pictureWithin);
      if (pc.connectionState === "failed" && this.#pictured) this.#mend("the way to the hub is barred");
    };
    await pc.setLocalDescription();
    const answer = await this.#ask("POST", `${this.#path}?stream=${encodeURIComponent(this.#stream)}`, "application/sdp", pc.localDescription?.sdp ?? "");
    const session = new URL(answer.headers.get("Location") ?? "", answer.url).href;
    const sdp = await answer.text();
    if (pc !== this.#pc) {
      fetch(session, { method: "DELETE", credentials: "same-origin" }).catch(() => {});
      return;
    }
    this.#session = session;
    await pc.setRemoteDescription({ type: "answer", sdp });
    const hears = pc.getTransceivers().some((t) => t.receiver.track.kind === "audio" && /recv/.test(t.currentDirection ?? ""));
    // "copy; no sound: why" is how the hub says that it could not be had.
    const form = answer.headers.get("X-Porchlight-Rendition") ?? "";
    const why = /no sound: (.*)/.exec(form)?.[1];
    this.#told.sound(hears, hears ? "" : why || "the camera sends none that this way carries", form);
    if (this.#stopped.signal.aborted) return;
    this.#video.srcObject = media;
    this.#catchUp();
    this.#video.play().catch((err) => {
      if (err?.name === "NotAllowedError") this.#told.stalled("tap");
    });
  }

  #close() {
    const pc = this.#pc;
    this.#pc = this.#mic = undefined;
    this.#session = "";
    if (!pc) return;
    pc.ontrack = pc.onconnectionstatechange = null;
    pc.close();
  }

  /** Tells the hub that nobody looks any more. */
  async #leave() {
    const session = this.#session;
    this.#session = "";
    if (session) await fetch(session, { method: "DELETE", credentials: "same-origin", keepalive: true, signal: AbortSignal.timeout(answersWithin) }).catch(() => {});
  }

  /**
   * @param {string} method
   * @param {string} to
   * @param {string} type
   * @param {string} body
   */
  async #ask(method, to, type, body) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), answersWithin);
    const stop = () => late.abort();
    this.#stopped.signal.addEventListener("abort", stop, { once: true });
    try {
      /** @type {Record<string, string>} */
      const headers = { "Content-Type": type };
      if (method === "PATCH") headers["If-Match"] = "*"; // whatever the session was before
      const answer = await fetch(to, { method, headers, body, credentials: "same-origin", cache: "no-store", signal: late.signal });
      if (!answer.ok) throw await refusal(answer);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#stopped.signal.removeEventListener("abort", stop);
    }
  }

  /** @param {unknown} err */
  #refused(err) {
    if (this.#stopped.signal.aborted) return;
    if (!(err instanceof Refusal)) {
      this.#told.failed(err instanceof DOMException && err.name !== "AbortError" ? err.message : "the hub does not answer");
      return;
    }
    if (err.code === "E-WHEP-OFFLINE") this.#told.offline(err.message);
    else if (err.status === 501 || ["E-WHEP-OFF", "E-WHEP-CODEC"].includes(err.code)) this.#told.cannot("");
    else this.#told.failed(err.message, { fix: err.hint, code: err.code });
  }

  // --- the picture ---

  async #look() {
    const pc = this.#pc;
    if (!pc || pc.connectionState === "new") return;
    /** @type {RTCStatsReport} */
    let report;
    try {
      report = await pc.getStats();
    } catch {
      return; // it was closed meanwhile
    }
    if (pc !== this.#pc || this.#stopped.signal.aborted) return;
    /** @type {Record<string, any>} */
    const seen = {};
    report.forEach((s) => {
      if (s.type === "inbound-rtp" && s.kind === "video") seen.video = s;
      if (s.type === "remote-outbound-rtp" && s.kind === "video") seen.sender = s;
      if (s.type === "candidate-pair" && s.nominated) seen.pair = s;
    });
    const now = performance.now();
    const frames = seen.video?.framesDecoded ?? 0;
    if (frames > this.#frames && this.#video.readyState >= 2) {
      this.#frames = frames;
      this.#first ||= now;
      if (!this.#abreast && now - this.#first < longestPast) return;
      this.#abreast = true;
      if (this.#pictured) this.#gap = Math.max(now - this.#moved, this.#gap * 0.95);
      this.#moved = now;
      this.#pictured = true;
      this.#told.picture();
      const delay = this.#delayOf(seen);
      if (delay !== undefined) this.#told.delay(delay);
    } else if (this.#pictured && now - this.#moved > this.#standstill) this.#mend("no pictures come just now");
  }

  /**
   * The pictures since the last key frame come all at once, their times close together. They
   * are decoded out of sight, not shown as a fast film, until one comes that has its own time;
   * that one is shown when it is there, not when it is looked for the next time.
   */
  #catchUp() {
    const v = this.#video;
    const pc = this.#pc;
    this.#abreast = !("requestVideoFrameCallback" in v);
    this.#first = 0;
    if (this.#abreast) return;
    /** @type {number | undefined} */
    let last;
    /** @type {VideoFrameRequestCallback} */
    const frame = (_, { rtpTimestamp: at }) => {
      if (pc !== this.#pc || this.#abreast) return;
      this.#abreast = at === undefined || (last !== undefined && (at - last) >>> 0 > apart);
      last = at;
      if (this.#abreast) this.#look();
      else v.requestVideoFrameCallback(frame);
    };
    v.requestVideoFrameCallback(frame);
  }

  get #standstill() {
    return Math.min(longestStandstill, Math.max(standstill, 2 * this.#gap));
  }

  /**
   * How old what is seen is, by the hub's clock where the hub told it (RTCP), else as much
   * of it as this end knows.
   * @param {Record<string, any>} seen
   */
  #delayOf({ video, sender, pair }) {
    const way = (pair?.currentRoundTripTime ?? 0) / 2;
    if (video.estimatedPlayoutTimestamp && sender?.remoteTimestamp) {
      // Of our clock, in seconds. A report that was late says too much; the clocks drift a little.
      this.#shift = Math.min(sender.timestamp / 1000 - way - sender.remoteTimestamp / 1000, this.#shift + 0.001);
      let played = video.estimatedPlayoutTimestamp / 1000;
      if (played > 3e9) played -= ntp;
      const delay = (performance.timeOrigin + performance.now()) / 1000 - played - this.#shift;
      if (delay >= 0 && delay < 60) return delay;
    }
    const emitted = (video.jitterBufferEmittedCount ?? 0) - this.#jitter.emitted;
    const waited = (video.jitterBufferDelay ?? 0) - this.#jitter.delay;
    this.#jitter = { delay: video.jitterBufferDelay ?? 0, emitted: video.jitterBufferEmittedCount ?? 0 };
    return emitted > 0 && waited >= 0 ? way + waited / emitted : undefined;
  }

  // --- when the pictures stop ---

  /** @param {string} reason */
  async #mend(reason) {
    if (this.#mending || this.#stopped.signal.aborted) return;
    this.#mending = true;
    const before = this.#moved;
    const back = () => this.#moved > before || this.#stopped.signal.aborted;
    let told = false;
    while (!back()) {
      if (!told && performance.now() - this.#moved > this.#standstill) {
        told = true;
        this.#told.stalled(reason);
      }
      let heard = false; // the hub answers
      try {
        heard = await this.#again();
      } catch (err) {
        if (back()) break;
        if (err instanceof Refusal) {
          this.#refused(err);
          break;
        }
        // The hub is not to be reached: no lesser way would be better off.
      }
      const end = performance.now() + (heard ? restartsWithin : pace);
      while (!back() && performance.now() < end) await pause(100);
      if (heard && !back()) {
        this.#told.failed("no pictures come by WebRTC");
        break;
      }
    }
    this.#mending = false;
  }

  /**
   * Begins ICE anew (RFC 9725 4.3.3), or all of it where the hub has let go of the session.
   * @returns {Promise<boolean>} whether the hub took it
   */
  async #again() {
    const pc = this.#pc;
    if (!pc || !this.#session || pc.signalingState === "closed") {
      await this.#open();
      return true;
    }
    // An offer that the hub never heard of counts no more.
    if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
    const agreed = pc.currentRemoteDescription?.sdp ?? "";
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    try {
      const answer = await this.#ask("PATCH", this.#session, "application/trickle-ice-sdpfrag", fragment(pc.localDescription?.sdp ?? ""));
      const fresh = await answer.text();
      if (pc !== this.#pc) return true;
      await pc.setRemoteDescription({ type: "answer", sdp: merged(agreed, fresh) });
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      await this.#open(); // it is gone, or does not do that
    }
    return true;
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((r) => setTimeout(r, ms));
}

/** @param {string} sdp */
function linesOf(sdp) {
  return sdp.split(/\r?\n/).filter((l) => l !== "");
}

/**
 * As much of an offer as ICE needs (RFC 8840 9).
 * @param {string} sdp
 */
function fragment(sdp) {
  const out = [];
  let session = true;
  const wanted = /^a=(mid:|ice-ufrag:|ice-pwd:|candidate:|end-of-candidates)/;
  for (const line of linesOf(sdp)) {
    if (line.startsWith("m=")) session = false;
    if (session ? /^a=(group:BUNDLE|ice-options:|ice-ufrag:|ice-pwd:)/.test(line) : line.startsWith("m=") || wanted.test(line)) out.push(line);
  }
  return out.join("\r\n") + "\r\n";
}

/**
 * The answer of before, with the hub's new credentials and candidates.
 * @param {string} answer
 * @param {string} fresh
 */
function merged(answer, fresh) {
  const news = linesOf(fresh);
  const ufrag = news.find((l) => l.startsWith("a=ice-ufrag:"));
  const pwd = news.find((l) => l.startsWith("a=ice-pwd:"));
  if (!ufrag || !pwd) return answer;
  const candidates = news.filter((l) => l.startsWith("a=candidate:"));
  const out = [];
  let placed = false;
  for (const line of linesOf(answer)) {
    if (line.startsWith("a=candidate:") || line === "a=end-of-candidates") continue;
    out.push(line.startsWith("a=ice-ufrag:") ? ufrag : line.startsWith("a=ice-pwd:") ? pwd : line);
    if (placed || !line.startsWith("a=mid:")) continue;
    out.push(...candidates); // all sections share one way
    placed = true;
  }
  return out.join("\r\n") + "\r\n";
}
