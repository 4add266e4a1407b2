/**
 * The end of HTTP/1.1 on a connection: its answer is another protocol (RFC 9110 section 7.8), or its first bytes are HTTP/2's. The
 * socket goes to whoever carries on; what stays is one entry among the engine's connections, so that it is counted, told of a
 * drain, and destroyed at its deadline.
 */
import type { Socket } from "node:net";
import type { HttpResponse, Upgraded } from "../../exchange/index.ts";
import { asciiBytes, holdsExactly } from "./byte-classes.ts";
import type { Carried, ConnectionHost, Wire } from "./connection-host.ts";
import { reportDefect } from "./handler-call.ts";
import type { InputWindow } from "./input-window.ts";
import type { EngineRequest } from "./request.ts";

/** Takes over a socket, with what was read and not used. */
export type Taker = (host: ConnectionHost, socket: Socket, head: Buffer, replace: (successor: Carried) => void) => void;

/** `head`: in a buffer of its own. */
export function handOver(host: ConnectionHost, from: Carried, wire: Wire, head: Buffer, taker: Taker): void {
  const socket = wire.release();
  if (socket === null) return wire.destroy();
  taker(host, socket, head, (successor) => host.replace(from, successor));
}

/** RFC 9113 section 3.4. As a request line it has a method that HTTP/1.1 refuses, so nobody else pays for the look. */
const preface = asciiBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Whether what has come is the start of HTTP/2, by prior knowledge: with TLS it is agreed on by ALPN, and not here. */
export function isHttp2(host: ConnectionHost, wire: Wire, { bytes, start, end }: InputWindow): boolean {
  if (host.http2 === null || wire.isSecure) return false;
  const length = Math.min(end - start, preface.length);
  return holdsExactly(bytes, start, preface.subarray(0, length));
}

export const toHttp2: Taker = (host, socket, head, replace) => {
  // `isHttp2` has seen that there is one.
  const carried = host.http2?.(socket, head);
  if (carried === undefined) return;
  replace(carried);
  if (host.isStopping) carried.drain();
};

/** An answer with `upgrade`. */
export function toUpgrade(request: EngineRequest, response: HttpResponse): Taker {
  return (host, socket, head, replace) => {
    const successor = new UpgradedConnection(host, socket, request);
    replace(successor);
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
  };
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
