/**
 * Why somebody was refused: for the `auth.refused` event, never for the answer. Who tries credentials must not learn whether a
 * key exists, a token is expired or a signature is wrong.
 */
import { Err, type Fault } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { Unauthenticated } from "./framework-faults.ts";
import type { Incoming } from "./incoming.ts";

/** Beside the fault and not in it, so that nothing which writes faults can write this. */
const reasons = new WeakMap<Fault, string>();

/**
 * UNAUTHENTICATED for credentials that are there but wrong, with a reason that stays on the server.
 *
 * @param reason A few words without anything secret: no token, no key, no password.
 * @example
 * const authenticate = (request) => (request.header("authorization") === undefined ? undefined : refuseCaller("no such user"));
 */
export function refuseCaller(reason: string): ReturnType<typeof Unauthenticated> {
  const fault = Unauthenticated({}, "The credentials are not valid.");
  reasons.set(fault, reason);
  return fault;
}

/** What the client hears; why it was so is for the event. */
export function refused(fault: Fault, incoming: Incoming, operation: string, events: Events): Err<Fault> {
  const { code, message } = fault;
  const { requestId, remoteAddress } = incoming;
  events.emit("auth.refused", { operation, code, reason: reasons.get(fault) ?? message, requestId, remoteAddress });
  return new Err(fault);
}
