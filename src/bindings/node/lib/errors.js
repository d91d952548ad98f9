// Errors: what the error's JSON tells.
"use strict";

const { functions } = require("./library.js");

const API_ERROR = 10;

/** A failure: `code` is its name, such as "MAILRU_TIMEOUT". */
class MailruError extends Error {
  constructor(codeNumber, json) {
    const known = [0];
    const message = functions.errorMessage(json, known);
    super(known[0] === 0 ? message : json);
    this.name = "MailruError";
    this.code = functions.codeName(codeNumber);
    this.codeNumber = codeNumber;
    this.number = Number(functions.errorNumber(json));
    this.transient = functions.errorTransient(json) === 1;
    this.json = json;
    const members = membersOf(json);
    // A platform's own error has no members of ours; it was answered, so it was sent.
    const ours = codeNumber !== API_ERROR || members.error_code === -API_ERROR ? members : { sent: true };
    this.sent = ours.sent;
    this.retryAfter = ours.retry_after_ms;
    this.argument = ours.argument;
    this.field = ours.field;
    this.httpStatus = ours.http_status;
    this.oauth = ours.oauth;
    this.platform = ours.platform;
    for (const name of ["sent", "retryAfter", "argument", "field", "httpStatus", "oauth", "platform"]) {
      if (this[name] === undefined) delete this[name];
    }
    // Long, and told by the others.
    Object.defineProperty(this, "json", { enumerable: false });
  }
}

function membersOf(json) {
  try {
    const { error } = JSON.parse(json);
    return typeof error === "object" && error !== null ? error : {};
  } catch {
    return {};
  }
}

/** What the library would say, where a value cannot even be handed to it. */
function refused(argument, problem) {
  const error = { error_code: -1, error_msg: `${argument}: ${problem}`, transient: false, argument };
  return new MailruError(1, JSON.stringify({ error }));
}

/** A value of the wrong type, in Node's way of telling it. */
function wrongType(name, expected, value) {
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  const message = `${name} must be ${expected}, not ${kind}`;
  return Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_TYPE", argument: name });
}

/** Runs a function that answers with JSON and a code. */
function answer(call, ...values) {
  const code = [0];
  const json = call(...values, code);
  if (code[0] !== 0) throw new MailruError(code[0], json);
  return json;
}

/** Runs a function that answers with a handle. */
function made(create, ...values) {
  const error = [null];
  const number = create(...values, error);
  if (number === 0) throw new MailruError(-Number(functions.errorNumber(error[0])), error[0]);
  return number;
}

/** Runs a function that answers with a code alone. */
function done(call, ...values) {
  const code = call(...values);
  if (code === 0) return;
  const name = functions.codeName(code);
  throw new MailruError(code, JSON.stringify({ error: { error_code: -code, error_msg: name, transient: false } }));
}

module.exports = { MailruError, answer, done, made, refused, wrongType };
