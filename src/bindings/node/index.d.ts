/**
 * The Mail.ru platform's REST API through libmailru: signed calls, tokens that renew themselves, payments, launches.
 *
 * Durations are milliseconds. A wrong type is a TypeError with code ERR_INVALID_ARG_TYPE, all else a MailruError.
 */

declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** What may stand in parameters. A BigInt keeps all its digits; a number beyond 2^53 is refused. */
export type Value = string | number | bigint | boolean | null | undefined | readonly Value[] | { readonly [name: string]: Value };

/** A method's parameters: an object, or JSON text as it is. */
export type Params = { readonly [name: string]: Value } | string | null;

/** The options of every session. */
export interface Options {
  passError?: boolean;
  apiUrl?: string;
  publicUrl?: string;
  tokenUrl?: string;
  clientSecret?: string;
  /** For sessions that begin with an access token: lets them renew it. */
  refreshToken?: string;
  /** For sessions that begin with an access token: its life in seconds. */
  expiresIn?: number;
  tokenFile?: string;
  autoRefresh?: boolean;
  /** The limit of a whole call, in milliseconds. */
  timeout?: number;
  /** The limit of making a connection, in milliseconds. */
  connectTimeout?: number;
  retries?: number;
  /** The first pause, in milliseconds. */
  retryDelay?: number;
  maxResponseBytes?: number;
  getLimit?: number;
  maxIdleConnections?: number;
  userAgent?: string;
  proxy?: string;
  tlsRoots?: "webpki" | "system";
  caFile?: string;
  maxCallsPerSecond?: number;
  /** Listeners run only on the thread that sets them, inside its calls of the library. Sessions of workers have it. */
  callbacksInCalls?: boolean;
  allowHttp?: boolean;
  /** Options by the library's own names, such as timeout_ms: an object, or JSON text. */
  library?: { readonly [name: string]: Value } | string;
}

/** The options of one call. */
export interface CallOptions {
  /** In milliseconds, from now. */
  timeout?: number;
  retries?: number;
  passError?: boolean;
  /** Ends this call, which is then rejected with the signal's reason. */
  signal?: AbortSignal;
  cancel?: Cancel;
  /** Calls of a queue of your own are limited by themselves. */
  queue?: Queue;
  /** The platform's text, byte for byte, in place of objects. */
  raw?: boolean;
}

export interface Progress {
  readonly sent: number;
  readonly total: number;
}

export interface UploadOptions extends CallOptions {
  /** Called now and then with how much was sent. */
  onProgress?: (progress: Progress) => void;
}

export interface UploadFile {
  /** The form field, such as "img_file". */
  field: string;
  /** Bytes of any kind, a Blob, or a readable stream. */
  data: ArrayBufferView | ArrayBuffer | Blob | AsyncIterable<Uint8Array>;
  name?: string;
  /** The media type. */
  type?: string;
}

/** What a grant gave. JSON.stringify makes what to store; a log shows no secrets. */
export class Tokens {
  constructor(json: string | object);
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  /** The whole lifetime in seconds. */
  readonly expiresIn: number | null;
  /** The end in seconds since 1970. */
  readonly expiresAt: number | null;
  readonly uid: string | null;
  readonly tokenType: string | null;
  readonly circuit: string | null;
  get expires(): Date | null;
  toJSON(): object;
}

/** A failure. */
export class MailruError extends Error {
  constructor(codeNumber: number, json: string);
  /** The code's name, such as "MAILRU_TIMEOUT", and the code. */
  readonly code: string;
  readonly codeNumber: number;
  /** The platform's number of a MAILRU_API_ERROR; else minus the code. */
  readonly number: number;
  /** Whether the same call may succeed later. A write is made again only if `sent` is false as well. */
  readonly transient: boolean;
  /** False only if no byte of the request can have reached a server; absent if the failure is not one of a request. */
  readonly sent?: boolean;
  /** After how many milliseconds the server wants to be asked again. */
  readonly retryAfter?: number;
  readonly argument?: string;
  readonly field?: string;
  readonly httpStatus?: number;
  readonly oauth?: unknown;
  readonly platform?: unknown;
  /** The error's JSON. */
  readonly json: string;
}

/** Ends the calls that were given it, and tells how far their uploads are. */
export class Cancel {
  fire(): void;
  progress(): Progress;
  close(): void;
  [Symbol.dispose](): void;
}

/** Calls of which so many are in flight at once: 1,024 of those that name no queue. */
export class Queue {
  constructor(options?: { inFlight?: number });
  /** How many calls the library has. */
  readonly pending: number;
  /** Ends the queue's calls under way. */
  close(): void;
  [Symbol.dispose](): void;
}

type Raw<T> = T & { raw: true };

/** An application's keys and a user's tokens. The constructors touch no network. */
export class Session {
  private constructor();

  /** A session for public pages: only public() works on it. */
  static anonymous(options?: Options | string | null): Session;
  /** A session with an access token, in the circuit that its keys and uid allow. */
  static token(
    credentials: { appId: string; privateKey?: string | null; secretKey?: string | null; accessToken: string; uid?: string | null },
    options?: Options | string | null,
  ): Session;
  /** A session with an access token, signed in the client-server circuit for the user uid. */
  static client(
    credentials: { appId: string; privateKey: string; accessToken: string; uid?: string | null },
    options?: Options | string | null,
  ): Session;
  /** A session signed in the server-server circuit with secretKey, which never leaves the server. */
  static server(
    credentials: { appId: string; secretKey: string; accessToken: string },
    options?: Options | string | null,
  ): Session;
  /** A session that trades the code of a redirect for its tokens, on the first call or by authorize(). */
  static code(
    credentials: { appId: string; privateKey?: string | null; secretKey?: string | null; code: string; redirectUri: string },
    options?: Options | string | null,
  ): Session;
  static codeClient(
    credentials: { appId: string; privateKey: string; code: string; redirectUri: string },
    options?: Options | string | null,
  ): Session;
  static codeServer(
    credentials: { appId: string; secretKey: string; code: string; redirectUri: string },
    options?: Options | string | null,
  ): Session;
  /** A session that trades e-mail and password for its tokens; for applications that a moderator approved. */
  static password(
    credentials: {
      appId: string; privateKey?: string | null; secretKey?: string | null; email: string; password: string; scope?: string | null;
    },
    options?: Options | string | null,
  ): Session;
  static passwordClient(
    credentials: { appId: string; privateKey: string; email: string; password: string; scope?: string | null },
    options?: Options | string | null,
  ): Session;
  static passwordServer(
    credentials: { appId: string; secretKey: string; email: string; password: string; scope?: string | null },
    options?: Options | string | null,
  ): Session;
  /** A session that trades a refresh token for new tokens. */
  static refresh(
    credentials: { appId: string; privateKey?: string | null; secretKey?: string | null; refreshToken: string },
    options?: Options | string | null,
  ): Session;
  static refreshClient(
    credentials: { appId: string; privateKey: string; refreshToken: string },
    options?: Options | string | null,
  ): Session;
  static refreshServer(
    credentials: { appId: string; secretKey: string; refreshToken: string },
    options?: Options | string | null,
  ): Session;
  /** A session that goes on with the tokens of an earlier one: the restart. */
  static stored(
    credentials: { appId: string; privateKey?: string | null; secretKey?: string | null; tokens?: Tokens | object | string | null },
    options?: Options | string | null,
  ): Session;

  /** Calls a method. Integers that a number cannot hold come as BigInt. */
  call(method: string, params: Params | undefined, options: Raw<CallOptions>): Promise<string>;
  call<T = any>(method: string, params?: Params, options?: CallOptions): Promise<T>;
  /** Calls a method with a file. */
  upload(method: string, params: Params | undefined, file: UploadFile, options: Raw<UploadOptions>): Promise<string>;
  upload<T = any>(method: string, params: Params | undefined, file: UploadFile, options?: UploadOptions): Promise<T>;
  /** Reads a public page, such as "mail/nick", unsigned. */
  public(path: string, params: Params | undefined, options: Raw<CallOptions>): Promise<string>;
  public<T = any>(path: string, params?: Params, options?: CallOptions): Promise<T>;
  /** Gets the tokens now, or renews them. Calls do this by themselves. */
  authorize(options?: CallOptions): Promise<Tokens>;
  /** Shows a call as it would be sent. url and params hold the session key; server-circuit results never go to a browser. */
  sign(method: string, params: Params | undefined, options: { raw: true }): string;
  sign(method: string, params?: Params, options?: { raw?: boolean }): Signed;
  tokens(): Tokens;
  /** Gives the session newer tokens, and lifts a refusal that it remembers. */
  setTokens(tokens: Tokens | object | string): void;
  stats(): Stats;
  /** Ends the session's calls under way. Later calls work. */
  cancel(): void;
  /**
   * Has a function told of every new set of tokens; null removes it. None of them is used before it has returned or, if
   * it returns a promise, before the promise is settled; so it may not wait for a call of this session. What it throws is
   * a process warning. In a worker it is told before the answer is given, not before the tokens are used.
   */
  onToken(listener: ((tokens: Tokens) => void | Promise<void>) | null): void;
  /**
   * Called with true before a renewal's request and with false when it is over, in the main thread. The request is made
   * once the function has returned or, if it returns a promise, once the promise is settled.
   */
  onRenewal(listener: ((begins: boolean) => void | Promise<void>) | null): void;
  close(): void;
  [Symbol.dispose](): void;
}

export interface Signed {
  url: string;
  sig: string;
  circuit: string;
  base: string;
  params: { [name: string]: string };
}

/** As the library tells them; more may join. */
export interface Stats {
  calls: number;
  in_flight: number;
  failures: { [code: string]: number };
  latency: { calls: number; sum_ms: number; buckets: { le_ms: number | null; calls: number }[] };
  attempts: number;
  retries: number;
  grants: number;
  renewals: number;
  token_failures: number;
  connections_opened: number;
  connections_reused: number;
  bytes_out: number;
  bytes_in: number;
}

export type LogLevel = "error" | "warning" | "info" | "debug";

/** Has the library's log told to a function; null ends it. It holds for the whole process; no line holds a secret. */
export function setLog(listener: ((level: LogLevel, line: string) => void) | null, level?: LogLevel | "off"): void;

export function authorizeUrl(options: {
  appId: string;
  redirectUri: string;
  responseType?: "code" | "token" | null;
  scope?: string | null;
  state?: string | null;
  /** Another authorization server's page for logins, such as a test's. */
  address?: string | null;
}): string;
/** expectedState is what was sent; null skips the comparison, and with it the protection against forged logins. */
export function parseRedirect(url: string, expectedState: string | null): { code?: string; tokens?: Tokens };
/** Throws unless the payment callback is the platform's. verifyQuery is safer. */
export function verify(secretKey: string, params: Params): void;
/** Throws unless the launch parameters are the platform's. verifyQuery is safer. */
export function verifyLaunch(secretKey: string, params: Params): void;
/** Checks a query string as it came. Use the params of the result and nothing else of the query. */
export function verifyQuery(
  kind: "payment" | "launch" | "cookie" | "launch_by_key",
  secretKey: string,
  query: string,
): { params: { [name: string]: string }; checked: string[]; expiresAt?: number; expired?: boolean };
export function methods(): { name: string; summary: string; write: boolean; privilege: string | null; params: any }[];
export function errors(): { code: number; meaning: string; transient: boolean; advice: string }[];
export function version(): string;
export function abiVersion(): number;
export function codeName(code: number): string;
