/**
 * What the main thread and the threads of a server say to each other, over a port of their own. Plain data: it is cloned.
 *
 *   booted ─▶          the thread's program has called serve
 *          ◀─ listen    open the port
 *   listening ─▶        it is open
 *          ◀─ phase     whether all of the server is ready
 *   call, abort ─▶      something that only the main thread has: jobs, the store, the others' metrics
 *          ◀─ answer
 *          ◀─ snapshot  what have you measured?
 *   snapshot ─▶
 *          ◀─ reload    read the certificate again
 *   reloaded ─▶
 *          ◀─ drain, cut
 *   stopped ─▶          nothing runs any more
 *   failed ─▶           it could not start
 */
import type { MessagePort } from "node:worker_threads";
import { Err, Fault, Ok, type Kind, type Result } from "../../core/index.ts";
import type { MetricsSnapshot } from "../../telemetry/index.ts";
import type { ServeLimits } from "../options.ts";

/** The key in `workerData` by which a program knows that it runs as a thread of a server. */
export const membershipKey = "tensile:thread";

export interface Membership {
  /** 1 to `count`. A successor has the index of the one that it replaces. */
  readonly index: number;
  readonly count: number;
  readonly port: MessagePort;
  readonly share: ThreadShare;
}

/** A thread's part of what the whole server may hold: over its own limits. */
export interface ThreadShare {
  readonly http: NonNullable<ServeLimits["http"]>;
  readonly overload: ServeLimits["overload"];
  readonly streams: NonNullable<ServeLimits["streams"]>;
}

export type CallMethod =
  | "enqueue"
  | "cancel"
  | "retry"
  | "get"
  | "finished"
  | "list"
  | "counts"
  | "backlog"
  | "signal"
  | "dependencies"
  | "pause"
  | "resume"
  | "paused"
  | "store"
  | "snapshots"
  | "stop";

export type ToMain =
  | { readonly kind: "booted"; readonly systemThread: number | undefined }
  | { readonly kind: "listening"; readonly host: string; readonly port: number }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly programming: boolean;
      readonly reason: string | undefined;
    }
  | { readonly kind: "call"; readonly id: number; readonly method: CallMethod; readonly argument: unknown }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "snapshot"; readonly id: number; readonly snapshot: MetricsSnapshot | undefined }
  | { readonly kind: "reloaded"; readonly id: number; readonly answer: Answer }
  | { readonly kind: "stopped"; readonly failures: readonly string[] };

export type ToThread =
  | { readonly kind: "listen"; readonly port: number; readonly reusePort: boolean }
  | { readonly kind: "phase"; readonly ready: boolean }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "reload"; readonly id: number }
  | { readonly kind: "drain" }
  | { readonly kind: "cut" };

/** `thrown`: a mistake in the program, which the caller throws as a TypeError. */
export type Answer =
  | { readonly value: unknown }
  | { readonly fault: { readonly code: string; readonly kind: Kind; readonly data: unknown; readonly message: string } }
  | { readonly thrown: string };

/** A Result loses its class on the way; this is its content. */
export function toAnswer(result: Result<unknown, Fault>): Answer {
  if (result.ok) return { value: result.value };
  const { code, kind, data, message } = result.fault;
  return { fault: { code, kind, data, message } };
}

export function fromAnswer(answer: Answer): Result<unknown, Fault> {
  if ("value" in answer) return new Ok(answer.value);
  if ("thrown" in answer) throw new TypeError(answer.thrown);
  const { code, kind, data, message } = answer.fault;
  return new Err(new Fault(code, kind, data, message));
}
