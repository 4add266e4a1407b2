/**
 * Finds a connection silent: statements are under way, and none was answered for so long. One timer for all of them: with one of the driver's for each, V8's collections
 * of short-lived objects take each statement, and all that waits for its answer, for what is still in use.
 */
import { systemClock, type Timer } from "../core/index.ts";

export class Silence {
  readonly #ms: number;
  readonly #onSilent: () => void;
  #open = 0;
  #heardAt = 0;
  #timer: Timer | undefined;

  /** @param ms Milliseconds without an answer. */
  constructor(ms: number, onSilent: () => void) {
    this.#ms = ms;
    this.#onSilent = onSilent;
  }

  sent(): void {
    if (this.#open++ === 0) this.#heardAt = systemClock.monotonic();
    this.#timer ??= this.#in(this.#ms);
  }

  /** One was answered, or has failed. */
  heard(): void {
    this.#open--;
    this.#heardAt = systemClock.monotonic();
  }

  /** The connection is closed. */
  end(): void {
    this.#timer?.cancel();
  }

  #in(ms: number): Timer {
    return systemClock.setTimer(ms, () => this.#look(), true);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#open === 0) return;
    const left = this.#heardAt + this.#ms - systemClock.monotonic();
    if (left > 0) this.#timer = this.#in(left);
    else this.#onSilent();
  }
}
