/** What a bound call sees of its HTTP request. */
import type { Incoming } from "../contract/index.ts";
import {
  ReplyFields,
  readRequestTimeout,
  readTraceContext,
  type HttpRequest,
  type TraceContext,
} from "../exchange/index.ts";
import { givenRequestId } from "./request-id.ts";

export class HttpCall implements Incoming {
  readonly request: HttpRequest;
  /** Set where the operation has a streamed body; not a field of every call. */
  declare body?: unknown;
  readonly #newId: () => string;
  #requestId: string | undefined;
  #reply: ReplyFields | undefined;

  constructor(request: HttpRequest, newId: () => string) {
    this.request = request;
    this.#newId = newId;
  }

  header(name: string): string | undefined {
    return this.request.header(name);
  }

  get remoteAddress(): string {
    return this.request.remoteAddress;
  }

  get signal(): AbortSignal {
    return this.request.signal;
  }

  get reply(): ReplyFields {
    return (this.#reply ??= new ReplyFields());
  }

  /** What the client gives the call, in milliseconds. */
  get callerTimeoutMs(): number | undefined {
    const { request } = this;
    return request.hasTimeout === false ? undefined : readRequestTimeout(request.header("request-timeout"));
  }

  /** Of the server's own span where there is one, else the client's. */
  get trace(): TraceContext | undefined {
    const { request } = this;
    return request.notes?.trace ?? readTraceContext(request.header("traceparent"), request.header("tracestate"));
  }

  /** Undefined when nobody has asked for it. */
  get usedReply(): ReplyFields | undefined {
    return this.#reply;
  }

  /** The client's `x-request-id` where it is sane, else a new one. */
  get requestId(): string {
    return (this.#requestId ??= this.request.notes?.requestId ?? givenRequestId(this.request) ?? this.#newId());
  }

  /** The id, if the client gave one or if anything has looked at it: then it may stand in a log, and the client should know it. */
  get usedRequestId(): string | undefined {
    if (this.#requestId !== undefined) return this.#requestId;
    const { notes } = this.request;
    return (this.#requestId = notes?.usedRequestId === true ? notes.requestId : givenRequestId(this.request));
  }
}
