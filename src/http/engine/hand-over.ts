/**
 * The end of HTTP on a connection whose answer is another protocol (RFC 9110 section 7.8). The socket goes to whoever answered; what
 * stays is one entry among the engine's connections, so that it is counted, told of a drain, and destroyed at its deadline.
 */
import type { Socket } from "node:net";
import type { HttpResponse, Upgraded } from "../../exchange/index.ts";
import type { Carried, ConnectionHost, Wire } from "./connection-host.ts";
import { reportDefect } from "./handler-call.ts";
import type { EngineRequest } from "./request.ts";

/** `head`: what came after the request, in a buffer of its own. */
export function handOver(
  host: ConnectionHost,
  from: Carried,
  wire: Wire,
  request: EngineRequest,
  response: HttpResponse,
  head: Buffer,
): void {
  const socket = wire.release();
  if (socket === null) return wire.destroy();
  const successor = new UpgradedConnection(host, socket, request);
  host.replace(from, successor);
  socket.on("close", () => successor.closed());
  try {
    const upgraded: Upgraded = { headers: response.headers, draining: successor.draining };
    response.upgrade?.(socket, head, upgraded);
    // Only now is somebody there to hear of it.
    if (host.isStopping) successor.drain();
  } catch (error) {
    reportDefect(host, "upgrade_failed", error, request);
    socket.destroy();
  }
}

class UpgradedConnection implements Carried {
  /** Its time is the business of whoever took it over. */
  readonly readDeadline = Infinity;
  readonly writeDeadline = Infinity;
  readonly isUnfinished = true;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #request: EngineRequest;
  readonly #draining = new AbortController();

  constructor(host: ConnectionHost, socket: Socket, request: EngineRequest) {
    this.#host = host;
    this.#socket = socket;
    this.#request = request;
  }

  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  expire(): void {}

  drain(): void {
    this.#draining.abort(new Error("The server is shutting down."));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  closed(): void {
    this.#request.abort();
    this.#host.forget(this);
  }
}
