// Sessions.
"use strict";

const { Queue, commonQueue, offAbort, onAbort } = require("./calls.js");
const { canListen, forget, listen, warn } = require("./callbacks.js");
const { MailruError, answer, done, made, wrongType } = require("./errors.js");
const { functions } = require("./library.js");
const {
  Tokens, bytes, flag, integer, members, milliseconds, optionalText, optionsJson, parameters, parse, record, text,
  tokensJson,
} = require("./values.js");

const dispose = Symbol.dispose ?? Symbol.for("nodejs.dispose");

/** Ends the calls that were given it, and tells how far their uploads are. */
class Cancel {
  #number = functions.cancelNew();

  constructor() {
    cancels.register(this, this.#number, this);
  }

  /** Ends its calls within 50 ms, and later ones at once. Once fired it stays fired. */
  fire() {
    done(functions.cancelFire, this.#number);
  }

  /** How much of the request bodies of its calls was sent; total is 0 before the first attempt. */
  progress() {
    const sent = [0], total = [0];
    done(functions.cancelProgress, this.#number, sent, total);
    return { sent: Number(sent[0]), total: Number(total[0]) };
  }

  /** Gives it back; its calls go on. */
  close() {
    cancels.unregister(this);
    functions.cancelFree(this.#number);
  }

  [dispose]() {
    this.close();
  }

  /** For sessions. */
  get _number() {
    return this.#number;
  }
}

const cancels = new FinalizationRegistry((number) => functions.cancelFree(number));
const sessions = new FinalizationRegistry((number) => {
  functions.sessionFree(number);
  forget(number);
});

const CANCELLED = 23;
const CALL_OPTIONS = ["timeout", "retries", "passError", "signal", "cancel", "queue", "raw"];

/** Checks the options of a call. */
function checkOptions(options, more = []) {
  const checked = record("options", options, [...CALL_OPTIONS, ...more]);
  const { signal, cancel, queue, onProgress } = checked;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongType("signal", "an AbortSignal", signal);
  if (cancel !== undefined && !(cancel instanceof Cancel)) throw wrongType("cancel", "a Cancel", cancel);
  if (queue !== undefined && !(queue instanceof Queue)) throw wrongType("queue", "a Queue", queue);
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw wrongType("onProgress", "a function", onProgress);
  }
  flag("raw", checked.raw);
  return checked;
}

/** The JSON of a request. */
function requestJson(what, options) {
  return `{${members({
    ...what,
    timeout_ms: milliseconds("timeout", options.timeout),
    retries: integer("retries", options.retries),
    pass_error: flag("passError", options.passError),
  }).join(",")}}`;
}

function checkListener(listener) {
  if (listener === undefined || listener === null) return null;
  if (typeof listener !== "function") throw wrongType("listener", "a function or null", listener);
  return listener;
}

/** Only this file makes sessions, from texts that were checked. */
const own = Symbol("own");

/** An application's keys and a user's tokens. It may serve any number of calls at once. */
class Session {
  #number;
  #closed = false;
  /** In a worker: what a listener still does with new tokens; answers wait for it. */
  #stored = null;
  /** In a worker: the listener, and the tokens that it was told of. */
  #listener = null;
  #seen = null;

  constructor(key, kind, texts, options) {
    if (key !== own) throw new TypeError("use Session.client, Session.server, ... to make a session");
    this.#number = made(functions.constructors.get(kind), ...texts, optionsJson(options));
    sessions.register(this, this.#number, this);
  }

  /** Frees the session; its calls under way are rejected as MAILRU_CANCELLED. Closing twice is harmless. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    sessions.unregister(this);
    functions.sessionFree(this.#number);
    forget(this.#number);
  }

  [dispose]() {
    this.close();
  }

  /** Calls a method of the platform. */
  async call(method, params, options = {}) {
    checkOptions(options);
    const what = { method: JSON.stringify(text("method", method)), params: parameters(params) };
    return this.#perform(requestJson(what, options), null, options);
  }

  /** Calls a method with a file. */
  async upload(method, params, file, options = {}) {
    checkOptions(options, ["onProgress"]);
    record("file", file, ["field", "data", "name", "type"]);
    const described = { field: text("field", file.field), name: text("name", file.name ?? file.data?.name ?? "file") };
    const type = file.type ?? file.data?.type;
    if (type) described.type = text("type", type);
    const what = {
      method: JSON.stringify(text("method", method)),
      params: parameters(params),
      file: JSON.stringify(described),
    };
    const request = requestJson(what, options);
    options.signal?.throwIfAborted();
    const data = await bytes(file.data);
    if (!options.onProgress) return this.#perform(request, data, options);

    const cancel = options.cancel ?? new Cancel();
    // What the program's function throws ends the upload, and not the process.
    const stop = new AbortController();
    const tell = () => {
      try {
        options.onProgress(cancel.progress());
      } catch (error) {
        stop.abort(error);
      }
    };
    const abort = () => stop.abort(options.signal.reason);
    if (options.signal) onAbort(options.signal, abort);
    const timer = setInterval(tell, 50);
    try {
      const answered = await this.#perform(request, data, { ...options, cancel, signal: stop.signal });
      tell();
      stop.signal.throwIfAborted();
      return answered;
    } finally {
      clearInterval(timer);
      if (options.signal) offAbort(options.signal, abort);
      if (!options.cancel) cancel.close();
    }
  }

  /** Reads a public page, such as "mail/nick", unsigned. */
  async public(path, params, options = {}) {
    checkOptions(options);
    const what = { public: JSON.stringify(text("path", path)), params: parameters(params) };
    return this.#perform(requestJson(what, options), null, options);
  }

  /** Gets the tokens now, or renews them. Calls do this by themselves. */
  async authorize(options = {}) {
    checkOptions(options);
    const request = requestJson({ authorize: "true" }, options);
    return new Tokens(await this.#perform(request, null, { ...options, raw: true }));
  }

  async #perform(request, data, { signal, cancel, queue = commonQueue(), raw }) {
    signal?.throwIfAborted();
    // A file of no bytes is a file, too.
    const file = data?.byteLength === 0 ? new Uint8Array(1).subarray(0, 0) : data;
    const { completion, end } = queue._submit(this, this.#number, request, file, cancel?._number ?? 0);
    if (signal) onAbort(signal, end);
    const { code, json } = await completion;
    if (signal) offAbort(signal, end);
    this.#tellNewTokens();
    if (this.#stored) await this.#stored;
    if (code === CANCELLED && signal?.aborted) throw signal.reason;
    // Made here, where the stack leads to the caller.
    if (code !== 0) throw new MailruError(code, json);
    return raw ? json : parse(json);
  }

  /** Shows a call as it would be sent, without network: url, sig, circuit, base and params. */
  sign(method, params, options = {}) {
    const { raw } = record("options", options, ["raw"]);
    const json = answer(functions.sign, this.#number, text("method", method), parameters(params));
    return flag("raw", raw) ? json : JSON.parse(json);
  }

  /** The tokens at present, at once and without network. */
  tokens() {
    return new Tokens(answer(functions.tokens, this.#number));
  }

  /** Gives the session newer tokens, and lifts a refusal that it remembers. */
  setTokens(tokens) {
    const error = [null];
    const code = functions.sessionSetTokens(this.#number, tokensJson(tokens), error);
    if (code !== 0) throw new MailruError(code, error[0]);
  }

  /** Counters since the session was made. */
  stats() {
    return JSON.parse(answer(functions.stats, this.#number));
  }

  /** Ends the session's calls under way within 50 ms as MAILRU_CANCELLED. Later calls work. */
  cancel() {
    done(functions.sessionCancel, this.#number);
  }

  /** Has a function told of every new set of tokens; null removes it. */
  onToken(listener) {
    const found = checkListener(listener);
    if (!canListen) {
      this.#seen = found && answer(functions.tokens, this.#number);
      this.#listener = found;
      return;
    }
    listen("token", this.#number, found && ((json) => this.#held(found(new Tokens(json)))));
  }

  /** Has a function called around each renewal, with true before its request and with false when it is over. */
  onRenewal(listener) {
    const found = checkListener(listener);
    if (!canListen) throw new Error("onRenewal works in the main thread only; have it make the session");
    listen("renewal", this.#number, found && ((phase) => this.#held(found(phase === 1))));
  }

  /** Has the listener that the library calls now count as running until what it promises is settled. */
  #held(promised) {
    if (typeof promised?.then !== "function") return;
    const number = this.#number;
    // A session that was closed meanwhile has nothing to hold back.
    functions.sessionHold(number, 1);
    Promise.resolve(promised).catch(warn).then(() => functions.sessionHold(number, 0));
  }

  /** Tells a listener, and has answers wait for what it promises: in a worker. */
  #tell(listener, json) {
    const told = listener(new Tokens(json));
    if (typeof told?.then !== "function") return;
    const all = Promise.all([this.#stored, told]).catch(warn).then(() => {
      if (this.#stored === all) this.#stored = null;
    });
    this.#stored = all;
  }

  /** A worker may be ended at any time, and what the library calls with it: so its sessions look by themselves. */
  #tellNewTokens() {
    if (!this.#listener || this.#closed) return;
    const json = answer(functions.tokens, this.#number);
    if (json === this.#seen) return;
    this.#seen = json;
    try {
      this.#tell(this.#listener, json);
    } catch (error) {
      warn(error);
    }
  }
}

/** What each constructor takes: the texts in the library's order, those that may be left out with a question mark. */
const KINDS = {
  anonymous: ["public", []],
  token: ["token", ["appId", "privateKey?", "secretKey?", "accessToken", "uid?"]],
  client: ["client", ["appId", "privateKey", "accessToken", "uid?"]],
  server: ["server", ["appId", "secretKey", "accessToken"]],
  code: ["code", ["appId", "privateKey?", "secretKey?", "code", "redirectUri"]],
  codeClient: ["code_client", ["appId", "privateKey", "code", "redirectUri"]],
  codeServer: ["code_server", ["appId", "secretKey", "code", "redirectUri"]],
  password: ["password", ["appId", "privateKey?", "secretKey?", "email", "password", "scope?"]],
  passwordClient: ["password_client", ["appId", "privateKey", "email", "password", "scope?"]],
  passwordServer: ["password_server", ["appId", "secretKey", "email", "password", "scope?"]],
  refresh: ["refresh", ["appId", "privateKey?", "secretKey?", "refreshToken"]],
  refreshClient: ["refresh_client", ["appId", "privateKey", "refreshToken"]],
  refreshServer: ["refresh_server", ["appId", "secretKey", "refreshToken"]],
  stored: ["stored", ["appId", "privateKey?", "secretKey?", "tokens?"]],
};

for (const [name, [kind, texts]] of Object.entries(KINDS)) {
  const names = texts.map((each) => each.replace("?", ""));
  const read = (credentials) =>
    texts.map((each, at) => {
      const value = credentials[names[at]];
      if (names[at] === "tokens") return tokensJson(value);
      return each.endsWith("?") ? optionalText(names[at], value) : text(each, value);
    });
  const create =
    texts.length === 0
      ? (options) => new Session(own, kind, [], options)
      : (credentials, options) => new Session(own, kind, read(record("credentials", credentials, names)), options);
  Object.defineProperty(Session, name, { value: create, writable: true, configurable: true });
}

module.exports = { Cancel, Session };
