/** Subscriptions as data: an operation that answers with a stream of items. */
import { durationMs } from "../core/index.ts";
import type { Access } from "./access.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import {
  define,
  type Decoded,
  type KnowsCaller,
  type Operation,
  type OperationOptions,
  type SchemaLike,
  type StreamOptions,
} from "./operation.ts";

/**
 * A stream of items: `output` is one of them. Served as Server-Sent Events, as NDJSON, and over WebSocket where the server has it
 * switched on; `GET /{operation}` by default. The handler is an async generator, or gives any AsyncIterable.
 *
 * @example
 * const cityChanges = subscription("cityChanges", {
 *   access: "public",
 *   http: "GET /cities/changes",
 *   input: { country: t.optional(t.string()) },
 *   output: { id: t.int32(), name: t.string() },
 *   resume: true,
 * });
 *
 * Throws a TypeError for a wrong name, access policy or duration.
 */
export function subscription<
  I extends SchemaLike,
  O extends SchemaLike,
  const A extends Access<Decoded<I>>,
  const F extends readonly AnyFaultType[] = [],
>(
  name: string,
  options: OperationOptions<I, O, F, A, undefined> & StreamOptions,
): Operation<"subscription", I, O, FaultsOf<F>, KnowsCaller<A>, undefined> {
  const { maxAge } = options;
  if (maxAge !== undefined && durationMs(maxAge) <= 0)
    throw new TypeError(
      `subscription("${name}"): maxAge is a time above 0. Leave it out for a stream without a limit.`,
    );
  return define("subscription", name, options);
}
