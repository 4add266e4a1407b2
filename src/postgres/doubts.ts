/** Settlements whose commit is in doubt, because their answer was lost: offered again, they are settled where they were. */
import type { Settlement } from "../jobs/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export class Doubts {
  /** By job and fence. */
  readonly #keys = new Set<string>();

  /** Which of these are in doubt, by place; fewer, or none: those are not. */
  of(settlements: readonly Settlement[]): readonly boolean[] {
    return this.#keys.size === 0 ? none : settlements.map((settlement) => this.#keys.has(keyOf(settlement)));
  }

  add(settlements: readonly Settlement[]): void {
    if (this.#keys.size < limits.doubted) for (const settlement of settlements) this.#keys.add(keyOf(settlement));
  }

  /** These were answered. */
  end(settlements: readonly Settlement[]): void {
    if (this.#keys.size > 0) for (const settlement of settlements) this.#keys.delete(keyOf(settlement));
  }
}

const none: readonly boolean[] = [];

function keyOf({ job: { id, fence } }: Settlement): string {
  return `${id} ${fence.epoch} ${fence.claim}`;
}
