/**
 * What a call hands on to whatever it calls: its time, its abort, its trace. The argument of every handler is one, so that
 * `client.getCity(input, { parent: call })` is all that a handler writes.
 */
import type { TraceContext } from "../exchange/index.ts";

/** How long a call may still take. */
export interface CallDeadline {
  /** Milliseconds left, never below 0. */
  remaining(): number;
}

export interface CallParent {
  /** Aborts what is called when the caller ends. */
  readonly signal?: AbortSignal;
  /** What is called has at most as much time as is left here. */
  readonly deadline?: CallDeadline;
  /** What is called belongs to this trace. */
  readonly trace?: TraceContext | undefined;
}
