// @ts-check
// Calls to the hub's API. An answer that is no success becomes a Refusal with the
// code and the sentence of its problem document (RFC 9457).

const base = "/api/v1";

/** What the hub said instead of doing it. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {string} code
   * @param {number} status
   * @param {string} [hint] how to mend it
   */
  constructor(message, code, status, hint) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}

/** @param {string} path */
export function url(path) {
  return base + path;
}

/** @param {string} camera */
export function cameraPath(camera) {
  return `/cameras/${encodeURIComponent(camera)}`;
}

/**
 * Whether a camera has a smaller stream; that a reader asked for one makes none.
 * @param {any} camera as the hub names it
 * @returns {boolean}
 */
export function hasSub(camera) {
  return camera?.sources?.some((/** @type {any} */ s) => s.stream === "sub" && (s.pull || s.codec || s.state === "live" || s.state === "pushed")) === true;
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @param {"POST" | "PUT" | "DELETE"} [method]
 * @returns {Promise<any>}
 */
export async function send(path, body = {}, method = "POST") {
  let answer;
  try {
    answer = await fetch(base + path, {
      method,
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new Refusal("The hub does not answer.", "", 0);
  }
  if (answer.ok) return answer.status === 204 ? undefined : answer.json().catch(() => undefined);
  throw await refusal(answer);
}

/**
 * @param {Response} answer
 * @returns {Promise<Refusal>}
 */
export async function refusal(answer) {
  /** @type {{detail?: string, title?: string, code?: string, hint?: string}} */
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // No problem document: the status alone has to do.
  }
  const text = problem.detail || problem.title || `The hub answered ${answer.status}.`;
  return new Refusal(text, problem.code ?? "", answer.status, problem.hint);
}
