// The library: where it is found, and its functions with their types.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { isMainThread } = require("node:worker_threads");
const koffi = require("koffi");

/** The number of the binary interface that this package was written for. */
const ABI_VERSION = 0;

const FILE_NAMES = {
  win32: ["mailru.dll"],
  darwin: [`libmailru.${ABI_VERSION}.dylib`, "libmailru.dylib"],
}[process.platform] ?? [`libmailru.so.${ABI_VERSION}`];

/** Where the library may be, best first. A variable that names a file is an order, not a hint. */
function candidates() {
  if (process.env.MAILRU_LIBRARY) return [process.env.MAILRU_LIBRARY];
  const beside = FILE_NAMES.map((name) => path.join(__dirname, "..", name));
  return [...beside.filter((file) => fs.existsSync(file)), ...FILE_NAMES];
}

function load() {
  const failures = [];
  for (const file of candidates()) {
    try {
      const library = koffi.load(file);
      const found = library.func("uint32_t mailru_abi_version()")();
      if (found === ABI_VERSION) return library;
      failures.push(`${file}: its binary interface has the number ${found}, not ${ABI_VERSION}`);
    } catch (error) {
      failures.push(`${file}: ${error.message}`);
    }
  }
  if (!process.env.MAILRU_LIBRARY) {
    failures.push(`${path.join(__dirname, "..")}: holds no ${FILE_NAMES.join(" or ")}`);
  }
  throw Object.assign(
    new Error(
      "the library libmailru was not found; install it, or let the environment variable MAILRU_LIBRARY hold the path " +
        `of its file. Tried:\n  ${failures.join("\n  ")}`,
    ),
    { code: "MAILRU_LIBRARY_NOT_FOUND" },
  );
}

const library = load();
const release = library.func("mailru_string_free", "void", ["void *"]);
// Names of types are koffi's for the whole thread, and test runners load a module more than once.
const unique = (name) => `Mailru${name}_${Math.random().toString(36).slice(2)}`;
// Becomes a JavaScript string, and is released at once.
const Json = koffi.disposable(unique("Json"), "str", release);
const TokenFunction = koffi.proto(unique("Token"), "void", ["uintptr_t", "str"]);
const RenewalFunction = koffi.proto(unique("Renewal"), "void", ["uintptr_t", "int32_t"]);
const LogFunction = koffi.proto(unique("Log"), "void", ["uintptr_t", "int32_t", "str"]);
const ReleaseFunction = koffi.proto(unique("Release"), "void", ["uintptr_t"]);

const code = koffi.out("int32_t *");
const error = koffi.out(koffi.pointer(Json));
const number = koffi.out("uint64_t *");
const handle = "uint64_t";

const listener = (name, type) =>
  library.func(name, "int32_t", [handle, koffi.pointer(type), "uintptr_t", koffi.pointer(ReleaseFunction)]);
const json = (name, ...types) => library.func(name, Json, [...types, code]);

/** A constructor with so many texts; the last is the options. */
const constructor = (kind, texts) => [
  kind,
  library.func(`mailru_${kind}_session_new`, handle, [...Array(texts + 1).fill("str"), error]),
];

/**
 * The functions by which this package works. mailru_queue_request does what mailru_call, mailru_call_within,
 * mailru_upload, mailru_public, mailru_authorize, mailru_request and mailru_queue_submit do, without a thread that
 * waits.
 */
const functions = {
  constructors: new Map([
    // mailru_public_session_new, mailru_token_session_new, ...
    constructor("public", 0),
    constructor("token", 5),
    constructor("client", 4),
    constructor("server", 3),
    constructor("code", 5),
    constructor("code_client", 4),
    constructor("code_server", 4),
    constructor("password", 6),
    constructor("password_client", 5),
    constructor("password_server", 5),
    constructor("refresh", 4),
    constructor("refresh_client", 3),
    constructor("refresh_server", 3),
    constructor("stored", 4),
  ]),
  sessionFree: library.func("mailru_session_free", "void", [handle]),
  sessionCancel: library.func("mailru_session_cancel", "int32_t", [handle]),
  sessionSetTokens: library.func("mailru_session_set_tokens", "int32_t", [handle, "str", error]),
  sessionOnToken: listener("mailru_session_on_token", TokenFunction),
  sessionHold: library.func("mailru_session_hold", "int32_t", [handle, "int32_t"]),
  sessionOnRenewal: listener("mailru_session_on_renewal", RenewalFunction),
  tokens: json("mailru_tokens", handle),
  sign: json("mailru_sign", handle, "str", "str"),
  stats: json("mailru_stats", handle),
  cancelNew: library.func("mailru_cancel_new", handle, []),
  cancelFire: library.func("mailru_cancel_fire", "int32_t", [handle]),
  cancelProgress: library.func("mailru_cancel_progress", "int32_t", [handle, number, number]),
  cancelFree: library.func("mailru_cancel_free", "void", [handle]),
  queueNew: library.func("mailru_queue_new", handle, ["uint32_t", "uint32_t", error]),
  queueRequest: library.func("mailru_queue_request", "int32_t", [
    handle, handle, "str", "uint8_t *", "size_t", handle, "uint64_t", error,
  ]),
  queueNext: library.func("mailru_queue_next", Json, [handle, "int32_t", number, code]),
  queueCancel: library.func("mailru_queue_cancel", "int32_t", [handle, "uint64_t"]),
  queueFd: library.func("mailru_queue_fd", "int32_t", [handle]),
  queueFree: library.func("mailru_queue_free", "void", [handle]),
  errorNumber: library.func("mailru_error_number", "int64_t", ["str"]),
  errorTransient: library.func("mailru_error_transient", "int32_t", ["str"]),
  errorMessage: json("mailru_error_message", "str"),
  errors: json("mailru_errors"),
  methods: json("mailru_methods"),
  authorizeUrl: json("mailru_authorize_url", ...Array(5).fill("str")),
  authorizeUrlAt: json("mailru_authorize_url_at", ...Array(6).fill("str")),
  parseRedirect: json("mailru_parse_redirect", "str", "str"),
  verify: json("mailru_verify", "str", "str"),
  verifyLaunch: json("mailru_verify_launch", "str", "str"),
  verifyQuery: json("mailru_verify_query", "str", "str", "str"),
  setLog: library.func("mailru_set_log", "int32_t", [
    koffi.pointer(LogFunction), "uintptr_t", koffi.pointer(ReleaseFunction), "int32_t",
  ]),
  version: library.func("mailru_version", "str", []),
  abiVersion: library.func("mailru_abi_version", "uint32_t", []),
  codeName: library.func("mailru_code_name", "str", ["int32_t"]),
};

/** Have JavaScript's functions called by the library. They are kept for ever, as the library is. */
const register = {
  token: (callback) => koffi.register(callback, koffi.pointer(TokenFunction)),
  renewal: (callback) => koffi.register(callback, koffi.pointer(RenewalFunction)),
  log: (callback) => koffi.register(callback, koffi.pointer(LogFunction)),
};

/**
 * What the library calls when the number of a function will not be used again: a function of its own, which frees the
 * cancel handle that serves as the number. No JavaScript has to run for it.
 */
const releaseNumber = library.symbol("mailru_cancel_free");

/**
 * Watches a descriptor in the event loop: a handle with ref, unref and close; or null where koffi cannot. In a worker
 * it cannot, since it ends the process if the worker is terminated at the moment when the descriptor is readable.
 */
function watch(descriptor, readable) {
  if (descriptor < 0 || !isMainThread || !koffi.node?.poll) return null;
  try {
    return koffi.node.poll(descriptor, { readable: true }, readable);
  } catch {
    return null;
  }
}

module.exports = { functions, register, releaseNumber, watch };
