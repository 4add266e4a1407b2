/**
 * What a job keeps of the call that enqueued it: by when it must be done, which trace it belongs to, and in which version its payload was written. A store keeps it as one
 * short text beside the payload and never looks inside.
 */
import { durationMs, type Clock } from "../core/index.ts";
import type { EnqueueOptions } from "../contract/index.ts";
import { readTraceContext, type TraceContext } from "../exchange/index.ts";

export interface JobContext {
  /** Wall-clock milliseconds. */
  readonly deadline?: number;
  readonly trace?: TraceContext | undefined;
  /** Of the input's schema; absent: 1. */
  readonly version?: number;
}

type ContextOptions = Pick<EnqueueOptions, "deadline" | "parent">;

/** Undefined where there is nothing to keep. Throws a TypeError for a deadline that is none, or one to inherit where nobody has any. */
export function writeContext(
  name: string,
  version: number,
  options: ContextOptions | undefined,
  clock: Clock,
): string | undefined {
  const deadline = options === undefined ? undefined : deadlineOf(name, options, clock);
  const trace = options?.parent?.trace;
  const written = version === 1 ? undefined : version;
  if (deadline === undefined && trace === undefined && written === undefined) return undefined;
  return JSON.stringify({
    version: written,
    deadline,
    traceparent: trace?.traceparent,
    tracestate: trace?.tracestate,
  });
}

function deadlineOf(name: string, { deadline, parent }: ContextOptions, clock: Clock): number | undefined {
  if (deadline === undefined) return undefined;
  if (deadline === "inherit") {
    if (parent?.deadline === undefined) {
      throw new TypeError(
        `enqueue("${name}"): there is no deadline to inherit. Enqueue with the jobs that a handler is given, or pass { parent: call }.`,
      );
    }
    return Math.floor(clock.now() + parent.deadline.remaining());
  }
  if (!(deadline instanceof Date)) return Math.ceil(clock.now() + durationMs(deadline));
  const time = deadline.getTime();
  if (Number.isNaN(time)) throw new TypeError(`enqueue("${name}"): deadline is an invalid Date.`);
  return time;
}

const none: JobContext = Object.freeze({});

/** What another version wrote and this one does not know is left aside: a job must not fail for it. */
export function readContext(text: string | undefined): JobContext {
  if (text === undefined) return none;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return none;
  }
  if (typeof read !== "object" || read === null) return none;
  const { version, deadline, traceparent, tracestate } = read as { readonly [name: string]: unknown };
  const trace = readTraceContext(textOf(traceparent), textOf(tracestate));
  return {
    ...(typeof version === "number" && { version }),
    ...(typeof deadline === "number" && { deadline }),
    ...(trace !== undefined && { trace }),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
