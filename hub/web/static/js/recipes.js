// @ts-check
// What each sound is made of: the same numbers as the speaker plugin's (see
// plugins/speaker/sound/RECIPES.md), so that a chime is the same chime wherever it
// sounds. A note is a struck voice; a voice is a sum of sine partials.

/** [ratio to the note's pitch, gain, seconds until it fell to 1/e] */
/** @typedef {[number, number, number]} Partial */
/** @typedef {{attack: number, partials: Partial[]}} Voice */
/** @typedef {{at: number, hz: number, to?: number, glide?: number, gain: number, voice: Voice}} Note */
/** @typedef {{length: number, scale: number, notes: Note[]}} Recipe */

/** @type {Voice} */
const tube = { attack: 0.003, partials: [[1, 1, 1.05], [2, 0.55, 0.8], [3, 0.28, 0.42], [4.2, 0.16, 0.22], [5.4, 0.09, 0.12], [0.5, 0.12, 0.9]] };
/** @type {Voice} */
const bar = { attack: 0.002, partials: [[1, 1, 0.62], [2.76, 0.3, 0.2], [5.4, 0.12, 0.08]] };
/** @type {Voice} */
const dome = { attack: 0.001, partials: [[1, 1, 0.55], [1.52, 0.42, 0.38], [2.31, 0.36, 0.26], [3.27, 0.2, 0.14], [4.41, 0.1, 0.08]] };
/** @type {Voice} */
const wood = { attack: 0.002, partials: [[1, 1, 0.3], [4, 0.26, 0.09], [9.2, 0.08, 0.03]] };
/** @type {Voice} */
const plate = { attack: 0.02, partials: [[1, 1, 2.4], [1.48, 0.62, 1.9], [1.98, 0.55, 1.6], [2.62, 0.38, 1.1], [3.31, 0.28, 0.8], [4.17, 0.16, 0.5], [0.5, 0.3, 2.6]] };
/** @type {Voice} */
const board = { attack: 0.001, partials: [[1, 1, 0.045], [1.72, 0.6, 0.032], [2.9, 0.35, 0.018], [5.3, 0.2, 0.008]] };
/** @type {Voice} */
const whistle = { attack: 0.012, partials: [[1, 1, 0.085], [2, 0.08, 0.05]] };

/**
 * The same voice at several pitches, one after another.
 * @param {Voice} voice
 * @param {number} every seconds
 * @param {number[]} pitches Hz
 * @param {number} [gain]
 * @returns {Note[]}
 */
function series(voice, every, pitches, gain = 1) {
  return pitches.map((hz, i) => ({ at: every * i, hz, gain, voice }));
}

/** @type {Record<string, Recipe>} */
const recipes = {
  ding_dong: { length: 2.6, scale: 0.3756, notes: series(tube, 0.55, [659.255, 523.251]) },
  westminster: { length: 4.6, scale: 0.3808, notes: series(tube, 0.72, [415.305, 369.994, 329.628, 246.942]) },
  chirp: {
    length: 1.25,
    scale: 0.7653,
    notes: [0, 0.11, 0.22, 0.49, 0.6].map((at, i) => ({ at, hz: 2100 + 120 * (i % 3), to: 3150 + 90 * (i % 3), glide: 0.07, gain: 1, voice: whistle })),
  },
  gong: { length: 4.5, scale: 0.3323, notes: series(plate, 0, [131]) },
  knock: { length: 1.1, scale: 0.6343, notes: series(board, 0.2, [185, 185, 185]) },
  doorbell_classic: { length: 1.9, scale: 0.2962, notes: series(dome, 0.055, Array.from({ length: 18 }, (_, i) => (i % 2 ? 1568 : 1480)), 0.8) },
  marimba: {
    length: 1.5,
    scale: 0.3543,
    notes: [...series(wood, 0.13, [523.251, 659.255, 783.991, 1046.502]), { at: 0.52, hz: 1046.502, gain: 0.35, voice: bar }],
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
