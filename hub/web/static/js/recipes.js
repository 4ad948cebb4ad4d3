// @ts-check
// What each sound is made of. A sound is a list of strikes; a strike is a start (s), a
// pitch (Hz), a loudness, and a body: the partials that ring, as [ratio, gain, decay s].

/** @typedef {{at: number, hz: number, to?: number, gain: number, body: number[][], wave?: OscillatorType}} Strike */
/** @typedef {{at: number, gain: number, hz: number, decay: number}} Knock */

// Struck bars and tubes ring in ratios that are no whole numbers; the high ones die first.
const bar = [[1, 1, 1.5], [2.756, 0.28, 0.7], [5.404, 0.12, 0.3], [8.933, 0.04, 0.12]];
const tube = [[0.5, 0.25, 2.6], [1, 1, 2.4], [2, 0.5, 1.4], [2.99, 0.28, 0.9], [4.1, 0.12, 0.5], [5.4, 0.06, 0.3]];
const disc = [[1, 1, 4.5], [1.47, 0.55, 3.4], [2.09, 0.5, 2.6], [2.56, 0.35, 1.9], [3.71, 0.18, 1.1], [5.13, 0.1, 0.6]];
const pure = [[1, 1, 0.09]];

const note = { B3: 246.94, E4: 329.63, Fs4: 369.99, Gs4: 415.3, E5: 659.26, C5: 523.25 };

/** @type {Record<string, {strikes?: Strike[], knocks?: Knock[]}>} */
const recipes = {
  ding_dong: {
    strikes: [
      { at: 0, hz: note.E5, gain: 0.9, body: bar },
      { at: 0.55, hz: note.C5, gain: 0.9, body: bar },
    ],
  },
  westminster: {
    strikes: [note.Gs4, note.Fs4, note.E4, note.B3].map((hz, i) => ({ at: i * 0.6, hz, gain: 0.7, body: tube })),
  },
  chirp: {
    strikes: [0, 0.13, 0.26, 0.62, 0.75].map((at) => ({ at, hz: 2350, to: 3300, gain: 0.45, body: pure })),
  },
  gong: { strikes: [{ at: 0, hz: 110, gain: 0.9, body: disc }] },
  bell: {
    strikes: [0, 0.42, 0.84].map((at) => ({ at, hz: 1046.5, gain: 0.5, body: bar })),
  },
  knock: {
    knocks: [0, 0.2, 0.4].map((at, i) => ({ at, gain: i === 2 ? 1 : 0.8, hz: 190, decay: 0.09 })),
  },
};

/**
 * The recipe of a sound; one that nobody knows rings as ding_dong, for a ring that is
 * silent is worse than one that sounds different.
 * @param {string} name
 */
export function recipe(name) {
  return recipes[name] ?? recipes.ding_dong;
}
