// The Mail.ru platform's REST API through libmailru: calls as promises.
//
//     const { Session } = require("mailru");
//     const session = Session.client({ appId, privateKey, accessToken, uid }, { timeout: 5000 });
//     const friends = await session.call("friends.get", { ext: 1 });
"use strict";

const { Queue } = require("./lib/calls.js");
const { canListen, log } = require("./lib/callbacks.js");
const { MailruError, answer, wrongType } = require("./lib/errors.js");
const { functions } = require("./lib/library.js");
const { Cancel, Session } = require("./lib/session.js");
const { Tokens, integer, optionalText, parameters, record, text } = require("./lib/values.js");

const LEVELS = ["off", "error", "warning", "info", "debug"];

/** Has the library's log told to a function; null ends it. It holds for the whole process. */
function setLog(listener, level = "debug") {
  if (!canListen) throw new Error("the log is the process's: set it in the main thread");
  if (listener !== null && typeof listener !== "function") throw wrongType("listener", "a function or null", listener);
  const number = LEVELS.indexOf(level);
  if (number < 0) throw wrongType("level", `one of ${LEVELS.join(", ")}`, level);
  log(listener && ((found, line) => listener(LEVELS[found], line)), number);
}

/**
 * The address at which a user lets the application in; the browser is then sent to redirectUri. `address` is another
 * authorization server's page for logins, such as a test's.
 */
function authorizeUrl(options) {
  const names = ["appId", "redirectUri", "responseType", "scope", "state"];
  record("options", options, [...names, "address"]);
  const [appId, redirectUri, ...rest] = names;
  const texts = [text(appId, options[appId]), text(redirectUri, options[redirectUri])];
  const more = rest.map((name) => optionalText(name, options[name]));
  const address = optionalText("address", options.address);
  const json =
    address === null
      ? answer(functions.authorizeUrl, ...texts, ...more)
      : answer(functions.authorizeUrlAt, address, ...texts, ...more);
  return JSON.parse(json).url;
}

/** Reads the address to which the browser was sent: the code, or the tokens. */
function parseRedirect(url, expectedState) {
  // undefined is forgotten, null is meant: no protection against forged logins.
  const state = expectedState === null ? null : text("expectedState", expectedState);
  const json = answer(functions.parseRedirect, text("url", url), state);
  const { code } = JSON.parse(json);
  return code === undefined ? { tokens: new Tokens(json) } : { code };
}

/** Checks a payment callback; throws MAILRU_SIGNATURE_MISMATCH unless it is the platform's. */
function verify(secretKey, params) {
  answer(functions.verify, text("secretKey", secretKey), parameters(params));
}

/** Checks launch parameters; throws MAILRU_SIGNATURE_MISMATCH unless they are the platform's. */
function verifyLaunch(secretKey, params) {
  answer(functions.verifyLaunch, text("secretKey", secretKey), parameters(params));
}

/** Checks a query string as it came. Use the params of the result and nothing else of the query. */
function verifyQuery(kind, secretKey, query) {
  const texts = [text("kind", kind), text("secretKey", secretKey), text("query", query)];
  const { params, checked, expires_at: expiresAt, expired } = JSON.parse(answer(functions.verifyQuery, ...texts));
  return { params, checked, ...(expiresAt === undefined ? {} : { expiresAt, expired }) };
}

/** The catalogue of the platform's methods. */
function methods() {
  return JSON.parse(answer(functions.methods));
}

/** The platform's errors, as far as they are known. */
function errors() {
  return JSON.parse(answer(functions.errors));
}

/** The library's version. */
function version() {
  return functions.version();
}

/** The number of the library's binary interface. */
function abiVersion() {
  return functions.abiVersion();
}

/** The name of a code. */
function codeName(code) {
  const number = integer("code", code, 0x7fffffff);
  if (number === undefined) throw wrongType("code", "a number", code);
  return functions.codeName(number);
}

module.exports = {
  Cancel, MailruError, Queue, Session, Tokens, abiVersion, authorizeUrl, codeName, errors, methods, parseRedirect,
  setLog, verify, verifyLaunch, verifyQuery, version,
};
