/**
 * The seam between whatever carries HTTP (the HTTP/1.1 engine, the fetch adapter, later HTTP/2) and the handler that knows
 * routes and codecs. A carrier turns its wire into an HttpRequest, calls the handler, and writes the HttpResponse. Neither
 * side sees the other's types, so one handler and one test suite serve every carrier.
 */
import type { Duplex } from "node:stream";
import type { Fault, MaybePromise, Result } from "../core/index.ts";
import type { HeaderBlock } from "./header-block.ts";
import type { TraceContext } from "./trace-context.ts";

export interface HttpRequest {
  /** As received, case-sensitive: `GET`. */
  readonly method: string;
  /** Origin-form target as received: path and query, starting with `/`; or `*` for `OPTIONS *`. Already free of control characters. */
  readonly target: string;
  /** The value of a header by lower-case name; repeated fields joined by `, ` (`cookie` by `; `). Undefined when absent. */
  header(name: string): string | undefined;
  /** Every field line in order: lower-case name, value, name, value, … Made on demand. */
  headerPairs(): readonly string[];
  /**
   * The whole body, at most `limit` bytes (over it: a `too_large` fault, before reading when Content-Length already says so).
   * Synchronous when every byte has arrived. Empty when there is no body. May be called once.
   */
  body(limit: number): MaybePromise<Result<Uint8Array, BodyFault>>;
  /**
   * The body piece by piece, at most `limit` bytes in all, as fast as it is taken: nothing is read before the first `next()`, and
   * about 128 KiB wait at most. A fault at once where it is known from the head (too large, asked before); what happens later is
   * thrown by `next()` as a `BodyError` with the fault in it. For one reader, who may stop early by `return()`. In place of
   * `body()`: either of the two, once. It ends with the answer: what has not come when that is written will not.
   */
  bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault>;
  /** Aborts when the client goes away before the response is written, or when the carrier is destroyed. Made on demand. */
  readonly signal: AbortSignal;
  /** The peer's IP address, or "" where the carrier cannot know it. */
  readonly remoteAddress: string;
  /**
   * Whether the answer may be 101 with `upgrade`: a GET over HTTP/1.1 without a body, with `Connection: upgrade` and an Upgrade
   * field (RFC 9110 section 7.8), on a carrier that has a socket to give away. Absent: no.
   */
  readonly canUpgrade?: boolean | undefined;
  /** Whether the client's connection to this process is encrypted; absent where the carrier cannot know it. */
  readonly secure?: boolean | undefined;
  /** `1.0`, `1.1`, `2`; absent where the carrier cannot know it. */
  readonly httpVersion?: string | undefined;
  /** False where the carrier has seen that there is no `request-timeout` header, so that looking for it is spared. */
  readonly hasTimeout?: boolean | undefined;
  /**
   * Set while somebody observes requests, absent otherwise: what runs inside writes down what those outside cannot see. Whoever
   * hands on a request of its own making hands this on too.
   */
  notes?: RequestNotes | undefined;
}

/** What the inside of the HTTP handler tells the observers of one request. */
export interface RequestNotes {
  /** The template of the route, or `(none)`. */
  readonly route: string;
  readonly operation: string | undefined;
  /** The id by which logs and the answer name the request. Middleware may give it another before anybody looks at it. */
  requestId: string | undefined;
  /** Whether anybody has looked at `requestId`. */
  readonly usedRequestId: boolean;
  /** W3C Trace Context of the server's own span, for what the handler calls. */
  trace: TraceContext | undefined;
  matched(route: string, operation: string | undefined): void;
  /** Refused before its body was read, to keep the server well. */
  shed(reason: string): void;
}

export type BodyFault =
  | Fault<"PAYLOAD_TOO_LARGE", { readonly limit: number }>
  | Fault<"BAD_BODY", { readonly reason: string }>
  | Fault<"BODY_TIMEOUT", Record<string, never>>
  | Fault<"CLIENT_GONE", Record<string, never>>;

export interface HttpResponse {
  /** 200 to 599; 101 only with `upgrade`. */
  readonly status: number;
  /** Everything but what the carrier owns: date, connection, content-length, transfer-encoding. */
  readonly headers: HeaderBlock;
  /** A string is sent as UTF-8. Null: no body. An iterable is streamed with back pressure and its `return()` called on abort. */
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | null;
  /**
   * Bytes that an iterable body will give, where they are known: sent as Content-Length instead of chunks. An iterable that
   * gives fewer or more breaks the connection. With a null body in an answer to HEAD: what GET would have had. No meaning for
   * other bodies. Whoever replaces the body of an answer replaces or drops this too.
   */
  readonly length?: number;
  /**
   * Fields that follow the body (RFC 9110 section 6.5), asked for when it has been sent. HTTP/2 sends them; other carriers drop
   * them, as any recipient may, so nothing that a client must know may be in them alone unless the protocol is bound to HTTP/2.
   */
  readonly trailers?: () => HeaderBlock;
  /** The code of the fault that this answers. For observers; never sent. */
  readonly fault?: string;
  /**
   * With status 101, in answer to a request whose `canUpgrade` is true: takes over the socket. The carrier writes nothing, neither
   * status line nor fields; whoever takes over does, as libraries such as `ws` expect. `head`: bytes that came after the request.
   * The socket stays counted in the carrier's limits until it closes, and no time limit of HTTP's applies to it any more. A
   * throw is a defect, and destroys the socket.
   *
   * @example
   * const upgrade: HttpResponse["upgrade"] = (socket, head, { headers, draining }) => {
   *   socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n${headers.wire}\r\n`);
   *   socket.write(head);
   *   socket.pipe(socket);
   *   draining.addEventListener("abort", () => socket.end());
   * };
   */
  readonly upgrade?: (socket: Duplex, head: Uint8Array, upgraded: Upgraded) => void;
}

/** What whoever takes over a socket should know. */
export interface Upgraded {
  /** Those of the answer, with all that middleware has added: they belong into the 101 answer. */
  readonly headers: HeaderBlock;
  /** Aborts when the server drains: say goodbye in the protocol's own words. At the drain's deadline the socket is destroyed. */
  readonly draining: AbortSignal;
}

/** What a carrier calls for every request. Never throws and never rejects: every failure is already a response. */
export type HttpHandler = (request: HttpRequest) => MaybePromise<HttpResponse>;
