/** What a call is told of its origin, by whoever makes it. */
import type { Reply, TraceContext } from "../exchange/index.ts";

/** Where a call comes from: a request, or an attempt of a job. */
export interface CallSource {
  readonly requestId: string;
  /** "" for a job. */
  readonly remoteAddress: string;
  /** Made when it is first read. */
  readonly reply: Reply;
  /** Aborts when the client goes away, or when the job is cancelled. Read only when the handler asks. */
  readonly signal: AbortSignal | undefined;
  /** What the caller gives the call, in milliseconds from its start. Read only when somebody must know. */
  readonly callerTimeoutMs?: number | undefined;
  readonly trace?: TraceContext | undefined;
  /** Where the operation declares a streamed one. */
  readonly body?: unknown;
  header(name: string): string | undefined;
}
