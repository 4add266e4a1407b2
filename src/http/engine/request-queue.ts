/** The requests of one connection whose answers are not complete, oldest first, and the rule for which may run side by side. */
import { abandon } from "./answer-writer.ts";
import type { EngineCounters } from "./connection-host.ts";
import { isSafe } from "./methods.ts";
import type { EngineRequest } from "./request.ts";

export class RequestQueue {
  /** A request whose head is read, and which must wait until the queue is empty. */
  held: EngineRequest | null = null;
  readonly #counters: EngineCounters;
  readonly #depth: number;
  readonly #requests: EngineRequest[] = [];
  /** Whether one of them is not safe, or may be answered with another protocol: then nothing may run beside it. */
  #exclusive = false;

  constructor(counters: EngineCounters, depth: number) {
    this.#counters = counters;
    this.#depth = depth;
  }

  get size(): number {
    return this.#requests.length;
  }

  get oldest(): EngineRequest | undefined {
    return this.#requests[0];
  }

  /** Whether another head may be read. */
  get hasRoom(): boolean {
    if (this.held !== null) return false;
    return this.#requests.length === 0 || (!this.#exclusive && this.#requests.length < this.#depth);
  }

  /** Whether this request may run beside those that do (RFC 9112 section 9.3.2). */
  mayRun(request: EngineRequest): boolean {
    return this.#requests.length === 0 || isShareable(request);
  }

  push(request: EngineRequest): void {
    this.#requests.push(request);
    this.#counters.inFlight++;
    if (!isShareable(request)) this.#exclusive = true;
  }

  /** The oldest is complete. */
  shift(): void {
    if (this.#requests.shift() === undefined) return;
    this.#counters.inFlight--;
    if (this.#requests.length === 0) this.#exclusive = false;
  }

  /** The client has probably gone away. */
  abort(): void {
    for (const request of this.#requests) request.abort();
  }

  /** Lets go of all; those from the `answered`th on learn that nobody waits for them. */
  clear(answered: number): void {
    this.#counters.inFlight -= this.#requests.length;
    this.held = null;
    for (const request of this.#requests.splice(0).slice(answered)) {
      request.abort();
      // An answer that was ready before its turn came may hold a file open.
      if (request.response !== null && !request.writing) abandon(request.response);
    }
  }
}

function isShareable(request: EngineRequest): boolean {
  return isSafe(request.method) && !request.offersUpgrade;
}
