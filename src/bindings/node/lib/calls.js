// Calls as promises: no thread waits for them, so a process may end at any time.
"use strict";

const { MailruError, made } = require("./errors.js");
const { functions, watch } = require("./library.js");
const { integer, record } = require("./values.js");

/** Where the event loop cannot watch a queue, for how long after a call or an answer it is looked at each millisecond. */
const BUSY_MS = 200;

/** Calls of any number of sessions, of which so many are in flight at once. */
class Queue {
  #number;
  #waiting = new Map();
  #tags = 0;
  #poll = null;
  /** Whether the event loop watches, or a thread waits. */
  #watched = false;
  #closed = false;
  /** When a call or an answer came. */
  #last = 0;

  /** inFlight: how many calls are made at once, up to 65,536; 1,024 unless it is given. Further ones wait here. */
  constructor(options = {}) {
    const { inFlight } = record("options", options, ["inFlight"]);
    this.#number = made(functions.queueNew, integer("inFlight", inFlight, 65_536) || 1024, 0xffffffff);
    registry.register(this, this.#number, this);
  }

  /** How many calls the library has. */
  get pending() {
    return this.#waiting.size;
  }

  /** Ends the queue's calls under way. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    registry.unregister(this);
    // Before the queue closes its descriptor, whose number may then be another's.
    this.#poll?.close();
    this.#poll = null;
    functions.queueFree(this.#number);
    active.delete(this);
    const error = { error_code: -23, error_msg: "the queue was closed", transient: true, sent: true };
    for (const { resolve } of this.#waiting.values()) resolve({ code: 23, json: JSON.stringify({ error }) });
    this.#waiting.clear();
  }

  [Symbol.dispose ?? Symbol.for("nodejs.dispose")]() {
    this.close();
  }

  /** Hands a request over: the promise of its code and JSON, and what ends it. `owner` lives as long as the request. For sessions. */
  _submit(owner, session, request, data, cancel) {
    const tag = ++this.#tags;
    const error = [null];
    const code = functions.queueRequest(
      this.#number, session, request, data, data === null ? 0 : data.byteLength, cancel, tag, error,
    );
    if (code !== 0) throw new MailruError(code, error[0]);
    const completion = new Promise((resolve) => this.#waiting.set(tag, { resolve, owner }));
    this.#last = Date.now();
    this.#watch();
    return { completion, end: () => this.#waiting.has(tag) && functions.queueCancel(this.#number, tag) };
  }

  #watch() {
    if (this.#watched) return;
    this.#watched = true;
    active.add(this);
    // The loop would keep the queue for ever.
    const queue = new WeakRef(this);
    const take = () => queue.deref()?.#take();
    // Not within koffi's own function, after which Node neither runs promises nor looks for exceptions.
    this.#poll ??= watch(functions.queueFd(this.#number), () => setImmediate(take));
    if (this.#poll) this.#poll.ref();
    else this.#wait();
  }

  #take() {
    if (this.#closed) return;
    const tag = [0], code = [0];
    let json;
    // All that there is: the descriptor stays readable until then.
    while ((json = functions.queueNext(this.#number, 0, tag, code)) !== null) this.#settle(tag[0], code[0], json);
    if (this.#waiting.size === 0 && this.#poll) {
      // Nothing is in flight: the process may end.
      this.#poll.unref();
      this.#rest();
    }
  }

  #rest() {
    this.#watched = false;
    active.delete(this);
  }

  /** Where the event loop cannot watch: a thread of Node's pool would make the end of the process wait, so look often. */
  #wait() {
    const busy = Date.now() - this.#last < BUSY_MS;
    setTimeout(() => {
      if (this.#closed) return;
      this.#take();
      if (this.#waiting.size > 0) this.#wait();
      else this.#rest();
    }, busy ? 1 : 5);
  }

  #settle(tag, code, json) {
    const found = this.#waiting.get(tag);
    if (!found) return;
    this.#waiting.delete(tag);
    this.#last = Date.now();
    found.resolve({ code, json });
  }
}

/** The queues with calls in flight: each call keeps its queue. */
const active = new Set();
const registry = new FinalizationRegistry((number) => functions.queueFree(number));

let common;
/** The queue of the calls that name none. */
const commonQueue = () => (common ??= new Queue());

/** What is to be ended by each signal: one listener for any number of calls, or Node would warn of a leak. */
const signals = new WeakMap();

function onAbort(signal, end) {
  let ends = signals.get(signal);
  if (!ends) {
    ends = new Set();
    const all = ends;
    const abort = () => {
      signals.delete(signal);
      for (const each of all) each();
    };
    ends.abort = abort;
    signals.set(signal, ends);
    signal.addEventListener("abort", abort, { once: true });
  }
  ends.add(end);
}

function offAbort(signal, end) {
  const ends = signals.get(signal);
  if (!ends?.delete(end) || ends.size > 0) return;
  signals.delete(signal);
  signal.removeEventListener("abort", ends.abort);
}

module.exports = { Queue, commonQueue, offAbort, onAbort };
