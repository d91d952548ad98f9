// What the declarations promise; tsc --strict reads it, and nothing runs it.
import mailru, { Cancel, MailruError, Queue, Session, Tokens, authorizeUrl, parseRedirect, setLog } from "mailru";

const session: Session = Session.client({ appId: "1", privateKey: "k", accessToken: "t", uid: "2" }, { timeout: 5000 });
const friends: { uid: string }[] = await session.call<{ uid: string }[]>("friends.get", { ext: 1, ids: [1n, "2"] });
const text: string = await session.call("friends.get", {}, { raw: true, signal: AbortSignal.timeout(5) });
const tokens: Tokens = await session.authorize({ cancel: new Cancel(), queue: new Queue({ inFlight: 2 }) });
const stored: Session = Session.stored({ appId: "1", tokens: JSON.stringify(tokens) });
stored.onToken(async (fresh) => console.log(fresh.expires?.getTime(), friends.length, text));
setLog((level, line) => console.log(level === "error", line), "info");
const { code } = parseRedirect(authorizeUrl({ appId: "1", redirectUri: "r", state: "s" }), "s");
try {
  await session.upload("photos.upload", { aid: code ?? null }, { field: "f", data: new Uint8Array(1) }, { onProgress: ({ sent }) => sent });
} catch (error) {
  if (error instanceof MailruError) console.log(error.code, error.retryAfter?.toFixed(), error.sent === false);
}
mailru.Session.anonymous("{}").close();

// @ts-expect-error a number where a text belongs
Session.client({ appId: 423004, privateKey: "k", accessToken: "t" });
// @ts-expect-error an unknown option
Session.anonymous({ timout: 5 });
// @ts-expect-error a number where a text belongs
session.call(5);
// @ts-expect-error sessions are made by name
new Session();
