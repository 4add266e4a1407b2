/** The faults of reading a request body, made in one place so that every message says what the client can do. */
import { Err, Fault } from "../../core/index.ts";
import type { BodyFault } from "../../exchange/index.ts";

export function tooLarge(limit: number): Err<BodyFault> {
  return new Err(
    new Fault("PAYLOAD_TOO_LARGE", "too_large", { limit }, `The request body is larger than ${limit} bytes.`),
  );
}

export function badBody(reason: string): Err<BodyFault> {
  return new Err(new Fault("BAD_BODY", "invalid_argument", { reason }, `The request body cannot be read: ${reason}.`));
}

export function bodyTimeout(): Err<BodyFault> {
  return new Err(new Fault("BODY_TIMEOUT", "request_timeout", {}, "The request body did not arrive in time."));
}

export function clientGone(): Err<BodyFault> {
  return new Err(
    new Fault("CLIENT_GONE", "cancelled", {}, "The client closed the connection before its request was complete."),
  );
}
