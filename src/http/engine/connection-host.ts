/** What a connection needs from the engine around it, and from the transport below it: narrow, so that tests can stand in for a socket. */
import type { Socket } from "node:net";
import type { HttpHandler } from "../../exchange/index.ts";
import type { DateLine } from "./date-line.ts";
import type { EngineLimits } from "./limits.ts";

/** The transport. Its owner calls the connection's `receive`, `drained`, `finished`, `ended` and `closed`. */
export interface Wire {
  /** Latin-1 text or bytes. False: more is waiting than should; the connection's `drained` will be called. */
  write(data: string | Uint8Array): boolean;
  /** The same for parts that belong together, in one write where the transport can. */
  writeAll(parts: readonly (string | Uint8Array)[]): boolean;
  /** Sends what waits, then the end of stream; the connection's `finished` follows. */
  end(): void;
  /** Drops everything at once. `closed` follows. */
  destroy(): void;
  pause(): void;
  resume(): void;
  /** Bytes that were written and that the system has not taken. */
  queuedBytes(): number;
  /** "" when unknown. */
  remoteAddress(): string;
  /** Whether nobody on the way can read along: TLS. */
  readonly isSecure: boolean;
  /**
   * Gives the transport away, paused: it is no longer read for the connection, whose `closed` alone is still called.
   * Null: there is none to give.
   */
  release(): Socket | null;
}

/** What the engine counts, times, drains and destroys: an HTTP/1.1 connection, or what it has become. */
export interface Carried {
  /** When the client must have sent something, in monotonic ms; Infinity: it is not its turn. */
  readonly readDeadline: number;
  /** When the client must have read something, in monotonic ms. */
  readonly writeDeadline: number;
  expire(now: number): void;
  /** End soon, and well. */
  drain(): void;
  /** At once, whatever is under way. */
  destroy(): void;
  /** The transport is gone. */
  closed(): void;
  /** Whether the client has not been given all that it will get. */
  readonly isUnfinished: boolean;
}

/** A breach of the handler's contract (it must neither throw nor reject). The client sees a bare 500, or a cut stream. */
export interface EngineDefect {
  readonly kind: "handler_threw" | "handler_rejected" | "bad_response" | "stream_failed" | "upgrade_failed";
  readonly error: unknown;
  readonly method: string;
  readonly target: string;
}

/** Running totals; plain numbers, so that counting costs nothing. */
export interface EngineCounters {
  /** Requests whose head was accepted. */
  requests: number;
  /** Requests that the handler has not answered completely. */
  inFlight: number;
  /** Requests that the engine refused. */
  refused: number;
  /** Connections closed for a timeout: head, body, or unread answers. */
  timedOut: number;
}

export interface ConnectionHost {
  readonly limits: EngineLimits;
  readonly handler: HttpHandler;
  readonly counters: EngineCounters;
  readonly date: DateLine;
  /** Whether the end has begun. */
  readonly isStopping: boolean;
  /** Carries on as HTTP/2; `head` is what has been read. Null: it is not spoken here. */
  readonly http2: ((socket: Socket, head: Buffer) => Carried) | null;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** Asks for `expire` to be called at this time or soon after. */
  wakeAt(time: number): void;
  /** The connection is gone. */
  forget(connection: Carried): void;
  /** What the connection holds that its client has not read or not finished, in bytes; too much in all ends whoever is slowest. */
  holds(connection: Carried, bytes: number): void;
  /** Another protocol goes on where `connection` was. */
  replace(connection: Carried, successor: Carried): void;
  defect(defect: EngineDefect): void;
}
