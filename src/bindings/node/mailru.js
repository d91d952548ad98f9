// The Mail.ru platform's REST API through libmailru, by koffi: calls as promises.
//
//     const session = Session.client(appId, privateKey, accessToken, uid);
//     const friends = JSON.parse(await session.call("friends.get", { ext: 1 }));
//
// However many calls are in flight, they cost one thread of Node's pool: it waits in mailru_queue_next for
// completions, and only while there are calls. (The queue's descriptor needs uv_poll, which Node gives to
// native addons only; nothing in JavaScript may watch a descriptor without reading it.)
"use strict";

const koffi = require("koffi");

const library = koffi.load("libmailru.so.0");
const release = library.func("mailru_string_free", "void", ["void *"]);
// Becomes a JavaScript string, and is released at once.
const Json = koffi.disposable("MailruJson", "str", release);
const Told = koffi.proto("MailruTold", "void", ["uintptr_t", "str"]);
const Released = koffi.proto("MailruReleased", "void", ["uintptr_t"]);

const code = koffi.out("int32_t *");
const error = koffi.out(koffi.pointer(Json));
const constructor = (name, texts) =>
  library.func(`mailru_${name}_session_new`, "uint64_t", [...Array(texts + 1).fill("str"), error]);
const mailru = {
  client: constructor("client", 4),
  server: constructor("server", 3),
  passwordClient: constructor("password_client", 5),
  refreshClient: constructor("refresh_client", 3),
  codeServer: constructor("code_server", 4),
  free: library.func("mailru_session_free", "void", ["uint64_t"]),
  onToken: library.func("mailru_session_on_token", "int32_t",
    ["uint64_t", koffi.pointer(Told), "uintptr_t", koffi.pointer(Released)]),
  sign: library.func("mailru_sign", Json, ["uint64_t", "str", "str", code]),
  tokens: library.func("mailru_tokens", Json, ["uint64_t", code]),
  queue: library.func("mailru_queue_new", "uint64_t", ["uint32_t", "uint32_t", error]),
  submit: library.func("mailru_queue_submit", "int32_t", ["uint64_t", "uint64_t", "str", "str", "uint64_t", error]),
  next: library.func("mailru_queue_next", Json, ["uint64_t", "int32_t", koffi.out("uint64_t *"), code]),
  cancel: library.func("mailru_queue_cancel", "int32_t", ["uint64_t", "uint64_t"]),
  codeName: library.func("mailru_code_name", "str", ["int32_t"]),
};

/** A failure: its code, the code's name, and the error's JSON. */
class MailruError extends Error {
  constructor(code, json) {
    super(`${mailru.codeName(code)}: ${json}`);
    this.name = "MailruError";
    this.code = mailru.codeName(code);
    this.json = json;
  }
}

/** JSON text as it is, anything else as JSON. Ids beyond 2^53 have to be strings, or stand in JSON text. */
function parameters(params) {
  return params === undefined || params === null || typeof params === "string" ? params ?? null : JSON.stringify(params);
}

/** Runs a function that answers with JSON and a code. */
function answer(call, ...texts) {
  const code = [0];
  const json = call(...texts, code);
  if (code[0] !== 0) throw new MailruError(code[0], json);
  return json;
}

/** Runs a function that answers with a handle. */
function made(create, ...values) {
  const error = [null];
  const number = create(...values, error);
  if (number === 0) throw new MailruError(-JSON.parse(error[0]).error.error_code, error[0]);
  return number;
}

/** The queue of all sessions, and who waits for which tag. */
const calls = {
  queue: 0,
  waiting: new Map(),
  tags: 0,
  watched: false,

  submit(session, method, params) {
    // As many at a time as a server may want; the queue has one thread for all of them.
    this.queue ||= made(mailru.queue, 256, 0xffffffff);
    const tag = ++this.tags;
    const error = [null];
    const code = mailru.submit(this.queue, session, method, params, tag, error);
    if (code !== 0) throw new MailruError(code, error[0]);
    const completion = new Promise((resolve, reject) => this.waiting.set(tag, { resolve, reject }));
    this.watch();
    return { tag, completion };
  },

  /** Waits for a completion on a thread of the pool, takes the others that came with it, and goes on while there are more. */
  watch() {
    if (this.watched || this.waiting.size === 0) return;
    this.watched = true;
    const tag = [0], code = [0];
    mailru.next.async(this.queue, -1, tag, code, (failure, json) => {
      this.watched = false;
      if (failure) throw failure;
      for (; json !== null; json = mailru.next(this.queue, 0, tag, code)) this.settle(tag[0], code[0], json);
      this.watch();
    });
  },

  settle(tag, code, json) {
    const { resolve, reject } = this.waiting.get(tag);
    this.waiting.delete(tag);
    if (code === 0) resolve(json);
    else reject(new MailruError(code, json));
  },
};

/** The functions that the library may still call, by the number that it was given for them. */
const functions = new Map();
let numbers = 0;
// On JavaScript's thread, while the library's waits.
const told = koffi.register((number, tokens) => functions.get(number)(tokens), koffi.pointer(Told));
const forgotten = koffi.register((number) => functions.delete(number), koffi.pointer(Released));

class Session {
  #number;

  constructor(create, texts, options) {
    this.#number = made(create, ...texts.map((text) => text ?? null), parameters(options));
  }

  static client(appId, privateKey, accessToken, uid, options) {
    return new Session(mailru.client, [appId, privateKey, accessToken, uid], options);
  }

  static server(appId, secretKey, accessToken, options) {
    return new Session(mailru.server, [appId, secretKey, accessToken], options);
  }

  static passwordClient(appId, privateKey, email, password, scope, options) {
    return new Session(mailru.passwordClient, [appId, privateKey, email, password, scope], options);
  }

  static refreshClient(appId, privateKey, refreshToken, options) {
    return new Session(mailru.refreshClient, [appId, privateKey, refreshToken], options);
  }

  static codeServer(appId, secretKey, code, redirectUri, options) {
    return new Session(mailru.codeServer, [appId, secretKey, code, redirectUri], options);
  }

  /** Frees the session; its calls under way are rejected. */
  close() {
    mailru.free(this.#number);
  }

  /** Calls a method: the platform's JSON. A signal ends this call alone, which is then rejected with the signal's reason. */
  async call(method, params, { signal } = {}) {
    signal?.throwIfAborted();
    const { tag, completion } = calls.submit(this.#number, method, parameters(params));
    const abort = () => mailru.cancel(calls.queue, tag);
    signal?.addEventListener("abort", abort);
    try {
      return await completion;
    } catch (error) {
      throw signal?.aborted && error.code === "MAILRU_CANCELLED" ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Shows a call as it would be sent, without network. */
  sign(method, params) {
    return answer(mailru.sign, this.#number, method, parameters(params));
  }

  /** Shows the tokens, without network. */
  tokens() {
    return answer(mailru.tokens, this.#number);
  }

  /** Has a function told of every new set of tokens, before any of them is used; null removes it. */
  onToken(listener) {
    const number = listener ? ++numbers : 0;
    if (listener) functions.set(number, listener);
    const code = listener
      ? mailru.onToken(this.#number, told, number, forgotten)
      : mailru.onToken(this.#number, null, 0, null);
    if (code !== 0) throw new MailruError(code, "{}");
  }
}

module.exports = { MailruError, Session, functions };
