// A site with Express: the login, and calls of the user who logged in.
"use strict";

const { randomUUID } = require("node:crypto");
const express = require("express");
const { MailruError, Session, authorizeUrl, parseRedirect } = require("../../../src/bindings/node");

const appId = "423004", privateKey = "7815696ecbf1c96e6894b779456d330e", redirectUri = "https://example.org/callback";
const options = { library: process.env.MAILRU_OPTIONS, tokenFile: process.env.TOKENS };
const app = express();
let session;

app.get("/login", (request, response) => {
  const state = randomUUID();
  response.cookie("state", state, { httpOnly: true }).redirect(authorizeUrl({ appId, redirectUri, state }));
});

app.get("/callback", async (request, response) => {
  const state = /(?:^|;\s*)state=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "none";
  const { code } = parseRedirect(`https://example.org${request.url}`, state);
  session = Session.codeClient({ appId, privateKey, code, redirectUri }, options);
  await session.authorize();
  response.send("welcome");
});

/** The call ends with the page that asked for it. */
function signalOf(response) {
  const controller = new AbortController();
  response.on("close", () => controller.abort());
  return controller.signal;
}

app.get("/friends", async (request, response) => {
  response.json(await session.call("friends.get", { ext: 1 }, { signal: signalOf(response) }));
});

app.get("/slow", async (request, response) => {
  response.json(await session.call("sandbox.echo.slow", {}, { signal: signalOf(response) }));
});

app.use((error, request, response, next) => {
  if (!(error instanceof MailruError)) return next(error);
  response.status(502).json({ error: error.message });
});

const server = app.listen(process.env.PORT, "127.0.0.1", 1024);
process.once("SIGTERM", () => {
  server.close();
  // Its calls end as MAILRU_CANCELLED, their pages with 502, and then the process by itself.
  session?.close();
});
