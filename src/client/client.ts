/**
 * The typed client: one method for each operation of a contract. A call never throws and never rejects; it gives the same Result
 * that the handler gave, or a fault that says how far it came. Runs wherever there is `fetch`: browsers, Node, edge runtimes,
 * and in memory against `app.fetch`.
 */
import {
  InvalidInput,
  backoffMs,
  exponential,
  httpPlan,
  type Backoff,
  type CallFaultOf,
  type Contract,
  type InputOf,
  type Members,
  type Operation,
  type OperationName,
  type OutputOf,
} from "../contract/index.ts";
import {
  Err,
  deadline,
  durationMs,
  sleep,
  systemClock,
  systemRandom,
  type Clock,
  type Deadline,
  type Duration,
  type Fault,
  type MaybePromise,
  type Result,
} from "../core/index.ts";
import { requestEncoder, type EncodedRequest, type RequestEncoder } from "./encode-request.ts";
import { responseReader, type ResponseReader } from "./read-response.ts";
import { Aborted, NetworkError, Timeout, bounded, type TransportFault } from "./transport-faults.ts";

export interface ClientOptions {
  /** Where the API is: `https://api.example.org/v1`. Paths of operations are added to it. In a browser it may be relative: `/api`. */
  readonly url: string | URL;
  /** Default: the platform's `fetch`. `app.fetch` calls an app in memory. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Sent with every request. A function is asked for each one. */
  readonly headers?: HeaderSource;
  /** A bearer token, or a function that is asked for one before each request. */
  readonly auth?: string | (() => MaybePromise<string | undefined>);
  /** For the whole call, retries included. Default 30 s. */
  readonly timeout?: Duration;
  /** Only queries are repeated, and only after a failure that may pass by itself. Default: never. */
  readonly retry?: ClientRetry;
  /** Bytes of an answer that are read. Default 8 MiB. */
  readonly maxResponseBytes?: number;
  readonly clock?: Clock;
}

type HeaderSource = { readonly [name: string]: string } | (() => MaybePromise<{ readonly [name: string]: string }>);

export interface ClientRetry {
  /** Requests in all, the first included: 1 to 10. */
  readonly attempts: number;
  /** Default: exponential from 100 ms to 5 s. A `Retry-After` of the server comes before it. */
  readonly backoff?: Backoff;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Instead of the client's. */
  readonly timeout?: Duration;
  readonly headers?: { readonly [name: string]: string };
}

/** An input without required fields may be left out. */
type CallArguments<I> =
  Record<never, never> extends I ? [input?: I, options?: CallOptions] : [input: I, options?: CallOptions];

export type Client<M extends Members, F extends Fault = never> = {
  readonly [K in OperationName<M>]: (
    ...call: CallArguments<InputOf<M[K]>>
  ) => Promise<Result<OutputOf<M[K]>, CallFaultOf<M[K]> | F | TransportFault>>;
};

type AnyCall = (input?: unknown, options?: CallOptions) => Promise<Result<unknown, Fault>>;

/**
 * @throws TypeError for a URL that is none, a wrong duration or retry, or an operation that HTTP cannot carry.
 * @example
 * const client = createClient(atlas, { url: "http://127.0.0.1:3000" });
 * const city = await client.getCity({ id: 1 }, { timeout: "2s" });
 * console.log(city.ok ? city.value.name : city.fault.code);
 */
export function createClient<M extends Members, F extends Fault>(
  contract: Contract<M, F>,
  options: ClientOptions,
): Client<M, F> {
  const settings = settingsOf(options);
  const calls = contract.operations.map(
    (operation) => [operation.name, operationCall(operation, contract, settings)] as const,
  );
  // The loop gives each member of the contract its call; the compiler cannot follow names through entries, hence the detour.
  return Object.freeze(Object.fromEntries(calls)) as unknown as Client<M, F>;
}

interface Settings extends ClientOptions {
  readonly base: string;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly send: (request: Request) => Promise<Response>;
}

function settingsOf(options: ClientOptions): Settings {
  const base = String(options.url).replace(/\/+$/, "");
  const origin = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  if (!URL.canParse(`${base}/`, origin)) {
    throw new TypeError(
      `createClient(): "${String(options.url)}" is not a URL. Write where the API is, such as "http://127.0.0.1:3000".`,
    );
  }
  const attempts = options.retry?.attempts ?? 1;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 10)
    throw new TypeError(`createClient(): retry.attempts is 1 to 10, not ${attempts}.`);
  return {
    ...options,
    base,
    clock: options.clock ?? systemClock,
    timeoutMs: durationMs(options.timeout ?? "30s"),
    attempts,
    backoff: options.retry?.backoff ?? exponential({ first: "100ms", max: "5s" }),
    // Not called as a method of `options`: browsers refuse a fetch whose `this` is not the window.
    send: options.fetch ?? ((request) => fetch(request)),
  };
}

/** Codecs are compiled when the operation is first called: a page uses few of a contract's operations. */
function operationCall(operation: Operation, contract: Contract, settings: Settings): AnyCall {
  const plan = httpPlan(operation);
  let encode: RequestEncoder | undefined;
  let read: ResponseReader | undefined;
  const call = async (input: unknown, options: CallOptions): Promise<Result<unknown, Fault>> => {
    encode ??= requestEncoder(plan);
    read ??= responseReader(
      plan,
      [...contract.faults, ...operation.faults],
      settings.maxResponseBytes ?? 8 * 1024 * 1024,
    );
    const encoded = encode(input);
    if (!encoded.ok) return encoded;
    const timeoutMs = options.timeout === undefined ? settings.timeoutMs : durationMs(options.timeout);
    using limit = deadline({ clock: settings.clock, timeoutMs, client: options.signal });
    if (limit.aborted !== undefined) return new Err(abortFault(limit, timeoutMs));
    const attempts = operation.type === "query" ? settings.attempts : 1;
    for (let attempt = 1; ; attempt++) {
      const { result, retryAfterMs } = await exchange(
        plan.method,
        encoded.value,
        settings,
        options,
        limit,
        timeoutMs,
        read,
      );
      if (result.ok || attempt >= attempts || !mayPass(result.fault)) return result;
      const wait = retryAfterMs ?? backoffMs(settings.backoff, attempt, systemRandom.next());
      // Waiting beyond the deadline could only turn this fault into a less telling one.
      if (wait >= limit.remaining()) return result;
      try {
        await sleep(settings.clock, wait, limit.signal);
      } catch {
        return new Err(abortFault(limit, timeoutMs));
      }
    }
  };
  // What throws here is a mistake of this program: a duration that is none, a getter or refinement that throws.
  return (input = {}, options = {}) =>
    call(input, options).catch((thrown: unknown) => {
      const issue = { pointer: "", code: "call", message: bounded(reasonOf(thrown)) };
      return new Err(InvalidInput({ issues: [issue] }));
    });
}

function mayPass(fault: Fault): boolean {
  return fault.retryable && fault.code !== "TIMEOUT";
}

interface Exchange {
  readonly result: Result<unknown, Fault>;
  readonly retryAfterMs: number | undefined;
}

/** One request and its answer. */
async function exchange(
  method: string,
  encoded: EncodedRequest,
  settings: Settings,
  options: CallOptions,
  limit: Deadline,
  timeoutMs: number,
  read: ResponseReader,
): Promise<Exchange> {
  try {
    const running = (async (): Promise<Exchange> => {
      const request = await makeRequest(method, encoded, settings, options, limit.signal);
      const response = await settings.send(request);
      return { result: await read(response), retryAfterMs: retryAfterMs(response) };
    })();
    return await Promise.race([running, whenAborted(limit)]);
  } catch (thrown) {
    const fault =
      limit.aborted === undefined ? NetworkError({ reason: bounded(reasonOf(thrown)) }) : abortFault(limit, timeoutMs);
    return { result: new Err(fault), retryAfterMs: undefined };
  }
}

/** Rejects at the deadline or the caller's abort, even when `fetch` does not look at its signal. */
function whenAborted(limit: Deadline): Promise<never> {
  return new Promise((_, reject) => limit.onAbort(reject));
}

function abortFault(limit: Deadline, timeoutMs: number): TransportFault {
  return limit.aborted?.why === "timeout" ? Timeout({ timeoutMs }) : Aborted();
}

async function makeRequest(
  method: string,
  encoded: EncodedRequest,
  settings: Settings,
  options: CallOptions,
  signal: AbortSignal,
): Promise<Request> {
  const headers = new Headers({ accept: "application/json, application/problem+json" });
  const shared = typeof settings.headers === "function" ? await settings.headers() : settings.headers;
  for (const [name, value] of Object.entries({ ...shared, ...options.headers })) headers.set(name, value);
  const token = typeof settings.auth === "function" ? await settings.auth() : settings.auth;
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  for (let i = 0; i < encoded.headers.length; i += 2)
    headers.set(encoded.headers[i] as string, encoded.headers[i + 1] as string);
  return new Request(settings.base + encoded.target, {
    method,
    headers,
    signal,
    ...(encoded.body === undefined ? {} : { body: encoded.body }),
  });
}

/** RFC 9110 section 10.2.3, in its form of seconds. */
function retryAfterMs({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** `fetch failed` says little; its cause says what happened. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { cause } = thrown;
  return cause instanceof Error && cause.message !== "" ? `${thrown.message}: ${cause.message}` : thrown.message;
}
