/**
 * What clients make this process hold: answers that they do not read, bodies that they do not finish. Each connection's part is
 * bounded by its own limits; this bounds the sum, because thousands of slow clients can be patient together.
 */
import type { Carried, ConnectionHost } from "./connection-host.ts";

export class HeldBytes<C extends { destroy(): void }> {
  /** Connections that were destroyed for it, in all. */
  dropped = 0;
  /** Bytes held now. */
  sum = 0;
  readonly #limit: number;
  /** Whoever makes progress goes to the end: the first has made none for the longest. */
  readonly #held = new Map<C, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `bytes` is all that this connection holds now; 0 when it is gone. */
  set(connection: C, bytes: number): void {
    const before = this.#held.get(connection);
    if (before !== undefined) {
      this.#held.delete(connection);
      this.sum -= before;
    }
    if (bytes === 0) return;
    this.#held.set(connection, bytes);
    this.sum += bytes;
    if (this.sum > this.#limit) this.#shrink();
  }

  /** Never the last one: a client alone has the limits of its body and of its answer. */
  #shrink(): void {
    for (const connection of this.#held.keys()) {
      if (this.sum <= this.#limit || this.#held.size < 2) return;
      this.dropped++;
      this.set(connection, 0);
      connection.destroy();
    }
  }
}

/** One connection's part. */
export class HeldPart {
  readonly #host: ConnectionHost;
  readonly #connection: Carried;
  #unread = 0;
  #collected = 0;

  constructor(host: ConnectionHost, connection: Carried) {
    this.#host = host;
    this.#connection = connection;
  }

  /** Bytes of answers that the client has not read; said again whenever it has read some. */
  unread(bytes: number): void {
    if (bytes === 0 && this.#unread === 0) return;
    this.#unread = bytes;
    this.#host.holds(this.#connection, bytes + this.#collected);
  }

  /** Bytes of a body that the client has not finished. */
  collected(bytes: number): void {
    if (bytes === 0 && this.#collected === 0) return;
    this.#collected = bytes;
    this.#host.holds(this.#connection, this.#unread + bytes);
  }
}
