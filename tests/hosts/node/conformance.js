// The cases of cases.tsv in Node.js.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { MailruError, Session, functions } = require("../../../src/bindings/node/mailru.js");

const APP_ID = "423004", PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e";
const SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716", SESSION_KEY = "be6ef89965d58e56dec21acb9b62bdaa";

/** How many threads this process has besides the library's. */
function ownThreads() {
  const isOwn = (task) => {
    try {
      return !fs.readFileSync(`/proc/self/task/${task}/comm`, "utf8").startsWith("mailru-");
    } catch {
      return false; // It ended since it was listed.
    }
  };
  return fs.readdirSync("/proc/self/task").filter(isOwn).length;
}

function sessionOf({ circuit, options }) {
  switch (circuit) {
    case "client": return Session.client(APP_ID, PRIVATE_KEY, SESSION_KEY, "1324730981306483817", options);
    case "server": return Session.server(APP_ID, SECRET_KEY, SESSION_KEY, options);
    default: return Session.passwordClient(APP_ID, PRIVATE_KEY, "demo@mail.ru", "demo", null, options);
  }
}

async function together(session, { method, parameters }) {
  // Node starts its pool at the first asynchronous call.
  await session.call("sandbox.echo");
  const threads = ownThreads();
  const calls = Array.from({ length: Number(parameters) }, (_, tag) => session.call(method, { tag }));
  let settled = false;
  calls[0].then(() => (settled = true));
  // A thread of the library's that begins has not taken its name yet, and Node may start one of its own.
  while (ownThreads() > threads + calls.length / 4) {
    assert.ok(!settled, "a call has a thread of the host's");
    await sleep(10);
  }
  (await Promise.all(calls)).forEach((json, tag) => assert.ok(json.includes(`"tag":"${tag}"`), json));
}

const actions = {
  call: (session, { method, parameters }) => session.call(method, parameters),
  sign: (session, { method, parameters }) => session.sign(method, parameters),
  together,
  crowd: together,
  deadline: (session, { method, parameters }) => session.call(method, parameters, { signal: AbortSignal.timeout(300) }),
  async cancel(session, { method, parameters }) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    try {
      return await session.call(method, parameters, { signal: controller.signal });
    } finally {
      await session.call("sandbox.echo");
    }
  },
  stale(session, { method, parameters }) {
    session.close();
    return session.call(method, parameters);
  },
  async renewal(session, { method }) {
    const told = [];
    session.onToken((tokens) => told.push(tokens));
    await session.call("sandbox.echo");
    const json = await session.call(method);
    assert.equal(told.length, 2);
    assert.notEqual(told[0], told[1]);
    assert.equal(told[1], session.tokens());
    session.onToken(null);
    // The thread that used the function last may have it a moment longer.
    for (let waited = 0; functions.size > 0; waited++) {
      assert.ok(waited < 2000, "a token function is kept for ever");
      await sleep(1);
    }
    return json;
  },
};

/** The code and the text of whatever happens. Signals have words of their own. */
async function outcome(test) {
  let session;
  try {
    session = sessionOf(test);
    return ["MAILRU_OK", await actions[test.action](session, test)];
  } catch (error) {
    if (error instanceof MailruError) return [error.code, error.json];
    if (error.name === "TimeoutError") return ["MAILRU_TIMEOUT", ""];
    if (error.name === "AbortError") return ["MAILRU_CANCELLED", ""];
    return ["", String(error)];
  } finally {
    session?.close();
  }
}

async function main() {
  const lines = fs.readFileSync(process.env.MAILRU_CASES, "utf8").trim().split("\n");
  for (const line of lines.filter((line) => !line.startsWith("#"))) {
    const given = line.split("\t").map((column) => (column === "-" ? undefined : column));
    const [name, action, circuit, options, method, parameters, code, contains] = given;
    const [got, text] = await outcome({ action, circuit, options, method, parameters });
    const passed = got === code && (contains === undefined || text.includes(contains));
    console.log(passed ? `ok ${name}` : `FAIL ${name} ${got} ${text}`);
  }
}

main();
