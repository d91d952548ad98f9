// JavaScript's values on their way to the library and back. Every type is checked before it reaches C.
"use strict";

const { inspect } = require("node:util");
const { refused, wrongType } = require("./errors.js");

/** A text; it ends at a NUL in C, so one within it is refused. */
function text(name, value) {
  if (typeof value !== "string") throw wrongType(name, "a string", value);
  if (value.includes("\0")) throw refused(name, "holds a NUL character");
  // Half a surrogate pair would be replaced silently.
  if (/\p{Surrogate}/u.test(value)) throw refused(name, "holds half a surrogate pair, which is no text");
  return value;
}

/** A text that may be left out. */
function optionalText(name, value) {
  return value === undefined || value === null ? null : text(name, value);
}

/** An object of known members: an unknown one is an error that names it, since it would be ignored. */
function record(name, value, known) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongType(name, "an object", value);
  for (const member of Object.keys(value)) {
    if (!known.includes(member)) throw refused(member, `unknown; known are ${known.join(", ")}`);
  }
  return value;
}

/** Milliseconds; less than one becomes one, since 0 would be no limit. */
function milliseconds(name, value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw wrongType(name, "a number of milliseconds", value);
  if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER)) {
    throw refused(name, `must be more than 0 milliseconds, not ${value}`);
  }
  return Math.ceil(value);
}

function integer(name, value, most = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw wrongType(name, "a number", value);
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw refused(name, `must be a whole number from 0 to ${most}, not ${value}`);
  }
  return value;
}

function flag(name, value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw wrongType(name, "true or false", value);
  return value;
}

/** A value as JSON. A BigInt keeps all its digits; a number that has lost some already is refused. */
function toJson(name, value) {
  if (typeof value?.toJSON === "function") value = value.toJSON();
  switch (typeof value) {
    case "string":
      if (/\p{Surrogate}/u.test(value)) throw refused(name, "holds half a surrogate pair, which is no text");
      return JSON.stringify(value);
    case "boolean": return String(value);
    case "bigint": return String(value);
    case "number":
      if (!Number.isFinite(value)) throw refused(name, `cannot be ${value}`);
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        throw refused(name, `${value} may have lost digits; give a BigInt or a string`);
      }
      return JSON.stringify(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map((item, at) => toJson(`${name}[${at}]`, item ?? null)).join(",")}]`;
      if (![Object.prototype, null].includes(Object.getPrototypeOf(value))) break;
      return `{${Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => `${JSON.stringify(key)}:${toJson(key, member)}`)
        .join(",")}}`;
  }
  throw wrongType(name, "a string, number, bigint, boolean, null, array or plain object", value);
}

/** A method's parameters: an object, or JSON text as it is. */
function parameters(params) {
  if (params === undefined || params === null || params === "") return null;
  if (typeof params === "object" && !Array.isArray(params)) return toJson("params_json", params);
  text("params", params);
  try {
    if (/^\s*\{/.test(params) && JSON.parse(params)) return params;
  } catch (error) {
    throw refused("params_json", `not valid JSON: ${error.message}`);
  }
  throw refused("params_json", "must be a JSON object");
}

/** Members of JSON that are undefined are left out. */
function members(object) {
  return Object.entries(object)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`);
}

const NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** Reads JSON; integers that a number cannot hold become BigInts. */
function parse(json) {
  if (!/\d{16}/.test(json)) return JSON.parse(json);
  let mark = "bigint:";
  while (json.includes(mark)) mark = `_${mark}`;
  let found = false;
  const marked = json.replace(NUMBERS, (token) => {
    if (token[0] === '"' || /[.eE]/.test(token) || Number.isSafeInteger(Number(token))) return token;
    found = true;
    return `"${mark}${token}"`;
  });
  if (!found) return JSON.parse(json);
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

/** What a grant gave. It shows no secrets in a log; JSON.stringify makes what to store. */
class Tokens {
  constructor(json) {
    const given = typeof json === "string" ? JSON.parse(json) : json;
    this.accessToken = given.access_token ?? null;
    this.refreshToken = given.refresh_token ?? null;
    this.expiresIn = given.expires_in ?? null;
    this.expiresAt = given.expires_at ?? null;
    this.uid = given.uid ?? null;
    this.tokenType = given.token_type ?? null;
    this.circuit = given.circuit ?? null;
    Object.freeze(this);
  }

  /** The end as a Date. */
  get expires() {
    return this.expiresAt === null ? null : new Date(this.expiresAt * 1000);
  }

  toJSON() {
    return {
      access_token: this.accessToken,
      refresh_token: this.refreshToken,
      expires_in: this.expiresIn,
      expires_at: this.expiresAt,
      uid: this.uid,
      token_type: this.tokenType,
      circuit: this.circuit,
    };
  }

  [inspect.custom](_, options) {
    return `Tokens ${inspect({ uid: this.uid, expires: this.expires, circuit: this.circuit }, options)}`;
  }
}

/** Stored tokens, in whatever form they are. */
function tokensJson(tokens) {
  if (tokens === undefined || tokens === null || typeof tokens === "string") return optionalText("tokens", tokens);
  if (typeof tokens !== "object") throw wrongType("tokens", "Tokens, an object or JSON text", tokens);
  return toJson("tokens", tokens);
}

const isText = (name, value) => JSON.stringify(text(name, value));
const isWhole = (name, value) => String(integer(name, value));
const isFlag = (name, value) => String(flag(name, value));
const isTime = (name, value) => String(milliseconds(name, value));

/** The options by their names here: their names in the library, and how their values are read. */
const OPTIONS = {
  passError: ["pass_error", isFlag],
  apiUrl: ["api_url", isText],
  publicUrl: ["public_url", isText],
  tokenUrl: ["token_url", isText],
  clientSecret: ["client_secret", isText],
  refreshToken: ["refresh_token", isText],
  expiresIn: ["expires_in", isWhole],
  tokenFile: ["token_file", isText],
  autoRefresh: ["auto_refresh", isFlag],
  timeout: ["timeout_ms", isTime],
  connectTimeout: ["connect_timeout_ms", isTime],
  retries: ["retries", isWhole],
  retryDelay: ["retry_delay_ms", isTime],
  maxResponseBytes: ["max_response_bytes", isWhole],
  getLimit: ["get_limit", isWhole],
  maxIdleConnections: ["max_idle_connections", isWhole],
  userAgent: ["user_agent", isText],
  proxy: ["proxy", isText],
  tlsRoots: ["tls_roots", isText],
  caFile: ["ca_file", isText],
  maxCallsPerSecond: ["max_calls_per_second", (name, value) => toJson(name, value)],
  callbacksInCalls: ["callbacks_in_calls", isFlag],
  allowHttp: ["allow_http", isFlag],
};

/** A constructor's options: an object, or the library's own JSON text. `library` holds such text beside others. */
function optionsJson(options) {
  if (options === undefined || options === null) return null;
  if (typeof options === "string") return text("options", options);
  record("options", options, [...Object.keys(OPTIONS), "library"]);
  let raw = options.library ?? {};
  if (typeof raw === "string") raw = JSON.parse(text("library", raw) || "{}");
  const all = new Map(Object.entries(raw).map(([name, value]) => [name, toJson(name, value)]));
  for (const [name, [known, read]] of Object.entries(OPTIONS)) {
    if (options[name] !== undefined && options[name] !== null) all.set(known, read(name, options[name]));
  }
  return `{${[...all].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

/** The bytes of a file: of any kind of buffer, or what a Blob or a stream gives. */
async function bytes(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (typeof Blob !== "undefined" && data instanceof Blob) return new Uint8Array(await data.arrayBuffer());
  if (typeof data !== "string" && data?.[Symbol.asyncIterator]) {
    const chunks = [];
    for await (const chunk of data) {
      if (!ArrayBuffer.isView(chunk)) throw wrongType("data", "a stream of bytes, without an encoding", chunk);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
  throw wrongType("data", "a Buffer, another view, an ArrayBuffer, a Blob or a readable stream", data);
}

module.exports = {
  OPTIONS, Tokens, bytes, flag, integer, members, milliseconds, optionalText, optionsJson, parameters, parse, record,
  text, tokensJson,
};
