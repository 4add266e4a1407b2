/**
 * An app: a contract with what carries it out. Nothing is open yet: `serve` and `work` run it, `call` and `fetch` embed it.
 */
import type { Fault } from "../core/index.ts";
import {
  bind,
  implementContract,
  memoryCalls,
  type BoundApp,
  type Contract,
  type Implementation,
  type Implemented,
  type MemoryCalls,
  type Members,
  type Middleware,
  type Principal,
} from "../contract/index.ts";
import { randomHex, systemClock } from "../core/index.ts";
import { createFetch, createHttpHandler } from "../http/index.ts";
import { Events } from "../telemetry/index.ts";
import { loadWireParts } from "./wire-parts.ts";
import { JobsSwitch } from "./jobs-switch.ts";

export interface App<M extends Members = Members> {
  readonly contract: Contract<M>;
  readonly implemented: Implemented;
  /**
   * Calls an operation, or runs one attempt of a job, in this process, through the same codecs as on the wire.
   *
   * @example
   * const result = await app.call.getCity({ id: 1 });
   */
  readonly call: MemoryCalls<M>;
  /** The HTTP side as a Web `fetch` handler: for edge runtimes and for tests. Has no job store. */
  readonly fetch: (request: Request) => Promise<Response>;
}

/**
 * Joins a contract with its handlers. A missing handler, an undeclared fault and a wrong output do not compile; callers without
 * types get a TypeError that names them.
 *
 * @example
 * const ping = query("ping", { access: "public", input: {}, output: { pong: t.boolean() } });
 * const app = implement(contract("demo.v1", { ping }), { handlers: { ping: () => ({ pong: true }) } });
 */
export function implement<
  const M extends Members,
  F extends Fault,
  Ctx = unknown,
  P extends Principal = Principal,
  const U extends readonly Middleware<object, Fault>[] = readonly Middleware<object, Fault>[],
>(contract: Contract<M, F>, implementation: Implementation<M, F, Ctx, P, U>): App<M> {
  const implemented = implementContract(contract, implementation);
  let embedded: BoundApp | undefined;
  const bound = (): BoundApp => (embedded ??= bindEmbedded(implemented));
  let calls: MemoryCalls<M> | undefined;
  let fetch: App["fetch"] | undefined;
  return Object.freeze({
    contract,
    implemented,
    get call() {
      return (calls ??= memoryCalls<M>(bound()));
    },
    async fetch(request: Request) {
      if (fetch === undefined) {
        const parts = await loadWireParts(implemented);
        // Another first request may have come meanwhile.
        fetch ??= createFetch(createHttpHandler(bound(), parts));
      }
      return fetch(request);
    },
  });
}

/** Bound to the real clock and to no store: enqueueing answers `STORE_UNAVAILABLE`. */
function bindEmbedded(implemented: Implemented): BoundApp {
  return bind(implemented, {
    clock: systemClock,
    events: new Events(),
    jobs: new JobsSwitch(),
    shutdown: new AbortController().signal,
    newId: () => randomHex(8),
    sharedTimers: false,
  });
}
