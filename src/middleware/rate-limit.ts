/**
 * Rate limiting by the generic cell rate algorithm (GCRA; ITU-T I.371, 1996, made popular for APIs by throttled and redis-cell):
 * one number for each key, no windows whose edges let through twice as much, no timers.
 *
 * Of a limit of 60 a minute each call moves the key's point in time by one second. A call is refused when the point would be more
 * than the burst (60 seconds' worth, by default) ahead of now. So the limit holds in the long run, a burst may come at once, and
 * what was used comes back one by one.
 */
import { fault, middleware, type AdmitCall, type Middleware, type Operation } from "../contract/index.ts";
import { durationMs, isPromiseLike, type Duration } from "../core/index.ts";
import { clientNetwork, peerAddress, type ClientAddress } from "../exchange/index.ts";
import { memoryKv, type KvAdvanced, type KvResult, type KvStore } from "../kv/index.ts";
import { t } from "../schema/index.ts";

export const RateLimited = fault("RATE_LIMITED", {
  kind: "resource_exhausted",
  data: { retryAfter: t.duration() },
  message: ({ retryAfter }) => `Too many calls. Come back in ${Math.ceil(retryAfter / 1000)} s.`,
  description: "The caller has used up a rate limit.",
});

type Refusal = ReturnType<typeof RateLimited>;

/** Whom a call counts against; undefined: it is not limited. */
export type RateKey = (call: AdmitCall, operation: Operation) => string | undefined;

export interface RateLimitOptions {
  /** Names the limit in headers and in the store: several limits on one store need different names. Default "default". */
  readonly name?: string;
  /** Calls in each `window`. */
  readonly limit: number;
  /** Default 1 min. */
  readonly window?: Duration;
  /** Calls that may come at once. Default: the limit. */
  readonly burst?: number;
  /**
   * Whom a call counts against. `client`: the client's IPv4 address or IPv6 /64. `caller`: the signed-in caller, else the client.
   * Default `caller`.
   */
  readonly by?: "client" | "caller" | RateKey;
  /** Each operation has a limit of its own. Default false: all together. */
  readonly perOperation?: boolean;
  /** What one call counts; 0 is free. Default 1. */
  readonly cost?: number | ((call: AdmitCall, operation: Operation) => number);
  /** Default: in this process's memory, 100,000 keys. Several processes need one that they share. */
  readonly store?: KvStore;
  /** Where the client's address comes from: `trustProxy(…)` behind proxies. Default: the peer of the connection. */
  readonly clientAddress?: ClientAddress;
  /** What happens while the store does not answer. Default `admit`: a limit protects the service, and must not be its end. */
  readonly whenStoreFails?: "admit" | "refuse";
  /** Sends `RateLimit-Policy` and `RateLimit` with every answer. Default true. */
  readonly headers?: boolean;
}

/**
 * Refuses calls over a rate with RATE_LIMITED (429, Retry-After), before their body is read. Jobs are not limited.
 *
 * @throws TypeError for numbers that cannot be.
 * @example
 * const app = implement(atlas, { middleware: [rateLimit({ limit: 600, window: "1m", burst: 60 })], handlers });
 */
export function rateLimit(options: RateLimitOptions): Middleware<Record<never, never>, ReturnType<typeof RateLimited>> {
  const { name = "default", limit, cost = 1, perOperation = false, whenStoreFails = "admit", headers = true } = options;
  const windowMs = durationMs(options.window ?? "1m");
  const burst = options.burst ?? limit;
  check(name, limit, windowMs, burst, cost);
  const store = options.store ?? memoryKv();
  const keyOf = rateKey(options.by ?? "caller", options.clientAddress ?? peerAddress);
  const spacingMs = windowMs / limit;
  const mostMs = spacingMs * burst;
  const policy = `"${name}";q=${limit};w=${Math.ceil(windowMs / 1000)}`;

  const answer = (call: AdmitCall, costMs: number, advanced: Awaited<KvResult<KvAdvanced>>): Refusal | undefined => {
    if (!advanced.ok) return whenStoreFails === "admit" ? undefined : RateLimited({ retryAfter: 1000 });
    const { accepted, aheadMs } = advanced.value;
    if (headers) {
      const left = Math.max(0, Math.floor((mostMs - aheadMs) / spacingMs + 1e-9));
      call.reply.append("ratelimit-policy", policy);
      call.reply.append("ratelimit", `"${name}";r=${left};t=${Math.ceil(aheadMs / 1000)}`);
    }
    return accepted ? undefined : RateLimited({ retryAfter: Math.ceil(aheadMs + costMs - mostMs) });
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
      const costMs = units * spacingMs;
      const where = perOperation ? `rate:${name}:${operation.name}:${key}` : `rate:${name}:${key}`;
      const advanced = store.advance(bounded(where), costMs, mostMs);
      if (isPromiseLike(advanced)) return advanced.then((settled) => answer(call, costMs, settled));
      return answer(call, costMs, advanced);
    },
  });
}

function rateKey(by: "client" | "caller" | RateKey, clientAddress: ClientAddress): RateKey {
  if (typeof by === "function") return by;
  const client: RateKey = (call) => `client:${clientNetwork(clientAddress(call))}`;
  if (by === "client") return client;
  return (call, operation) => (call.auth === undefined ? client(call, operation) : `caller:${call.auth.subject}`);
}

const longestKey = 512;

/** Whoever can choose his subject freely can at most share a limit with himself. */
function bounded(key: string): string {
  return key.length <= longestKey ? key : key.slice(0, longestKey);
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
