/** What is known about a request before its body is read. */
import type { Reply, TraceContext } from "../exchange/index.ts";
import type { Principal } from "./access.ts";

export interface Incoming {
  /** A header by lower-case name. */
  header(name: string): string | undefined;
  /** The peer's IP address; "" in memory and where the carrier cannot know it. */
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** What the caller gives the call, in milliseconds from its start; it can only shorten the operation's own limit. */
  readonly callerTimeoutMs?: number | undefined;
  /** W3C Trace Context: the server's own span where one was begun, else what the caller sent. */
  readonly trace?: TraceContext | undefined;
  /** Header fields of the answer. */
  readonly reply: Reply;
  /** A streamed body, once it is opened: what the handler gets. */
  readonly body?: unknown;
}

/** The same once it is known who is calling. */
export interface AdmitCall extends Incoming {
  /** The caller; undefined for nobody. */
  readonly auth: Principal | undefined;
}
