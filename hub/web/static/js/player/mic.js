// @ts-check
// The microphone, for as long as somebody talks: its track for WebRTC, or its samples for
// a socket, and how loud it is.

/** Why there is no microphone, in words for people, with what to do. */
export class NoMicrophone extends Error {
  /**
   * @param {string} message
   * @param {string} fix
   * @param {string} [href] where the fix is told
   */
  constructor(message, fix, href) {
    super(message);
    this.fix = fix;
    this.href = href;
  }
}

/** @returns {NoMicrophone | undefined} why this page cannot have one, whoever asks */
export function barred() {
  if (!isSecureContext) {
    return new NoMicrophone("Browsers give the microphone only to pages that come by HTTPS.", "Open the hub by HTTPS; the page “Trust this hub” says how, for each device.", "/trust");
  }
  if (!navigator.mediaDevices?.getUserMedia) return new NoMicrophone("This browser has no microphone for pages.", "Use a current Chrome, Edge, Firefox or Safari.");
  return undefined;
}

/** Whether the person has refused it before; unknown counts as no. */
export async function refused() {
  try {
    const state = await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") });
    return state.state === "denied";
  } catch {
    return false;
  }
}

/** What a person does about a microphone that they refused. */
export function denied() {
  return new NoMicrophone("This browser was told not to give the page the microphone.", "Press the sign at the left of the address, allow the microphone, and try again.");
}

export class Mic {
  /** @type {MediaStream} */
  #stream;
  #context;
  #meter;
  #samples;
  /** @type {AudioNode} */
  #source;

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.#stream = stream;
    this.#context = new AudioContext();
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#meter = this.#context.createAnalyser();
    this.#meter.fftSize = 1024;
    this.#samples = new Float32Array(this.#meter.fftSize);
    // What leads nowhere is not drawn: the meter ends in silence.
    const silence = this.#context.createGain();
    silence.gain.value = 0;
    this.#source.connect(this.#meter).connect(silence).connect(this.#context.destination);
    this.#context.resume().catch(() => {});
  }

  static async open() {
    const bar = barred();
    if (bar) throw bar;
    try {
      return new Mic(await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } }));
    } catch (err) {
      const name = err instanceof DOMException ? err.name : "";
      if (name === "NotAllowedError" || name === "SecurityError") throw denied();
      if (name === "NotFoundError" || name === "OverconstrainedError") throw new NoMicrophone("This device has no microphone.", "Plug one in, or use another device.");
      if (name === "NotReadableError" || name === "AbortError") throw new NoMicrophone("Another program holds the microphone.", "End the other program, and try again.");
      throw err;
    }
  }

  get track() {
    return this.#stream.getAudioTracks()[0];
  }

  /** How loud it is, 0 to 1, as an ear takes it: 60 dB from nothing to all. */
  level() {
    this.#meter.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const s of this.#samples) sum += s * s;
    const db = 10 * Math.log10(sum / this.#samples.length + 1e-10);
    return Math.min(1, Math.max(0, (db + 60) / 60));
  }

  /**
   * Gives the sound piece by piece: 20 ms of 16 bit at 16 kHz, in network byte order.
   * @param {(piece: ArrayBuffer) => void} take
   */
  async pieces(take) {
    await this.#context.audioWorklet.addModule(new URL("./mic-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(this.#context, "porchlight-mic", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => take(data);
    this.#source.connect(node);
  }

  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    this.#context.close().catch(() => {});
  }
}
