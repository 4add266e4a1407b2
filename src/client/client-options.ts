/** What a client and a call are told. */
import type { BinaryFormat } from "../schema/index.ts";
import type { Backoff, CallParent } from "../contract/index.ts";
import type { TraceContext } from "../exchange/index.ts";
import type { WebSocketConstructor } from "./web-socket-like.ts";
import type { Clock, Duration, MaybePromise } from "../core/index.ts";

export interface ClientOptions {
  /** Where the API is: `https://api.example.org/v1`. Paths of operations are added to it. In a browser it may be relative: `/api`. */
  readonly url: string | URL;
  /** Default: the platform's `fetch`. `app.fetch` calls an app in memory. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Sent with every request. A function is asked for each one. */
  readonly headers?: HeaderSource;
  /** A bearer token, or a function that is asked for one before each request. */
  readonly auth?: string | (() => MaybePromise<string | undefined>);
  /** For the whole call, retries included. Default 30 s. */
  readonly timeout?: Duration;
  /** Queries are repeated after a failure that may pass by itself; a mutation only after OVERLOADED, which says that it has not begun. Default: never. */
  readonly retry?: ClientRetry;
  /** Bytes of an answer that are read. Default 8 MiB. */
  readonly maxResponseBytes?: number;
  /** Sends each call's time limit in a `request-timeout` header, so that the server stops when nobody waits. Default: only with a `parent`; in browsers the header costs a CORS preflight. */
  readonly sendTimeout?: boolean;
  /** Begins a span for each request: `clientTracing()` of `tensile/opentelemetry`. */
  readonly tracing?: ClientTracing;
  /**
   * Subscriptions over WebSocket instead of Server-Sent Events, one socket for each: `true` takes the platform's, or pass a constructor.
   * The server must have it switched on. `headers` are not sent, because a WebSocket cannot; `auth` is. Default false.
   */
  readonly webSocket?: boolean | WebSocketConstructor;
  readonly clock?: Clock;
  /**
   * Of bodies and answers: `messagePack()` or `cbor()` of `tensile/formats`, where the server has it too. Default: JSON, which is
   * read in any case.
   */
  readonly format?: BinaryFormat;
}

/** What is told of each request that the client sends. */
export interface ClientTracing {
  /** Called before each request, repetitions included. `parent`: of the call on whose behalf this one is made. */
  start(request: TracedRequest, parent: TraceContext | undefined): ClientSpan;
}

export interface TracedRequest {
  readonly operation: string;
  readonly method: string;
  /** The template, `/cities/{id}`. */
  readonly route: string;
  readonly url: string;
  /** 1 for the first. */
  readonly attempt: number;
}

export interface ClientSpan {
  /** Sent with the request. */
  readonly trace: TraceContext | undefined;
  /** `status`: undefined when no answer came. `fault`: the code of the fault, undefined for a success. */
  end(status: number | undefined, fault: string | undefined): void;
}

type HeaderSource = { readonly [name: string]: string } | (() => MaybePromise<{ readonly [name: string]: string }>);

export interface ClientRetry {
  /** Requests in all, the first included: 1 to 10. */
  readonly attempts: number;
  /** Default: exponential from 100 ms to 5 s. A `Retry-After` of the server comes before it. */
  readonly backoff?: Backoff;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /**
   * The call on whose behalf this one is made: a handler passes its own argument. It ends when that ends, has at most the time
   * that is left there, tells the server so (`request-timeout`), and belongs to the same trace.
   */
  readonly parent?: CallParent;
  /** Instead of the client's, or of the hour that a call with a streamed body has where the client says nothing. */
  readonly timeout?: Duration;
  readonly headers?: { readonly [name: string]: string };
}

/** What a subscription is told. */
export interface SubscribeOptions {
  /** Ends the subscription; its last Result is then `ABORTED`. Leaving the loop ends it as well. */
  readonly signal?: AbortSignal;
  readonly headers?: { readonly [name: string]: string };
  /** Goes on after this item: an earlier stream's `lastEventId`. For subscriptions with `resume: true`. */
  readonly lastEventId?: string;
  /** How long the answer may take to begin. Default: the client's `timeout`. */
  readonly timeout?: Duration;
  /** A stream without a sign of life for this long counts as broken. Default 45 s: three heartbeats of a server. */
  readonly idleTimeout?: Duration;
  /**
   * What to do when a stream breaks, is moved by its server or fails in a way that may pass: connect again, after the last item. Default:
   * 10 attempts in a row without an item where the subscription has `resume: true`, so that nothing is lost; else none, because what
   * happens meanwhile would be lost without a word.
   */
  readonly reconnect?: { readonly attempts: number; readonly backoff?: Backoff };
}
