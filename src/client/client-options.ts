/** What a client and a call are told. */
import type { BinaryFormat } from "../schema/index.ts";
import type { Backoff } from "../contract/index.ts";
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
  readonly clock?: Clock;
  /**
   * Of bodies and answers: `messagePack()` or `cbor()` of `tensile/formats`, where the server has it too. Default: JSON, which is
   * read in any case.
   */
  readonly format?: BinaryFormat;
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
  /** Instead of the client's. */
  readonly timeout?: Duration;
  readonly headers?: { readonly [name: string]: string };
}
