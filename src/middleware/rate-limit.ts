/** Rate limits: of calls, once it is known who is calling; or of a client's requests, before anything is asked about them. */
import {
  fault,
  middleware,
  type AdmitCall,
  type Middleware,
  type Operation,
  type WireTools,
} from "../contract/index.ts";
import { durationMs, isPromiseLike, type Duration, type MaybePromise } from "../core/index.ts";
import {
  clientNetwork,
  peerAddress,
  type AddressSource,
  type ClientAddress,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
} from "../exchange/index.ts";
import { memoryKv, type KvAdvanced, type KvResult, type KvStore } from "../kv/index.ts";
import { t } from "../schema/index.ts";
import { Gcra } from "./gcra.ts";

export const RateLimited = fault("RATE_LIMITED", {
  kind: "resource_exhausted",
  data: { retryAfter: t.duration() },
  message: ({ retryAfter }) => `Too many calls. Come back in ${Math.ceil(retryAfter / 1000)} s.`,
  description: "The caller has used up a rate limit.",
});

type Refusal = ReturnType<typeof RateLimited>;

/** Whom a call counts against; undefined: it is not limited. */
export type RateKey = (call: AdmitCall, operation: Operation) => string | undefined;

interface CommonOptions {
  /** Names the limit in headers and in the store: several limits on one store need different names. Default "default". */
  readonly name?: string;
  /** Calls in each `window`. */
  readonly limit: number;
  /** Default 1 min. */
  readonly window?: Duration;
  /** Calls that may come at once. Default: the limit. */
  readonly burst?: number;
  /** Default: in this process's memory, 100,000 keys. Several processes need one that they share. */
  readonly store?: KvStore;
  /** Where the client's address comes from: `trustProxy(…)` behind proxies. Default: the peer of the connection. */
  readonly clientAddress?: ClientAddress;
  /** What happens while the store does not answer. Default `admit`: a limit protects the service, and must not be its end. */
  readonly whenStoreFails?: "admit" | "refuse";
  /** Sends `RateLimit-Policy` and `RateLimit` with every answer. Default true. */
  readonly headers?: boolean;
}

export interface RateLimitOptions extends CommonOptions {
  readonly before?: undefined;
  /**
   * Whom a call counts against. `client`: the client's IPv4 address or IPv6 /64. `caller`: the signed-in caller, else the client.
   * Default `caller`.
   */
  readonly by?: "client" | "caller" | RateKey;
  /** Each operation has a limit of its own. Default false: all together. */
  readonly perOperation?: boolean;
  /** What one call counts; 0 is free. Default 1. */
  readonly cost?: number | ((call: AdmitCall, operation: Operation) => number);
}

/** A limit that comes before it is known who calls what. */
export interface EarlyRateLimitOptions extends CommonOptions {
  /** Counts every HTTP request that gets as far as its place in the list of middleware: static files and 404s too. */
  readonly before: "authentication";
  /** The client's IPv4 address or IPv6 /64: nothing else is known yet. */
  readonly by?: "client";
  /** What one request counts. Default 1. */
  readonly cost?: number;
  /**
   * What is counted. `failures`: requests that were answered 401 or 403, against guessing of passwords and keys; who signs in
   * uses nothing up. Those that are answered at the same time are all counted, over the burst too, up to a day's worth. Default `all`.
   */
  readonly charge?: "all" | "failures";
}

/**
 * Refuses calls over a rate with RATE_LIMITED (429, Retry-After), before their body is read. Jobs are not limited.
 *
 * @throws TypeError for numbers that cannot be, and for what is not known yet before authentication.
 * @example
 * const guesses = rateLimit({ name: "guesses", before: "authentication", charge: "failures", limit: 10, window: "10m" });
 * const calls = rateLimit({ limit: 600, window: "1m", burst: 60 });
 * const app = implement(atlas, { middleware: [guesses, calls], handlers });
 */
export function rateLimit(
  options: RateLimitOptions | EarlyRateLimitOptions,
): Middleware<Record<never, never>, ReturnType<typeof RateLimited>> {
  const { name = "default", limit, cost = 1 } = options;
  const windowMs = durationMs(options.window ?? "1m");
  const burst = options.burst ?? limit;
  check(name, limit, windowMs, burst, cost);
  checkMoment(name, options);
  const gcra = new Gcra({ name, limit, windowMs, burst, store: options.store ?? memoryKv() });
  if (options.before !== undefined) {
    const early = new EarlyLimit(gcra, options);
    return middleware({ faults: [RateLimited], wire: (next, tools) => early.around(next, tools) });
  }
  const { perOperation = false, whenStoreFails = "admit", headers = true } = options;
  const keyOf = rateKey(options.by ?? "caller", options.clientAddress ?? peerAddress);

  const answer = (call: AdmitCall, costMs: number, taken: Taken): Refusal | undefined => {
    if (!taken.ok) return whenStoreFails === "admit" ? undefined : RateLimited({ retryAfter: 1000 });
    const { accepted, aheadMs } = taken.value;
    if (headers) {
      call.reply.append("ratelimit-policy", gcra.policy);
      call.reply.append("ratelimit", gcra.state(aheadMs));
    }
    return accepted ? undefined : RateLimited({ retryAfter: gcra.waitMs(aheadMs, costMs) });
  };
  return middleware({
    faults: [RateLimited],
    admit(call, operation) {
      const key = keyOf(call, operation);
      if (key === undefined) return undefined;
      const units = typeof cost === "number" ? cost : cost(call, operation);
      if (!(units >= 0 && units <= burst))
        throw new TypeError(
          `rateLimit "${name}": a call costs ${units}, but no more than the burst of ${burst} is ever there.`,
        );
      const costMs = units * gcra.spacingMs;
      const taken = gcra.take(perOperation ? `${operation.name}:${key}` : key, costMs);
      if (isPromiseLike(taken)) return taken.then((settled) => answer(call, costMs, settled));
      return answer(call, costMs, taken);
    },
  });
}

type Taken = Awaited<KvResult<KvAdvanced>>;

class EarlyLimit {
  readonly #gcra: Gcra;
  readonly #costMs: number;
  readonly #failures: boolean;
  readonly #headers: boolean;
  readonly #admitsBlindly: boolean;
  readonly #clientAddress: ClientAddress;

  constructor(gcra: Gcra, options: EarlyRateLimitOptions) {
    this.#gcra = gcra;
    this.#costMs = (options.cost ?? 1) * gcra.spacingMs;
    this.#failures = options.charge === "failures";
    this.#headers = options.headers ?? true;
    this.#admitsBlindly = options.whenStoreFails !== "refuse";
    this.#clientAddress = options.clientAddress ?? peerAddress;
  }

  around(next: HttpHandler, tools: WireTools): HttpHandler {
    return (request) => {
      const key = clientKey(this.#clientAddress, request);
      const taken = this.#failures ? this.#gcra.look(key, this.#costMs) : this.#gcra.take(key, this.#costMs);
      return isPromiseLike(taken)
        ? taken.then((settled) => this.#go(request, key, settled, next, tools))
        : this.#go(request, key, taken, next, tools);
    };
  }

  #go(
    request: HttpRequest,
    key: string,
    taken: Taken,
    next: HttpHandler,
    tools: WireTools,
  ): MaybePromise<HttpResponse> {
    const refuse = (retryAfter: number): HttpResponse =>
      this.#dress(tools.problem(request, RateLimited, RateLimited({ retryAfter })), taken);
    if (!taken.ok && !this.#admitsBlindly) return refuse(1000);
    if (taken.ok && !taken.value.accepted) return refuse(this.#gcra.waitMs(taken.value.aheadMs, this.#costMs));
    const response = next(request);
    return isPromiseLike(response)
      ? response.then((settled) => this.#settle(key, taken, settled))
      : this.#settle(key, taken, response);
  }

  /** A failure is answered when it is counted: the next guess finds it. */
  #settle(key: string, taken: Taken, response: HttpResponse): MaybePromise<HttpResponse> {
    if (!this.#failures || (response.status !== 401 && response.status !== 403)) return this.#dress(response, taken);
    const charged = this.#gcra.charge(key, this.#costMs);
    return isPromiseLike(charged)
      ? charged.then((settled) => this.#dress(response, settled))
      : this.#dress(response, charged);
  }

  #dress(response: HttpResponse, taken: Taken): HttpResponse {
    if (!this.#headers || !taken.ok) return response;
    const state = this.#gcra.state(taken.value.aheadMs);
    return {
      ...response,
      headers: response.headers.with("ratelimit-policy", this.#gcra.policy, "ratelimit", state),
    };
  }
}

function clientKey(clientAddress: ClientAddress, source: AddressSource): string {
  return `client:${clientNetwork(clientAddress(source))}`;
}

function rateKey(by: "client" | "caller" | RateKey, clientAddress: ClientAddress): RateKey {
  if (typeof by === "function") return by;
  if (by === "client") return (call) => clientKey(clientAddress, call);
  return (call) => (call.auth === undefined ? clientKey(clientAddress, call) : `caller:${call.auth.subject}`);
}

/** The types say the same; options may come from JavaScript. */
function checkMoment(name: string, options: RateLimitOptions | EarlyRateLimitOptions): void {
  const refuse = (why: string): never => {
    throw new TypeError(`rateLimit "${name}": ${why}`);
  };
  const { before, by, cost } = options;
  const { perOperation, charge } = options as { readonly perOperation?: unknown; readonly charge?: unknown };
  if (before === undefined) {
    if (charge !== undefined) refuse('charge needs before: "authentication".');
    return;
  }
  if (before !== "authentication") refuse(`before is "authentication", not ${JSON.stringify(before)}.`);
  if (by !== undefined && by !== "client")
    refuse('before authentication nobody knows the caller or the operation: by is "client".');
  if (perOperation !== undefined || typeof cost === "function")
    refuse("before authentication nobody knows the operation: perOperation and a cost by operation cannot be.");
  if (charge !== undefined && charge !== "all" && charge !== "failures")
    refuse(`charge is "all" or "failures", not ${JSON.stringify(charge)}.`);
  if (charge === "failures" && !((cost ?? 1) > 0)) refuse("failures that cost nothing are no limit.");
}

function check(name: string, limit: number, windowMs: number, burst: number, cost: RateLimitOptions["cost"]): void {
  const refuse = (why: string): never => {
    throw new TypeError(`rateLimit "${name}": ${why}`);
  };
  if (!/^[a-z][a-z0-9_-]{0,63}$/.test(name)) refuse("the name is 1 to 64 lower-case letters, digits, - and _.");
  if (!(limit > 0 && limit <= 1e9)) refuse(`limit is a number over 0, not ${limit}.`);
  if (!(windowMs >= 1)) refuse("window is at least 1 ms.");
  if (!(burst >= 1 && burst <= 1e9)) refuse(`burst is a number of at least 1, not ${burst}.`);
  if (typeof cost === "number" && !(cost >= 0 && cost <= burst))
    refuse(`cost is 0 to the burst of ${burst}, not ${cost}.`);
}
