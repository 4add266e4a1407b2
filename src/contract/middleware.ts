/**
 * The one middleware kind. It sees every call (HTTP, in memory, jobs), may answer in the handler's place, and may hand more
 * context to the handler. The chain is composed once at start.
 */
import type { Fault, MaybePromise, Result } from "../core/index.ts";
import type { Principal } from "./access.ts";
import type { FrameworkFault } from "./framework-faults.ts";

export interface MiddlewareCall {
  readonly type: "query" | "mutation" | "job";
  readonly name: string;
  readonly input: unknown;
  readonly auth: Principal | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** A request header by lower-case name; undefined for jobs. */
  header(name: string): string | undefined;
}

export type Next<Adds extends object> = (add: Adds) => Promise<Result<unknown, Fault>>;

export interface Middleware<Adds extends object = Record<never, never>, F extends Fault = never> {
  (call: MiddlewareCall, next: Next<Adds>): MaybePromise<Result<unknown, Fault>>;
  readonly "~adds"?: Adds;
  readonly "~faults"?: F;
}

/**
 * Declares middleware that adds `Adds` to the context of handlers and may answer with a fault that the contract declares for
 * all its operations, or with a framework fault.
 *
 * @example
 * const timing = middleware(async (call, next) => {
 *   const result = await next({});
 *   return result;
 * });
 */
export function middleware<Adds extends object = Record<never, never>, F extends Fault = FrameworkFault>(
  run: (call: MiddlewareCall, next: Next<Adds>) => MaybePromise<Result<unknown, Fault>>,
): Middleware<Adds, F> {
  return run;
}
