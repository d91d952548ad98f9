// The cases of cases.tsv in Node.js.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const mailru = require("../../../src/bindings/node");
const { Cancel, MailruError, Queue, Session } = mailru;

const appId = "423004", privateKey = "7815696ecbf1c96e6894b779456d330e", uid = "1324730981306483817";
const secretKey = "3dad9cbf9baaa0360c0f2ba372d25716", accessToken = "be6ef89965d58e56dec21acb9b62bdaa";
const redirectUri = "https://example.org/login";
const FILE = Buffer.alloc(100_000);
const raw = true;

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
    case undefined: return undefined;
    case "client": return Session.client({ appId, privateKey, accessToken, uid }, options);
    case "server": return Session.server({ appId, secretKey, accessToken }, options);
    default: return Session.passwordClient({ appId, privateKey, email: "demo@mail.ru", password: "demo" }, options);
  }
}

async function together(session, { method, parameters }) {
  const threads = ownThreads();
  const calls = Array.from({ length: Number(parameters) }, (_, tag) => session.call(method, { tag }));
  let settled = false;
  calls[0].then(() => (settled = true));
  // A thread of the library's that begins has not taken its name yet.
  while (ownThreads() > threads) {
    assert.ok(!settled, "a call has a thread of the host's");
    await sleep(10);
  }
  (await Promise.all(calls)).forEach((answer, tag) => assert.equal(answer.tag, String(tag)));
}

/** Calls a function after 200 ms, which ends the call; then the session is of use. */
async function ended(session, end, call) {
  setTimeout(end, 200);
  try {
    return await call;
  } finally {
    await session.call("sandbox.echo");
  }
}

/** The session after the restart, from what a program stores: text. */
async function restarted({ method, options }, tokens) {
  const text = tokens && JSON.stringify(tokens);
  const session = Session.stored({ appId, privateKey, tokens: text }, options);
  try {
    if (tokens) session.setTokens(tokens);
    return await session.call(method, null, { raw });
  } finally {
    session.close();
  }
}

const actions = {
  call: (session, { method, parameters }) => session.call(method, parameters, { raw }),
  sign: (session, { method, parameters }) => session.sign(method, parameters, { raw }),
  together,
  crowd: together,
  deadline: (session, { method, parameters }) => session.call(method, parameters, { signal: AbortSignal.timeout(300) }),
  cancel(session, { method, parameters }) {
    const controller = new AbortController();
    return ended(session, () => controller.abort(), session.call(method, parameters, { signal: controller.signal }));
  },
  stale(session, { method, parameters }) {
    session.close();
    session.close();
    return session.call(method, parameters);
  },
  async renewal(session, { method }) {
    const told = [], phases = [];
    session.onToken((tokens) => told.push(tokens));
    session.onRenewal((begins) => phases.push(begins));
    await session.call("sandbox.echo");
    const json = await session.call(method, null, { raw });
    assert.equal(told.length, 2);
    assert.notDeepEqual(told[0], told[1]);
    assert.deepEqual(told[1], session.tokens());
    while (phases.length < 2) await sleep(1);
    assert.deepEqual(phases, [true, false]);
    session.onToken(null);
    session.onRenewal(null);
    return json;
  },
  request: (session, { method, parameters }) =>
    session.call(method, JSON.parse(parameters), { timeout: 10_000, retries: 1, passError: false, raw }),
  async queued(session, { method, parameters }) {
    const queue = new Queue({ inFlight: 2 });
    try {
      return await session.call(method, parameters, { queue, raw });
    } finally {
      queue.close();
    }
  },
  "queue-cancel"(session, { method }) {
    // The tag of a queued call is its promise's signal.
    return actions.cancel(session, { method });
  },
  "session-cancel": (session, { method }) => ended(session, () => session.cancel(), session.call(method)),
  async upload(session, { method, parameters }) {
    const told = [];
    const cancel = new Cancel();
    const file = { field: "img_file", data: FILE, name: "snail.jpg" };
    const json = await session.upload(method, parameters, file, { cancel, onProgress: (now) => told.push(now), raw });
    for (const { sent, total } of [cancel.progress(), told.at(-1)]) assert.ok(sent === total && total > FILE.length);
    cancel.close();
    return json;
  },
  "upload-cancel"(session, { method }) {
    const cancel = new Cancel();
    return ended(session, () => cancel.fire(), session.upload(method, {}, { field: "img_file", data: FILE }, { cancel }));
  },
  public: (session, { method, parameters }) => session.public(method, parameters, { raw }),
  async rate(session, { method, parameters }) {
    for (let call = 0; call < Number(parameters); call++) await session.call(method);
  },
  async error(session, { method }) {
    try {
      await session.call(method);
    } catch (error) {
      assert.ok(error instanceof MailruError && error.message.length > 0);
      const { code, codeNumber, number, transient, sent } = error;
      assert.deepEqual([code, codeNumber, number, transient, sent], ["MAILRU_API_ERROR", 10, 2, false, true]);
      throw error;
    }
  },
  async log(session, { method }) {
    const lines = [];
    mailru.setLog((level, line) => lines.push(line));
    await session.call(method);
    mailru.setLog(null);
    assert.ok(lines.some((line) => line.includes("event=answer") && line.includes(`method=${method}`)), lines.join());
    assert.ok(!lines.join().includes(accessToken));
  },
  async stats(session, { method }) {
    await session.call(method);
    await session.call(method);
    return JSON.stringify(session.stats());
  },
  methods: () => JSON.stringify(mailru.methods()),
  errors: () => JSON.stringify(mailru.errors()),
  verify(_, { method, parameters }) {
    const { params, checked, expiresAt, expired } = mailru.verifyQuery(method, secretKey, parameters);
    return JSON.stringify({ params, checked, expires_at: expiresAt, expired });
  },
  payment: (_, { parameters }) => mailru.verify(secretKey, parameters) ?? '"verified":true',
  launch: (_, { parameters }) => mailru.verifyLaunch(secretKey, JSON.parse(parameters)) ?? '"verified":true',
  redirect: (_, { parameters }) => mailru.parseRedirect(parameters, "case-state").code,
  async login(_, test) {
    assert.ok(mailru.authorizeUrl({ appId, redirectUri, state: "case-state" }).includes("state=case-state"));
    const { code } = mailru.parseRedirect(test.parameters, "case-state");
    const session = Session.codeClient({ appId, privateKey, code, redirectUri }, test.options);
    const tokens = await session.authorize();
    session.close();
    return restarted(test, tokens);
  },
  async "token-file"(session, test) {
    await session.call(test.method);
    session.close();
    return restarted(test);
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
    return ["", error.stack];
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
