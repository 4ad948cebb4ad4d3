// @ts-check
// The API's own description, drawn for people: what can be called, who may, and what it
// takes and gives. It is read from the hub, and nothing of it is made up here.

import { h, icon } from "./dom.js";

// Deeper than this the fields of a shape are named by the shape alone.
const deepest = 3;

/** @param {HTMLElement} box with data-openapi */
export async function apiDocs(box) {
  let api;
  try {
    const answer = await fetch(box.dataset.openapi ?? "", { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`The hub answered ${answer.status}.`);
    api = await answer.json();
  } catch (err) {
    box.replaceChildren(h("div", { class: "problem", role: "alert" }, icon("alert"), h("div", {}, h("strong", {}, err instanceof Error ? err.message : "No description came."))));
    return;
  }
  const base = api.servers?.[0]?.url ?? "";
  /** @type {Map<string, HTMLElement[]>} */
  const groups = new Map();
  for (const [path, calls] of Object.entries(/** @type {Record<string, any>} */ (api.paths))) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      const call = calls[method];
      if (!call) continue;
      const tag = call.tags?.[0] ?? "other";
      const at = call.servers?.[0]?.url ?? calls.servers?.[0]?.url ?? base;
      groups.set(tag, [...(groups.get(tag) ?? []), drawCall(api, at.replace(/\/$/, "") + path, method, call)]);
    }
  }
  const list = [h("section", { class: "card" }, h("p", {}, ...code(api.info?.description ?? "")))];
  for (const [tag, calls] of groups) {
    list.push(h("section", { class: "card", "aria-label": tag }, h("div", { class: "card-head" }, h("h2", {}, tag.charAt(0).toUpperCase() + tag.slice(1))), ...calls));
  }
  box.replaceChildren(...list);
}

/**
 * @param {any} api
 * @param {string} path
 * @param {string} method
 * @param {any} call
 */
function drawCall(api, path, method, call) {
  const scopes = (call.security ?? []).flatMap((/** @type {any} */ s) => s.token ?? []);
  const body = call.requestBody?.content?.["application/json"]?.schema;
  const good = Object.entries(call.responses ?? {}).find(([status]) => status.startsWith("2"));
  /** @type {any} */
  const answer = good?.[1];
  const shape = answer?.content?.["application/json"]?.schema;
  const params = (call.parameters ?? []).map((/** @type {any} */ p) => field(api, p.name, p.schema, p.required, p.description, 0));
  /** @type {Node[]} */
  const inside = [];
  if (call.description) inside.push(h("p", {}, ...code(call.description)));
  if (params.length > 0) inside.push(h("h3", {}, "Takes"), h("ul", { class: "shape" }, ...params));
  if (body) inside.push(h("h3", {}, "Body"), h("ul", { class: "shape" }, ...fields(api, body, 0)));
  if (good) inside.push(h("h3", {}, `Gives ${good[0]}`), shape ? h("ul", { class: "shape" }, ...fields(api, shape, 0)) : h("p", { class: "under" }, answer.description ?? ""));
  return h(
    "details",
    { class: "call" },
    h(
      "summary",
      {},
      icon("next"),
      h("span", { class: `method method-${method}` }, method.toUpperCase()),
      h("code", {}, path),
      h("span", { class: "under" }, call.summary ?? ""),
      ...scopes.map((/** @type {string} */ s) => h("span", { class: "tag" }, s)),
    ),
    ...inside,
  );
}

/**
 * @param {any} api
 * @param {any} schema
 * @returns {any} the schema itself, wherever it stands
 */
function resolve(api, schema) {
  const name = /^#\/components\/schemas\/(.+)$/.exec(schema?.$ref ?? "")?.[1];
  return name ? (api.components?.schemas?.[name] ?? {}) : (schema ?? {});
}

/**
 * @param {any} api
 * @param {any} schema
 * @param {number} depth
 * @returns {HTMLElement[]}
 */
function fields(api, schema, depth) {
  const at = resolve(api, schema);
  if (at.type === "array" || at.items) return fields(api, at.items, depth);
  return Object.entries(at.properties ?? {})
    .filter(([name]) => name !== "$schema")
    .map(([name, s]) => field(api, name, s, at.required?.includes(name) ?? false, undefined, depth));
}

/**
 * @param {any} api
 * @param {string} name
 * @param {any} schema
 * @param {boolean} required
 * @param {string | undefined} about
 * @param {number} depth
 */
function field(api, name, schema, required, about, depth) {
  const at = resolve(api, schema);
  const inner = depth + 1 < deepest ? fields(api, schema, depth + 1) : [];
  const text = about ?? schema?.description ?? at.description;
  const row = h("li", {}, h("code", {}, name), " ", h("span", { class: "under" }, `${kind(api, schema)}${required ? "" : ", may be absent"}${text ? `: ${text}` : ""}`));
  if (inner.length > 0) row.append(h("ul", { class: "shape" }, ...inner));
  return row;
}

/**
 * @param {any} api
 * @param {any} schema
 * @returns {string}
 */
function kind(api, schema) {
  const at = resolve(api, schema);
  const type = [at.type].flat().filter((t) => t && t !== "null")[0];
  if (at.enum) return at.enum.join(" | ");
  if (type === "array") return `list of ${kind(api, at.items)}`;
  if (type === "string" && at.format === "date-time") return "time";
  return type ?? "any";
}

/**
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function code(text) {
  return text.split("`").map((piece, i) => (i % 2 ? h("code", {}, piece) : piece));
}
