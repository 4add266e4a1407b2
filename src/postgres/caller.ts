/** Calls to the other processes, few of them: the first at once, those that follow too soon as one, later. One that is lost is made good by their regular look. */
import { systemClock, type Timer } from "../core/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export class Caller {
  readonly #call: () => void;
  #calledAt = -Infinity;
  #later: Timer | undefined;

  constructor(call: () => void) {
    this.#call = call;
  }

  call(): void {
    if (this.#later !== undefined) return;
    const wait = this.#calledAt + limits.notifyMs - systemClock.monotonic();
    if (wait <= 0) return this.#now();
    this.#later = systemClock.setTimer(
      wait,
      () => {
        this.#later = undefined;
        this.#now();
      },
      true,
    );
  }

  close(): void {
    this.#later?.cancel();
  }

  #now(): void {
    this.#calledAt = systemClock.monotonic();
    this.#call();
  }
}
