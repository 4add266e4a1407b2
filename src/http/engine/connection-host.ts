/** What a connection needs from the engine around it, and from the transport below it: narrow, so that tests can stand in for a socket. */
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
  /** "" when unknown. */
  remoteAddress(): string;
}

/** A breach of the handler's contract (it must neither throw nor reject). The client sees a bare 500, or a cut stream. */
export interface EngineDefect {
  readonly kind: "handler_threw" | "handler_rejected" | "bad_response" | "stream_failed";
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
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** Asks for `expire` to be called at this time or soon after. */
  wakeAt(time: number): void;
  /** The connection is gone. */
  forget(connection: object): void;
  defect(defect: EngineDefect): void;
}
