/** When a thread that died is replaced. One for all threads of a server: what kills one of them will often kill the next. */
import type { ThreadLimits } from "./options.ts";

export class Restarts {
  readonly #limits: ThreadLimits;
  readonly #deaths: number[] = [];
  readonly #delays = new Map<number, number>();
  /** In all. */
  total = 0;

  constructor(limits: ThreadLimits) {
    this.#limits = limits;
  }

  /** The thread `index`, which began at `began`, has died at `now`. Gives the milliseconds until it is replaced. */
  died(index: number, began: number, now: number): number {
    const { restartFirstMs, restartMaxMs, wellMs, deaths } = this.#limits;
    this.total++;
    this.#deaths.push(now);
    while (this.#deaths.length > deaths + 1) this.#deaths.shift();
    const before = this.#delays.get(index);
    const wasWell = before === undefined || now - began >= wellMs;
    const delay = wasWell ? restartFirstMs : Math.min(restartMaxMs, before * 2);
    this.#delays.set(index, delay);
    return delay;
  }

  /** Whether more have died lately than a server survives that has no thread left. */
  isLost(now: number): boolean {
    const since = now - this.#limits.wellMs;
    return this.#deaths.filter((at) => at > since).length > this.#limits.deaths;
  }
}
