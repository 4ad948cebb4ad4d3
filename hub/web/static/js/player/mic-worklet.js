// Runs beside the sound: takes what the microphone gives at the device's rate and posts
// pieces of 20 ms, 16 bit at 16 kHz, in network byte order.

const rate = 16_000;
const piece = rate / 50;

class MicPieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ratio = sampleRate / rate;
    this.at = 0; // where between the last two samples of the input the next is taken
    this.low = 0; // the input without its highest tones, which would fold down
    this.out = new DataView(new ArrayBuffer(2 * piece));
    this.filled = 0;
  }

  process([input]) {
    const block = input?.[0];
    if (!block) return true;
    // One pole at about 6 kHz, then linear between two samples.
    const weight = Math.min(1, (2 * Math.PI * 6_000) / sampleRate);
    for (let i = 0; i < block.length; i++) {
      const before = this.low;
      this.low += weight * (block[i] - this.low);
      while (this.at <= 1) {
        this.put(before + (this.low - before) * this.at);
        this.at += this.ratio;
      }
      this.at -= 1;
    }
    return true;
  }

  put(sample) {
    this.out.setInt16(2 * this.filled++, Math.round(Math.max(-1, Math.min(1, sample)) * 32767));
    if (this.filled < piece) return;
    this.port.postMessage(this.out.buffer.slice(0));
    this.filled = 0;
  }
}

registerProcessor("porchlight-mic", MicPieces);
