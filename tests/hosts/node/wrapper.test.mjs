// What the package promises beyond the cases. Runs with node --test, against the sandbox that the environment names.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify, inspect } from "node:util";
import { Worker } from "node:worker_threads";
import mailru, { Cancel, MailruError, Queue, Session, Tokens } from "../../../src/bindings/node/index.mjs";

const run = promisify(execFile);
const options = process.env.MAILRU_OPTIONS;
const appId = "423004", privateKey = "7815696ecbf1c96e6894b779456d330e", uid = "1324730981306483817";
const secretKey = "3dad9cbf9baaa0360c0f2ba372d25716", accessToken = "be6ef89965d58e56dec21acb9b62bdaa";
const client = (more) => Session.client({ appId, privateKey, accessToken, uid }, { library: options, ...more });
const password = () => Session.passwordClient({ appId, privateKey, email: "demo@mail.ru", password: "demo" }, options);

/** Values of every type, none of which may reach C as something else. */
const WRONG = [5, 423004n, true, Symbol("s"), () => {}, [], ["x"], {}, Object.create(null), new Date(NaN), null, undefined, NaN];

test("a value of a wrong type is an error, wherever it stands", async () => {
  const session = client({ timeout: 300 });
  const constructors = Object.getOwnPropertyNames(Session).filter((name) => typeof Session[name] === "function");
  assert.equal(constructors.length, 14);
  const credentials = {
    appId, privateKey, secretKey, accessToken, uid, code: "c", redirectUri: "r", email: "e", password: "p",
    refreshToken: "t", tokens: "{}",
  };
  for (const name of constructors) {
    for (const wrong of WRONG) {
      // No credentials are none for one of them.
      if (name !== "anonymous" || (typeof wrong !== "object" && wrong !== undefined)) {
        assert.throws(() => Session[name](wrong, wrong));
      }
      for (const member of Object.keys(credentials)) {
        try {
          Session[name]({ [member]: wrong }).close();
        } catch (error) {
          assert.ok(error instanceof TypeError || error instanceof MailruError, error);
        }
      }
    }
  }
  assert.throws(() => Session.client(423004, 5), { code: "ERR_INVALID_ARG_TYPE" });
  const functions = Object.entries(mailru).filter(([name, value]) => typeof value === "function" && !/^[A-Z]/.test(name));
  const methods = Object.getOwnPropertyNames(Session.prototype).filter((name) => name !== "constructor");
  const all = [
    ...functions,
    ...methods.filter((name) => name !== "close").map((name) => [name, session[name].bind(session)]),
  ];
  for (const [, call] of all) {
    for (const first of WRONG) {
      for (const second of WRONG) {
        for (const rest of [[], [first], [second, first]]) {
          try {
            await call(first, second, ...rest);
          } catch (error) {
            assert.ok(error instanceof Error, error);
          }
        }
      }
    }
  }
  mailru.setLog(null);
  await assert.rejects(session.call(5), { code: "ERR_INVALID_ARG_TYPE", message: "method must be a string, not a number" });
  assert.throws(() => new Session("public", []), Error);
  for (const text of ["a\0b", "\ud800"]) {
    await assert.rejects(session.call(text), MailruError);
    assert.throws(() => Session.server({ appId: text, secretKey, accessToken }), { code: "MAILRU_INVALID_ARGUMENT" });
  }
  await assert.rejects(session.call("friends.get", { text: "\ud800" }), { argument: "text" });
  assert.equal((await session.call("sandbox.echo", { text: "a\0b" })).text, "a\0b");
  session.close();
});

test("an option that is unknown, or no duration, is an error that names it", async () => {
  assert.throws(() => client({ timeout_ms: 5 }), { code: "MAILRU_INVALID_ARGUMENT", argument: "timeout_ms" });
  for (const timeout of [0, -1, NaN, Infinity]) assert.throws(() => client({ timeout }), { argument: "timeout" });
  assert.throws(() => client({ timeout: "5" }), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => client({ retries: 1.5 }), { argument: "retries" });
  const session = client({ timeout: 50 });
  await assert.rejects(session.call("sandbox.echo.slow"), { code: "MAILRU_TIMEOUT" });
  await assert.rejects(client().call("sandbox.echo.slow", null, { timeout: 0.001 }), { code: "MAILRU_TIMEOUT" });
  await assert.rejects(session.call("friends.get", {}, { timout: 5 }), { argument: "timout" });
  const source = fs.readFileSync(new URL("../../../src/option_names.in", import.meta.url), "utf8");
  const known = [...source.matchAll(/^ +"(\w+)" = /gm)].map(([, name]) =>
    name.replace(/_ms$/, "").replace(/_(.)/g, (_, letter) => letter.toUpperCase()),
  );
  assert.ok(known.length > 20);
  const declared = fs.readFileSync(new URL("../../../src/bindings/node/index.d.ts", import.meta.url), "utf8");
  const interfaceText = /interface Options \{(.*?)\n\}/s.exec(declared)[1];
  for (const name of known) assert.ok(interfaceText.includes(` ${name}?:`), name);
  try {
    client({ nonsense: 1 });
  } catch ({ message }) {
    for (const name of known) assert.ok(message.includes(name), name);
  }
});

test("numbers keep their digits both ways", async () => {
  const session = client();
  const big = 18446744073709551615n;
  const answer = await session.call("sandbox.echo", { id: big, ids: [big, 1], nested: { id: big } });
  assert.deepEqual([answer.id, answer.ids, answer.nested], [`${big}`, `${big},1`, `{"id":${big}}`]);
  for (const number of [2 ** 53, -(2 ** 60), NaN, Infinity]) {
    await assert.rejects(session.call("sandbox.echo", { number }), { argument: "number" });
    await assert.rejects(session.call("sandbox.echo", { list: [1, number] }), MailruError);
  }
  await assert.rejects(session.call("sandbox.echo", { f: () => {} }), { code: "ERR_INVALID_ARG_TYPE" });
  const { parse } = createRequire(import.meta.url)("../../../src/bindings/node/lib/values.js");
  const text = `{"a":${big},"b":"${big}","c":[-9007199254740993,9007199254740991,1.25e300,1234567890.1234567890],"bigint:":"bigint:5"}`;
  assert.deepEqual(parse(text), {
    a: big, b: `${big}`, c: [-9007199254740993n, 9007199254740991, 1.25e300, 1234567890.1234567890], "bigint:": "bigint:5",
  });
});

test("signals", async () => {
  const warnings = [];
  process.on("warning", (warning) => warnings.push(warning.name));
  const session = client();
  const controller = new AbortController();
  const calls = Array.from({ length: 50 }, () => session.call("sandbox.echo.slow", {}, { signal: controller.signal }));
  for (let i = 0; i < 20; i++) await session.call("sandbox.echo", {}, { signal: controller.signal });
  const reason = new Error("mine");
  controller.abort(reason);
  const begun = Date.now();
  const settled = await Promise.allSettled(calls);
  assert.ok(Date.now() - begun < 1000);
  assert.ok(settled.every((result) => result.reason === reason));
  await assert.rejects(session.call("sandbox.echo", {}, { signal: controller.signal }), reason);
  await assert.rejects(session.call("sandbox.echo.slow", {}, { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
  await sleep(10);
  assert.deepEqual(warnings, []);
});

test("an error's stack leads to the caller", async () => {
  const caller = async () => await client().call("no.such.method");
  const { stack } = await caller().catch((error) => error);
  assert.ok(stack.includes("async caller"), stack);
});

test("an asynchronous listener has stored the tokens before they are used", async () => {
  const session = password();
  const order = [];
  session.onToken(async (tokens) => {
    const { attempts } = session.stats();
    await sleep(100);
    order.push(`stored ${tokens.uid}`, session.stats().attempts - attempts);
  });
  await Promise.all([1, 2, 3].map(() => session.call("sandbox.echo").then(() => order.push("answered"))));
  assert.deepEqual(order, [`stored ${uid}`, 0, "answered", "answered", "answered"]);
  session.close();
  // Closing ends the wait.
  const closed = password();
  closed.onToken(() => new Promise(() => setTimeout(() => closed.close(), 50)));
  await assert.rejects(closed.call("sandbox.echo"), { code: "MAILRU_CANCELLED" });
});

test("a listener that throws or rejects is a warning", async () => {
  for (const listener of [() => { throw new Error("no disk"); }, async () => { throw new Error("no disk"); }]) {
    const session = password();
    const warned = new Promise((resolve) => process.once("warning", resolve));
    session.onToken(listener);
    await session.call("sandbox.echo");
    const { message, code } = await warned;
    assert.ok(message.includes("no disk") && code === "MAILRU_LISTENER_FAILED", message);
    session.close();
  }
  mailru.setLog(() => { throw new Error("no log"); });
  const warned = new Promise((resolve) => process.once("warning", resolve));
  assert.equal((await client().call("sandbox.echo")).method, "sandbox.echo");
  mailru.setLog(null);
  assert.ok((await warned).message.includes("no log"));
});

test("a renewal waits for its asynchronous listener", async () => {
  const session = password();
  await session.authorize();
  const order = [];
  session.onRenewal(async (begins) => {
    const { attempts } = session.stats();
    await sleep(50);
    order.push(begins, session.stats().attempts - attempts);
  });
  session.onToken(() => order.push("tokens"));
  await session.authorize();
  assert.deepEqual(order, [true, 0, "tokens", false, 0]);
  session.close();
});

test("uploads take every kind of bytes", async () => {
  const session = client();
  const content = Buffer.alloc(50_000, 7);
  const kinds = [
    content, new Uint8Array(content), new DataView(content.buffer, content.byteOffset, 100), new Blob([content]),
    content.buffer.slice(0, 100), fs.createReadStream(process.execPath, { end: 10_000 }), Buffer.alloc(0),
  ];
  for (const data of kinds) {
    const answer = await session.upload("photos.upload", { aid: "_myphoto" }, { field: "img_file", data });
    assert.ok(answer.pid ?? answer[0]?.pid, inspect(answer));
  }
  for (const data of ["text", 5, null, [1]]) {
    await assert.rejects(session.upload("photos.upload", {}, { field: "f", data }), { code: "ERR_INVALID_ARG_TYPE" });
  }
});

test("what a progress function throws ends its upload alone", async () => {
  const file = { field: "img_file", data: Buffer.alloc(10) };
  const fault = new Error("mine");
  const onProgress = () => { throw fault; };
  await assert.rejects(client().upload("sandbox.echo.slow", {}, file, { onProgress }), fault);
  await assert.rejects(client().upload("photos.upload", { aid: "_myphoto" }, file, { onProgress }), fault);
  const signal = AbortSignal.timeout(100);
  const options = { signal, onProgress: () => {} };
  await assert.rejects(client().upload("sandbox.echo.slow", {}, file, options), { name: "TimeoutError" });
  await assert.rejects(client().upload("sandbox.echo.slow", {}, file, options), { name: "TimeoutError" });
});

test("a log of debug lines and calls of every kind do not wait for each other", async () => {
  let lines = 0;
  mailru.setLog(() => lines++);
  const session = password();
  session.onToken(() => {});
  const calls = Array.from({ length: 300 }, () => session.call("sandbox.echo"));
  for (let i = 0; i < 300; i++) {
    session.tokens();
    session.stats();
    client().close();
    if (i % 10 === 0) await sleep(1);
  }
  await Promise.all(calls);
  mailru.setLog(null);
  assert.ok(lines > 300, `${lines}`);
});

test("tokens show no secrets, and survive JSON", () => {
  const tokens = new Tokens({ access_token: "secret", refresh_token: "also", expires_at: 1_900_000_000, uid: "1" });
  assert.ok(!/secret|also/.test(inspect(tokens) + inspect({ tokens }, { depth: 5 })));
  assert.deepEqual(new Tokens(JSON.stringify(tokens)), tokens);
  assert.equal(tokens.expires.getUTCFullYear(), 2030);
  const session = Session.stored({ appId, privateKey, tokens }, options);
  assert.equal(session.tokens().accessToken, "secret");
});

test("queues and cancel handles", async () => {
  const queue = new Queue({ inFlight: 1 });
  const session = client();
  const calls = [1, 2, 3].map(() => session.call("sandbox.echo.slow", {}, { queue }));
  await sleep(50);
  assert.equal(queue.pending, 3);
  queue.close();
  queue.close();
  for (const call of calls) await assert.rejects(call, { code: "MAILRU_CANCELLED" });
  const cancel = new Cancel();
  cancel.fire();
  await assert.rejects(session.call("sandbox.echo", {}, { cancel }), { code: "MAILRU_CANCELLED" });
  cancel.close();
});

/** A program in a process of its own: what it printed, its status, and how long it took. */
async function program(text, ...flags) {
  const index = JSON.stringify(new URL("../../../src/bindings/node/index.js", import.meta.url).pathname);
  const begin = `
    const { Session, MailruError, setLog } = require(${index});
    const appId = "${appId}", privateKey = "${privateKey}", accessToken = "${accessToken}", uid = "${uid}";
    const client = (more) => Session.client({ appId, privateKey, accessToken, uid }, { library: process.env.MAILRU_OPTIONS, ...more });
    const password = () => Session.passwordClient({ appId, privateKey, email: "demo@mail.ru", password: "demo" }, process.env.MAILRU_OPTIONS);
  `;
  const begun = Date.now();
  const outcome = await run(process.execPath, [...flags, "-e", begin + text], { timeout: 40_000 }).catch((error) => error);
  return { ...outcome, stdout: outcome.stdout, stderr: outcome.stderr, code: outcome.code ?? 0, ms: Date.now() - begun };
}

const BUSY = `
  setLog(() => {});
  const session = password();
  session.onToken(async () => { await new Promise((resolve) => setTimeout(resolve, 5)); });
  session.onRenewal(() => {});
  for (let i = 0; i < 50; i++) client().call("sandbox.echo.slow").catch(() => {});
  async function busy() { for (;;) await session.call("sandbox.echo").catch((error) => { if (!(error instanceof MailruError)) throw error; }); }
  for (let i = 0; i < 8; i++) busy();
`;

test("the process ends at once, whatever is in flight", async () => {
  const ends = [["process.exit(3)", 3], ["throw new Error('mine')", 1], ["Promise.reject(new Error('mine'))", 1]];
  for (const [end, status] of ends) {
    for (const after of [1, 7, 20, 100]) {
      const { code, signal, ms, stderr } = await program(`${BUSY} setTimeout(() => { ${end} }, ${after});`);
      assert.ok(code === status && !signal && ms < 15_000, `${end} ${after}: ${code} ${signal} ${ms} ms ${stderr}`);
    }
  }
});

test("a process ends by itself when its calls are over, and not before", async () => {
  const { code, stdout, ms } = await program(`
    const session = password();
    session.onToken(() => {});
    session.call("friends.get").then((friends) => console.log(friends.length > 0));
  `);
  assert.ok(code === 0 && stdout === "true\n" && ms < 15_000, `${code} ${stdout} ${ms}`);
});

test("sessions that are forgotten are freed", async () => {
  const { stdout, stderr } = await program(
    `
    const { functions } = require(${JSON.stringify(new URL("../../../src/bindings/node/lib/library.js", import.meta.url).pathname)});
    let freed = 0;
    const free = functions.sessionFree;
    functions.sessionFree = (number) => { freed++; free(number); };
    (async () => {
      for (let i = 0; i < 50; i++) await client().call("sandbox.echo");
      for (let i = 0; i < 20 && freed < 45; i++) { await new Promise((resolve) => setTimeout(resolve, 20)); gc(); }
      console.log(freed >= 45);
    })();`,
    "--expose-gc",
  );
  assert.equal(stdout, "true\n", stderr);
});

test("workers may be terminated at any time", async () => {
  const worker = new URL("./worker.mjs", import.meta.url);
  for (let round = 0; round < 12; round++) {
    const thread = new Worker(worker, { workerData: round });
    const told = await new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject));
    assert.equal(told, round % 2 ? "told of tokens" : "at once");
    await sleep(round);
    const begun = Date.now();
    await thread.terminate();
    assert.ok(Date.now() - begun < 1000, `${Date.now() - begun} ms`);
  }
  assert.ok((await client().call("friends.get")).length > 0);
  await sleep(300);
});

test("import and require give the same module", () => {
  assert.equal(createRequire(import.meta.url)("../../../src/bindings/node").Session, Session);
});

test("the error of a library that is not found lists what was tried", async () => {
  const { MAILRU_LIBRARY } = process.env;
  process.env.MAILRU_LIBRARY = "/nowhere/libmailru.so";
  const { stderr } = await program("");
  if (MAILRU_LIBRARY === undefined) delete process.env.MAILRU_LIBRARY;
  else process.env.MAILRU_LIBRARY = MAILRU_LIBRARY;
  assert.ok(stderr.includes("/nowhere/libmailru.so: ") && stderr.includes("MAILRU_LIBRARY_NOT_FOUND"), stderr);
});
