// The program's functions that the library calls: on JavaScript's thread, while the library's waits.
"use strict";

const { isMainThread } = require("node:worker_threads");
const { done } = require("./errors.js");
const { functions, register, releaseNumber } = require("./library.js");

/** The functions that the library may still call. A number is a cancel handle, which the library frees after the last. */
const kept = new Map();
/** The sessions that were given one. */
const sessions = new Set();

/** Forgets the functions that the library has let go of. */
function sweep() {
  for (const number of kept.keys()) {
    if (functions.cancelProgress(number, [0], [0]) !== 0) kept.delete(number);
  }
}

function keep(listener) {
  sweep();
  if (sessions.size === 0 && kept.size === 0) {
    // A thread of the library's must not find JavaScript gone.
    process.removeListener("exit", removeAll);
    process.once("exit", removeAll);
  }
  const number = functions.cancelNew();
  kept.set(number, listener);
  return number;
}

/** What a listener throws has no way through the library; it is no reason to end the process, either. */
function warn(error) {
  const warning = error instanceof Error ? error : new Error(String(error));
  process.emitWarning(`a listener failed: ${warning.stack ?? warning.message}`, { code: "MAILRU_LISTENER_FAILED" });
}

function call(number, ...values) {
  try {
    kept.get(number)?.(...values);
  } catch (error) {
    warn(error);
  }
}

/** One function for the library for each kind; it is registered when it is first needed. */
const trampolines = {};
const trampoline = (kind) => (trampolines[kind] ??= register[kind](call));

const SETTERS = { token: functions.sessionOnToken, renewal: functions.sessionOnRenewal };

/** Sets or removes what the library calls for a session. */
function listen(kind, session, listener) {
  if (listener === null) {
    done(SETTERS[kind], session, null, 0, null);
    return;
  }
  const number = keep(listener);
  sessions.add(session);
  done(SETTERS[kind], session, trampoline(kind), number, releaseNumber);
}

/** Sets or removes what the library tells its log to. */
function log(listener, level) {
  if (listener === null || level === 0) done(functions.setLog, null, 0, null, 0);
  else done(functions.setLog, trampoline("log"), keep(listener), releaseNumber, level);
}

/** A session was freed. Its functions stay until its grants are over. */
function forget(session) {
  sessions.delete(session);
  if (kept.size > 0) sweep();
}

function removeAll() {
  functions.setLog(null, 0, null, 0);
  for (const session of sessions) {
    for (const set of Object.values(SETTERS)) set(session, null, 0, null);
  }
}

module.exports = { canListen: isMainThread, forget, kept, listen, log, sweep, warn };
