// @ts-check
// As much of ISO BMFF (ISO/IEC 14496-12) as the player needs: the tracks' time scales
// from an init segment, and where a fragment begins.

/**
 * @param {DataView} view
 * @param {number} from
 * @param {number} to
 * @returns {Generator<{type: string, start: number, end: number}>} the boxes, without their headers
 */
function* boxes(view, from, to) {
  let at = from;
  while (at + 8 <= to) {
    let size = view.getUint32(at);
    let head = 8;
    if (size === 1 && at + 16 <= to) {
      size = Number(view.getBigUint64(at + 8));
      head = 16;
    } else if (size === 0) size = to - at;
    if (size < head || at + size > to) return;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    yield { type, start: at + head, end: at + size };
    at += size;
  }
}

/**
 * @param {DataView} view
 * @param {string[]} path
 * @param {number} from
 * @param {number} to
 * @returns {Generator<{start: number, end: number}>}
 */
function* find(view, path, from = 0, to = view.byteLength) {
  const [type, ...rest] = path;
  for (const box of boxes(view, from, to)) {
    if (box.type !== type) continue;
    if (rest.length === 0) yield box;
    else yield* find(view, rest, box.start, box.end);
  }
}

/**
 * Ticks a second of each track, by track id.
 * @param {ArrayBuffer} init
 * @returns {Map<number, number>}
 */
export function timescales(init) {
  const view = new DataView(init);
  const out = new Map();
  for (const trak of find(view, ["moov", "trak"])) {
    for (const tkhd of find(view, ["tkhd"], trak.start, trak.end)) {
      // Version 1 has 64-bit times before the id (8.3.2), likewise mdhd (8.4.2).
      const id = view.getUint32(tkhd.start + (view.getUint8(tkhd.start) === 1 ? 20 : 12));
      for (const mdhd of find(view, ["mdia", "mdhd"], trak.start, trak.end)) {
        out.set(id, view.getUint32(mdhd.start + (view.getUint8(mdhd.start) === 1 ? 20 : 12)));
      }
    }
  }
  return out;
}

/**
 * When the fragment begins, in seconds of the stream: the earliest of its tracks.
 * @param {ArrayBuffer} fragment
 * @param {Map<number, number>} scales
 * @returns {number | undefined}
 */
export function begins(fragment, scales) {
  const view = new DataView(fragment);
  /** @type {number | undefined} */
  let first;
  for (const traf of find(view, ["moof", "traf"])) {
    let id = 0;
    for (const tfhd of find(view, ["tfhd"], traf.start, traf.end)) id = view.getUint32(tfhd.start + 4);
    const scale = scales.get(id);
    if (!scale) continue;
    for (const tfdt of find(view, ["tfdt"], traf.start, traf.end)) {
      const wide = view.getUint8(tfdt.start) === 1;
      const ticks = wide ? Number(view.getBigUint64(tfdt.start + 4)) : view.getUint32(tfdt.start + 4);
      first = Math.min(first ?? Infinity, ticks / scale);
    }
  }
  return first;
}
