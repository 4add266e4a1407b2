/** The failures that only subscriptions know. Every code has a row in docs/errors.md. */
import { fault } from "./fault.ts";

export const TooManyStreams = fault("TOO_MANY_STREAMS", {
  kind: "unavailable",
  message: "This server has as many open streams as it may. Come back later.",
});

/** The stream itself is not at fault: a client that comes back goes on. */
export const StreamMoved = fault("STREAM_MOVED", {
  kind: "unavailable",
  message: "This process ended the stream, because it stops or the stream reached its age. Subscribe again to go on.",
});

/** Faults that a subscription can end with beside those of every call. */
export type StreamFault = ReturnType<typeof TooManyStreams> | ReturnType<typeof StreamMoved>;

export const streamFaults = Object.freeze([TooManyStreams, StreamMoved] as const);
