/** Settlements whose commit is in doubt, because their answer was lost: offered again, they are settled where they were. */
import type { Settlement } from "../jobs/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export class Doubts {
  /** By job and fence. */
  readonly #keys = new Set<string>();

  /** Which of these are in doubt. */
  of(settlements: readonly Settlement[]): readonly boolean[] {
    return settlements.map((settlement) => this.#keys.size > 0 && this.#keys.has(keyOf(settlement)));
  }

  add(settlements: readonly Settlement[]): void {
    if (this.#keys.size < limits.doubted) for (const settlement of settlements) this.#keys.add(keyOf(settlement));
  }

  /** These were answered. */
  end(settlements: readonly Settlement[]): void {
    if (this.#keys.size > 0) for (const settlement of settlements) this.#keys.delete(keyOf(settlement));
  }
}

function keyOf({ job: { id, fence } }: Settlement): string {
  return `${id} ${fence.epoch} ${fence.claim}`;
}
