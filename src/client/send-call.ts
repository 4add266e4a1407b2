/**
 * One call on its way: request, answer, and again where that may help. Ends at the deadline whatever the platform does.
 */
import { backoffMs, type Backoff, type HttpPlan } from "../contract/index.ts";
import {
  Err,
  deadline,
  sleep,
  systemRandom,
  type Clock,
  type Deadline,
  type Fault,
  type MaybePromise,
  type Result,
} from "../core/index.ts";
import { writeRequestTimeout, type TraceContext } from "../exchange/index.ts";
import type { CallOptions, ClientOptions, ClientSpan } from "./client-options.ts";
import type { EncodedBody } from "./encode-body.ts";
import type { ClientFormat, EncodedRequest } from "./encode-request.ts";
import type { ResponseReader } from "./read-response.ts";
import {
  Aborted,
  NetworkError,
  Timeout,
  UnexpectedResponse,
  bounded,
  type TransportFault,
} from "./transport-faults.ts";

/** The client's options, checked and filled in. */
export interface ClientSettings {
  readonly options: ClientOptions;
  /** Without a slash at its end. */
  readonly base: string;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Of a query, and of what the server refused for overload. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Undefined: JSON. */
  readonly format: () => MaybePromise<ClientFormat | undefined>;
  readonly send: (request: Request) => Promise<Response>;
}

export interface PreparedCall extends RequestParts {
  readonly options: CallOptions;
  readonly timeoutMs: number;
  readonly read: ResponseReader;
}

export async function sendCall(call: PreparedCall): Promise<Result<unknown, Fault>> {
  const { clock } = call.settings;
  const { signal, parent } = call.options;
  const timeoutMs = Math.min(call.timeoutMs, parent?.deadline?.remaining() ?? Infinity);
  // Not `using`: browsers that lack Symbol.dispose are still about.
  const limit = deadline({ clock, timeoutMs, client: signal, cancelled: parent?.signal });
  try {
    return await attempts(call, limit);
  } finally {
    limit.dispose();
  }
}

async function attempts(call: PreparedCall, limit: Deadline): Promise<Result<unknown, Fault>> {
  if (limit.aborted !== undefined) return new Err(abortFault(call, limit));
  const { backoff, clock } = call.settings;
  const most = call.streamed === undefined ? call.settings.attempts : 1;
  for (let attempt = 1; ; attempt++) {
    const { result, retryAfterMs } = await exchange(call, limit, attempt);
    if (result.ok || attempt >= most || !mayRepeat(call, result.fault)) return result;
    const wait = retryAfterMs ?? backoffMs(backoff, attempt, systemRandom.next());
    // Waiting beyond the deadline could only turn this fault into a less telling one.
    if (wait >= limit.remaining()) return result;
    try {
      await sleep(clock, wait, limit.signal);
    } catch {
      return new Err(abortFault(call, limit));
    }
  }
}

/** A query changes nothing; and what admission refused has not begun, so that a mutation may be sent again too (RFC 9110 section 9.2.2). */
function mayRepeat({ plan }: PreparedCall, fault: Fault): boolean {
  if (fault.code === "OVERLOADED") return true;
  if (plan.operation.type !== "query" || fault.code === "TIMEOUT") return false;
  // A proxy's page, or a fault of middleware that the contract does not name: the status says whether it passes.
  if (UnexpectedResponse.is(fault)) return passingStatuses.has(fault.data.status);
  return fault.retryable;
}

/** RFC 9110 sections 15.6.3 to 15.6.5, RFC 6585 section 4. */
const passingStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

interface Exchange {
  readonly result: Result<unknown, Fault>;
  readonly retryAfterMs: number | undefined;
}

/** One request and its answer. */
async function exchange(call: PreparedCall, limit: Deadline, attempt: number): Promise<Exchange> {
  const span = beginSpan(call, attempt);
  let status: number | undefined;
  const requestAndRead = async (): Promise<Exchange> => {
    const response = await call.settings.send(await makeRequest(partsOf(call, limit, span), limit.signal));
    status = response.status;
    return { result: await call.read(response), retryAfterMs: retryAfterMs(response) };
  };
  let ended: Exchange;
  try {
    // The second ends it at the deadline even when `fetch` does not look at its signal.
    ended = await Promise.race([requestAndRead(), whenAborted(limit)]);
  } catch (thrown) {
    const fault =
      limit.aborted === undefined ? NetworkError({ reason: bounded(reasonOf(thrown)) }) : abortFault(call, limit);
    ended = { result: new Err(fault), retryAfterMs: undefined };
  }
  span?.end(status, ended.result.ok ? undefined : ended.result.fault.code);
  return ended;
}

function partsOf(call: PreparedCall, limit: Deadline, span: ClientSpan | undefined): RequestParts {
  const { parent } = call.options;
  const { sendTimeout = parent !== undefined } = call.settings.options;
  const timeLeft = sendTimeout ? (): number => timeForServer(limit.remaining()) : undefined;
  return { ...call, trace: span?.trace ?? parent?.trace, timeLeft };
}

function beginSpan({ plan, encoded, settings, options }: PreparedCall, attempt: number): ClientSpan | undefined {
  const { tracing } = settings.options;
  const { operation, method, path: route } = plan;
  const url = settings.base + encoded.target;
  return tracing?.start({ operation: operation.name, method, route, url, attempt }, options.parent?.trace);
}

function whenAborted(limit: Deadline): Promise<never> {
  return new Promise((_, reject) => limit.onAbort(reject));
}

function abortFault({ timeoutMs }: PreparedCall, limit: Deadline): TransportFault {
  return limit.aborted?.why === "timeout" ? Timeout({ timeoutMs }) : Aborted();
}

/** The server is given a little less than there is: its answer needs time to come back, and should come before we give up. */
function timeForServer(remaining: number): number {
  return remaining - Math.min(longestMarginMs, remaining / 10);
}

const longestMarginMs = 50;

function acceptOf({ options: { format } }: ClientSettings): string {
  const json = "application/json, application/problem+json";
  return format === undefined ? json : `${format.types[0]}, application/json;q=0.9, application/problem+json`;
}

/** What a request is made of. */
export interface RequestParts {
  readonly plan: HttpPlan;
  readonly encoded: EncodedRequest;
  /** Of an operation with a body of its own kind. Can be sent once. */
  readonly streamed?: EncodedBody | undefined;
  readonly settings: ClientSettings;
  readonly options: { readonly headers?: { readonly [name: string]: string } };
  readonly trace?: TraceContext | undefined;
  /** Milliseconds that the server may take; asked when everything else of the request is there. */
  readonly timeLeft?: (() => number) | undefined;
}

export async function makeRequest(
  { plan, encoded, streamed, settings, options, trace, timeLeft }: RequestParts,
  signal: AbortSignal,
  accept = acceptOf(settings),
): Promise<Request> {
  const { headers: source, auth } = settings.options;
  const headers = new Headers({ accept });
  if (trace !== undefined) headers.set("traceparent", trace.traceparent);
  if (trace?.tracestate !== undefined) headers.set("tracestate", trace.tracestate);
  const shared = typeof source === "function" ? await source() : source;
  for (const [name, value] of Object.entries({ ...shared, ...options.headers })) headers.set(name, value);
  const token = typeof auth === "function" ? await auth() : auth;
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  for (let i = 0; i < encoded.headers.length; i += 2) {
    headers.set(encoded.headers[i] as string, encoded.headers[i + 1] as string);
  }
  if (timeLeft !== undefined && !headers.has("request-timeout"))
    headers.set("request-timeout", writeRequestTimeout(timeLeft()));
  if (streamed !== undefined) {
    if (streamed.type !== undefined && !headers.has("content-type")) headers.set("content-type", streamed.type);
    // `duplex` is demanded for streams, and not in the types yet.
    const init = { method: plan.method, headers, signal, body: streamed.body, duplex: "half" };
    return new Request(settings.base + encoded.target, init);
  }
  const body = encoded.body === undefined ? {} : { body: encoded.body as string | Uint8Array<ArrayBuffer> };
  return new Request(settings.base + encoded.target, { method: plan.method, headers, signal, ...body });
}

/** RFC 9110 section 10.2.3, in its form of seconds. */
export function retryAfterMs({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** `fetch failed` says little; its cause says what happened. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { cause } = thrown;
  return cause instanceof Error && cause.message !== "" ? `${thrown.message}: ${cause.message}` : thrown.message;
}
