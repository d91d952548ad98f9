// A worker with calls in flight and listeners, to be terminated.
import { parentPort, workerData } from "node:worker_threads";
import { Session, setLog } from "../../../src/bindings/node/index.mjs";

const appId = "423004", privateKey = "7815696ecbf1c96e6894b779456d330e";
const options = process.env.MAILRU_OPTIONS;
const session = Session.passwordClient({ appId, privateKey, email: "demo@mail.ru", password: "demo" }, options);
let told = 0;
session.onToken(() => told++);
for (const refused of [() => session.onRenewal(() => {}), () => setLog(() => {})]) {
  try {
    refused();
    throw new TypeError("not refused");
  } catch (error) {
    if (!error.message.includes("main thread")) throw error;
  }
}
const first = session.call("sandbox.echo");
for (let call = 0; call < 20; call++) session.call("sandbox.echo.slow").catch(() => {});
if (workerData % 2) {
  await first;
  parentPort.postMessage(told === 1 ? "told of tokens" : `told ${told} times`);
} else {
  parentPort.postMessage("at once");
}
for (;;) await session.call("sandbox.echo");
