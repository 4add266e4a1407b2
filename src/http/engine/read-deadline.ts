/** When the client of one connection must have sent the next bytes: one number that the engine's sweep looks at. */
import type { ConnectionHost } from "./connection-host.ts";

export class ReadDeadline {
  /** Monotonic ms; Infinity: it is not the client's turn. */
  at: number;
  readonly #host: ConnectionHost;
  /** No request has been read yet: then the head's time has run since the connection was made. */
  isFirst = true;
  #head = 0;

  constructor(host: ConnectionHost) {
    this.#host = host;
    this.at = this.#head = host.monotonic() + host.limits.headTimeoutMs;
    host.wakeAt(this.at);
  }

  /** A head is complete. */
  headRead(): void {
    this.isFirst = false;
    this.#head = 0;
  }

  /**
   * A head has begun: its time does not start anew with every byte. Where it may not be read now (`readable` false), the wait is not the
   * client's fault, and its time begins when it may.
   */
  awaitHead(readable: boolean): void {
    if (!readable) {
      this.#head = 0;
      this.at = Infinity;
      return;
    }
    if (this.#head === 0) this.#head = this.#host.monotonic() + this.#host.limits.headTimeoutMs;
    this.#set(this.#head);
  }

  /**
   * The next request may come, or not. In a drain its time has been set, unless an answer was still going out then, whose head had
   * promised an open connection.
   */
  awaitRequest(draining: boolean): void {
    if (draining) {
      if (this.at === Infinity) this.within(this.#host.limits.drainIdleMs);
    } else if (!this.isFirst) this.within(this.#host.limits.keepAliveMs);
  }

  /** More of a body must come, and all of it until `end`. */
  awaitBody(end: number): void {
    this.#set(Math.min(this.#host.monotonic() + this.#host.limits.bodyIdleTimeoutMs, end));
  }

  /** Something must happen in the next `ms`. */
  within(ms: number): void {
    this.#set(this.#host.monotonic() + ms);
  }

  none(): void {
    this.at = Infinity;
  }

  #set(time: number): void {
    this.at = time;
    this.#host.wakeAt(time);
  }
}
