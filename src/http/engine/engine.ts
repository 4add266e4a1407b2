/** The HTTP/1.1 engine: a listener, its connections, and their common end. */
import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { err, ok, systemClock, type Clock, type Result } from "../../core/index.ts";
import type { HttpHandler } from "../../exchange/index.ts";
import { AcceptBurst } from "./accept-burst.ts";
import { busyText } from "./answer-text.ts";
import { ClientLimit } from "./client-limit.ts";
import type { Carried, ConnectionHost, EngineCounters, EngineDefect } from "./connection-host.ts";
import { Connection } from "./connection.ts";
import { DateLine } from "./date-line.ts";
import { Deadlines } from "./deadlines.ts";
import { createHttp2, resolveHttp2Limits, type Http2Limits } from "./h2/index.ts";
import { HeldBytes } from "./held-bytes.ts";
import { resolveLimits, type EngineLimits } from "./limits.ts";
import {
  addressOf,
  bind,
  checkWhere,
  listenFault,
  type EngineAddress,
  type ListenFault,
  type ListenOptions,
} from "./listening.ts";
import { detectReadMode } from "./read-mode.ts";
import { attach, serverOptions, type ReadMode } from "./socket-wire.ts";
import { TlsFront, type EngineTls, type TlsFault, type TlsIdentity } from "./tls.ts";
import { clearPath } from "./unix-path.ts";

export interface EngineOptions {
  readonly handler: HttpHandler;
  /** In place of the defaults in `engineLimits`. */
  readonly limits?: Partial<EngineLimits>;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Hears of handlers that threw, rejected or answered nonsense. Default: `process.emitWarning`. */
  readonly onDefect?: (defect: EngineDefect) => void;
  /**
   * Peers that stand for many clients, so that `connectionsPerClient` does not hold for them: ranges such as `10.0.0.0/8`,
   * `loopback`, `private`. Default the last two: what comes from the open network is counted.
   */
  readonly trustedProxies?: readonly string[];
  /** Default `auto`: `static` where a trial at the first `listen` shows that it works. */
  readonly readMode?: ReadMode | "auto";
  /**
   * HTTP/2 on the same port, for clients that begin with its preface. Default true; limits in place of those in `http2Limits`, or
   * false: such a client is refused.
   */
  readonly http2?: boolean | Partial<Http2Limits>;
  /** Speaks TLS, and nothing else; HTTP/2 is then agreed on by ALPN. Default: none. */
  readonly tls?: EngineTls;
}

/** How a drain ended. `cut`: connections destroyed at the deadline before their answers were sent. */
export type DrainOutcome = { readonly outcome: "drained" } | { readonly outcome: "timed_out"; readonly cut: number };

export interface EngineStats extends Readonly<EngineCounters> {
  /** Open now. */
  readonly connections: number;
  /** Turned away because there were too many, in all. */
  readonly connectionsRefused: number;
  /** Destroyed because clients together held more than `bufferedBytes`, in all. */
  readonly connectionsDropped: number;
  /** Bytes of unread answers and unfinished bodies now. */
  readonly bufferedBytes: number;
}

export interface Engine {
  /** Opens the port. A second `listen`, or one after `drain` or `close`, is a mistake in the program and throws a TypeError. */
  listen(options: ListenOptions): Promise<Result<EngineAddress, ListenFault>>;
  /** Where it listens; null before and after. */
  address(): EngineAddress | null;
  /**
   * Stops accepting, lets requests in flight finish (their answers say `connection: close`), closes connections that stay idle
   * for `drainIdleMs`, and at the deadline destroys what is left. Safe to call twice and before `listen`.
   */
  drain(deadlineMs: number): Promise<DrainOutcome>;
  /** Destroys everything now; resolves when the port is free. Safe to call twice and before `listen`. */
  close(): Promise<void>;
  stats(): EngineStats;
  /**
   * Takes another certificate for connections that begin from now on; those that are open keep theirs. A bad one is a fault and
   * changes nothing. Throws a TypeError for an engine without `tls`.
   */
  renewTls(identity: TlsIdentity): Result<null, TlsFault>;
  readonly limits: EngineLimits;
  /** Null: HTTP/2 is not spoken. */
  readonly http2Limits: Http2Limits | null;
  /** How it reads; null before `listen`. */
  readonly readMode: ReadMode | null;
}

/**
 * Makes an HTTP/1.1 server for a handler. Opens nothing until `listen`.
 *
 * @throws TypeError for a limit out of range, or a handler that is not a function.
 * @example
 * const engine = createEngine({ handler: () => ({ status: 200, headers: HeaderBlock.empty, body: "hello\n" }) });
 * const listening = await engine.listen({ port: 3000 });
 * if (!listening.ok) console.error(listening.fault.message);
 */
export function createEngine(options: EngineOptions): Engine {
  if (typeof options.handler !== "function")
    throw new TypeError("createEngine needs a `handler` function: (request) => response.");
  return new NetEngine(options, resolveLimits(options.limits));
}

class NetEngine implements Engine, ConnectionHost {
  readonly limits: EngineLimits;
  readonly handler: HttpHandler;
  readonly counters: EngineCounters = { requests: 0, inFlight: 0, refused: 0, timedOut: 0 };
  readonly date: DateLine;
  readonly http2: ConnectionHost["http2"];
  readonly http2Limits: Http2Limits | null;
  readonly #clock: Clock;
  readonly #wantedMode: ReadMode | "auto";
  readonly #onDefect: (defect: EngineDefect) => void;
  readonly #connections = new Set<Carried>();
  readonly #deadlines: Deadlines<Carried>;
  readonly #clients: ClientLimit;
  /** Connections that a client is counted for, and which one. */
  readonly #clientOf = new Map<object, string>();
  readonly #burst: AcceptBurst<Socket>;
  readonly #held: HeldBytes<Carried>;
  readonly #tls: TlsFront | null;
  #mode: ReadMode | null = null;
  #server: Server | null = null;
  #listenCalled = false;
  isStopping = false;
  #refusedConnections = 0;
  #accepted = 0;
  #acceptWarned = false;
  #whenEmpty: (() => void)[] = [];

  constructor(options: EngineOptions, limits: EngineLimits) {
    this.limits = limits;
    this.handler = options.handler;
    this.#clock = options.clock ?? systemClock;
    this.date = new DateLine(this.#clock);
    this.#wantedMode = options.readMode ?? "auto";
    this.#onDefect = options.onDefect ?? warn;
    const { http2 = true } = options;
    this.http2Limits = http2 === false ? null : resolveHttp2Limits(http2 === true ? {} : http2);
    this.http2 = this.http2Limits === null ? null : createHttp2(this, this.http2Limits);
    this.#deadlines = new Deadlines(this.#clock, this.#connections);
    this.#clients = new ClientLimit(limits.connectionsPerClient, options.trustedProxies ?? ["loopback", "private"]);
    this.#tls =
      options.tls === undefined
        ? null
        : new TlsFront(this, options.tls, (handshake, socket) => this.#secured(handshake, socket));
    this.#held = new HeldBytes(limits.bufferedBytes);
    this.#burst = new AcceptBurst(this.#clock, (socket) => this.#accept(socket));
  }

  get readMode(): ReadMode | null {
    return this.#mode;
  }

  async listen(where: ListenOptions): Promise<Result<EngineAddress, ListenFault>> {
    if (this.#listenCalled || this.isStopping)
      throw new TypeError("An engine listens once. Create another engine to listen again.");
    checkWhere(where, this.#tls !== null);
    this.#listenCalled = true;
    this.#mode = this.#wantedMode === "auto" ? await detectReadMode(systemClock) : this.#wantedMode;
    const taken = where.path === undefined ? null : await clearPath(where.path);
    if (taken !== null) return err(listenFault(taken, where));
    // `close` may have been called while the trial ran.
    if (this.isStopping) return err(listenFault("ECANCELED", where));
    const server = createServer(serverOptions(), (socket) => {
      this.#accepted++;
      this.#burst.add(socket);
    });
    this.#server = server;
    return new Promise((resolve) => {
      server.on("error", (error: NodeJS.ErrnoException) => {
        if (server.listening) this.#acceptFailed(error);
        else resolve(err(listenFault(error.code ?? error.message, where)));
      });
      server.on("close", () => resolve(err(listenFault("ECANCELED", where))));
      server.on("listening", () => {
        if (this.isStopping) server.close();
        else resolve(ok(this.address() ?? addressOf(where)));
      });
      bind(server, where, this.limits.acceptBacklog);
    });
  }

  address(): EngineAddress | null {
    const address = this.#server?.address();
    if (typeof address === "string") return { host: "", port: 0, path: address };
    return address ? { host: address.address, port: address.port } : null;
  }

  async drain(deadlineMs: number): Promise<DrainOutcome> {
    this.isStopping = true;
    for (const connection of this.#connections) connection.drain();
    await this.#takeQueued();
    this.#burst.release();
    void this.#stopListening();
    if (this.#connections.size === 0) return { outcome: "drained" };
    let cut = 0;
    const timer = this.#clock.setTimer(
      deadlineMs,
      () => {
        // A connection that merely waits for its client to close has lost nothing.
        for (const connection of this.#connections) if (connection.isUnfinished) cut++;
        this.#destroyAll();
      },
      true,
    );
    await this.#empty();
    timer.cancel();
    return cut > 0 ? { outcome: "timed_out", cut } : { outcome: "drained" };
  }

  async close(): Promise<void> {
    const closed = this.#stopListening();
    this.#burst.release();
    this.#destroyAll();
    await closed;
  }

  stats(): EngineStats {
    return {
      ...this.counters,
      connections: this.#connections.size,
      connectionsRefused: this.#refusedConnections,
      connectionsDropped: this.#held.dropped,
      bufferedBytes: this.#held.sum,
    };
  }

  renewTls(identity: TlsIdentity): Result<null, TlsFault> {
    if (this.#tls === null) throw new TypeError("This engine speaks no TLS: there is no certificate to renew.");
    return this.#tls.renew(identity);
  }

  // ---- ConnectionHost

  monotonic(): number {
    return this.#clock.monotonic();
  }

  wakeAt(time: number): void {
    this.#deadlines.wakeAt(time);
  }

  replace(connection: Carried, successor: Carried): void {
    this.#connections.add(successor);
    this.#connections.delete(connection);
    this.#held.set(connection, 0);
    const client = this.#clientOf.get(connection);
    this.#clientOf.delete(connection);
    if (client !== undefined) this.#clientOf.set(successor, client);
  }

  holds(connection: Carried, bytes: number): void {
    this.#held.set(connection, bytes);
  }

  forget(connection: Carried): void {
    this.#connections.delete(connection);
    this.#held.set(connection, 0);
    const client = this.#clientOf.get(connection);
    if (client !== undefined) {
      this.#clientOf.delete(connection);
      this.#clients.leave(client);
    }
    if (this.#connections.size > 0) return;
    this.#deadlines.stop();
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  defect(defect: EngineDefect): void {
    try {
      this.#onDefect(defect);
    } catch (error) {
      // A reporter that fails must not take the connection, or the process, with it.
      warn(defect);
      process.emitWarning(`onDefect threw: ${String(error)}`, { code: "TENSILE_HTTP_DEFECT" });
    }
  }

  // ---- inside

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.limits.connections) return this.#turnAway(socket);
    const client = this.#clients.enter(socket.remoteAddress ?? "");
    if (client === undefined) return this.#turnAway(socket);
    const carried = this.#tls === null ? this.#begin(socket, this.#mode ?? "events") : this.#tls.begin(socket);
    if (carried !== null) {
      this.#connections.add(carried);
      if (client !== null) this.#clientOf.set(carried, client);
      if (this.isStopping) carried.drain();
      return;
    }
    if (client !== null) this.#clients.leave(client);
    if (this.#tls === null) return;
    // No answer can be sent to somebody who has no keys yet.
    this.#refusedConnections++;
    socket.destroy();
  }

  /** Null: it was closed before anybody could read from it. */
  #begin(socket: Socket, mode: ReadMode): Connection | null {
    let made: Connection | null = null;
    attach(socket, mode, (wire) => (made = new Connection(this, wire)));
    return made;
  }

  /** A TLS handshake is done. */
  #secured(handshake: Carried, socket: TLSSocket): void {
    const http2 = socket.alpnProtocol === "h2" ? this.http2 : null;
    const carried = http2 === null ? this.#begin(socket, "events") : http2(socket, Buffer.alloc(0));
    if (carried === null) return this.forget(handshake);
    this.replace(handshake, carried);
    if (this.isStopping) carried.drain();
  }

  /** Says why, if the system's buffer takes it at once, and closes. */
  #turnAway(socket: Socket): void {
    this.#refusedConnections++;
    socket.on("error", () => undefined);
    socket.end(busyText(this.date.text()), "latin1", () => socket.destroy());
  }

  /** The system had no connection to give (EMFILE, ENFILE, ENOMEM): that client is lost, the server goes on. Said once. */
  #acceptFailed(error: NodeJS.ErrnoException): void {
    if (!this.#acceptWarned) {
      const reason = error.code ?? error.message;
      process.emitWarning(
        `Connections cannot be accepted: ${reason}. Raise the limit of open files, or lower "connections".`,
        {
          code: "TENSILE_HTTP_ACCEPT",
        },
      );
    }
    this.#acceptWarned = true;
    this.#refusedConnections++;
  }

  /** Lets in who is connected as far as the system is concerned: closing the port would reset them, requests and all. */
  async #takeQueued(): Promise<void> {
    if (this.#server?.listening !== true) return;
    // Node accepts one connection in a turn of the loop. Whoever comes after those that fit into the queue comes too late.
    const enough = this.#accepted + this.limits.acceptBacklog;
    for (let before = -1; before < this.#accepted && this.#accepted < enough;) {
      before = this.#accepted;
      // The first may fall into a turn whose look at the network is over.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #stopListening(): Promise<void> {
    this.isStopping = true;
    const server = this.#server;
    if (server === null) return Promise.resolve();
    return new Promise((resolve) => server.close(() => resolve()));
  }

  #destroyAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #empty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}

function warn({ kind, error, method, target }: EngineDefect): void {
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`The HTTP handler broke its contract (${kind}) on ${method} ${target}: ${cause}`, {
    code: "TENSILE_HTTP_DEFECT",
  });
}
