/** How many jobs may be enqueued before it is counted again how many wait: a count is a question of its own, and exactness is not wanted. */
export class Headroom {
  readonly #most: number;
  readonly #unstarted: () => Promise<number>;
  #left = 0;

  constructor(most: number, unstarted: () => Promise<number>) {
    this.#most = most;
    this.#unstarted = unstarted;
  }

  /** @param enqueue Is given the bound where it must be held now, and null elsewhere. */
  async use<T>(jobs: number, enqueue: (most: number | null) => Promise<T>): Promise<T> {
    const count = this.#left < jobs;
    const done = await enqueue(count ? this.#most : null);
    // What is enqueued is enqueued, also where this cannot be counted now: then the next enqueue counts.
    if (count) await this.look().catch(() => (this.#left = 0));
    else this.#left -= jobs;
    return done;
  }

  async look(): Promise<void> {
    this.#left = Math.floor((this.#most - (await this.#unstarted())) / 4);
  }
}
