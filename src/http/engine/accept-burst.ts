/**
 * Node accepts one connection in each turn of the event loop. Where each accepted connection is read at once, a turn is as long
 * as the request that it brought, so under overload the system's queue of connections fills, and everybody who is taken out of it
 * has given up already. So connections that come turn after turn are first all taken in, in turns that do nothing else, and then
 * read together: what waits is then in the loop, where admission sees it.
 *
 *   alone: read at once            turn after turn: held ──▶ a turn without another, 10 ms, or 256 held ──▶ all are read
 */
import type { Clock } from "../../core/index.ts";

/** Milliseconds for which a connection is held at most, unless a turn is longer than that. */
const longestHoldMs = 10;
const mostHeld = 256;

export class AcceptBurst<S> {
  readonly #clock: Clock;
  readonly #start: (socket: S) => void;
  #held: S[] = [];
  #heldSince = 0;
  #looking = false;
  #came = false;

  constructor(clock: Clock, start: (socket: S) => void) {
    this.#clock = clock;
    this.#start = start;
  }

  /** A connection was accepted. */
  add(socket: S): void {
    this.#came = true;
    if (!this.#looking) {
      this.#looking = true;
      setImmediate(this.#turned);
      this.#start(socket);
      return;
    }
    if (this.#held.length === 0) this.#heldSince = this.#clock.monotonic();
    this.#held.push(socket);
  }

  /** Lets in whoever is held. */
  release(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const socket of held) this.#start(socket);
  }

  readonly #turned = (): void => {
    const goesOn = this.#came;
    this.#came = false;
    const { length } = this.#held;
    const isLate = length > 0 && this.#clock.monotonic() - this.#heldSince >= longestHoldMs;
    if (!goesOn || isLate || length >= mostHeld) this.release();
    this.#looking = goesOn;
    // Keeps the loop from sleeping for one more turn: whether another waits is only seen by looking.
    if (goesOn) setImmediate(this.#turned);
  };
}
