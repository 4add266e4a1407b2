/** A caller in the same process, in the place of a request. */
import { randomHex } from "../core/index.ts";
import { ReplyFields, readRequestTimeout, readTraceContext } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import type { Incoming } from "./incoming.ts";

export interface MemoryCallOptions {
  /** The caller. Takes the place of `authenticate`, which is not asked. Default: nobody. */
  readonly auth?: Principal;
  /** What the handler sees as the client's abort. */
  readonly signal?: AbortSignal;
  /** Request headers by lower-case name. */
  readonly headers?: { readonly [name: string]: string };
  /** Subscriptions: the id of the last item seen, to go on after it. */
  readonly lastEventId?: string;
  /** Operations with a streamed body: what the handler gets as `body`, as it is. */
  readonly body?: unknown;
}

export function incomingOf({ headers = {}, signal, body }: MemoryCallOptions): Incoming {
  return {
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    remoteAddress: "",
    requestId: randomHex(),
    signal: signal ?? new AbortController().signal,
    callerTimeoutMs: readRequestTimeout(headers["request-timeout"]),
    trace: readTraceContext(headers["traceparent"], headers["tracestate"]),
    reply: new ReplyFields(),
    body,
  };
}
