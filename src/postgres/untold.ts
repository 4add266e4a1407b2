/**
 * Successes that are committed, and of which nobody was told: another part of their batch was refused (a full disk), so that all of it is offered again. By then the store
 * has let go of them, and would take them for stale.
 */
import type { Fence, Settlement } from "../jobs/index.ts";
import { isSame } from "./blocks/index.ts";

export class Untold {
  /** By the number of the job: the claim under which it was settled. */
  readonly #claims = new Map<number, Fence>();

  /** @param but Those of them that were not settled. */
  add(settlements: readonly Settlement[], but: readonly Settlement[]): void {
    for (const { job } of settlements) this.#claims.set(Number(job.id), job.fence);
    for (const { job } of but) this.#claims.delete(Number(job.id));
  }

  /** Whether this is one of them; it is told now. */
  take({ job: { id, fence } }: Settlement): boolean {
    if (this.#claims.size === 0) return false;
    const settled = this.#claims.get(Number(id));
    return settled !== undefined && isSame(settled, fence) && this.#claims.delete(Number(id));
  }

  /** The lease is over: nothing is offered again. */
  clear(): void {
    this.#claims.clear();
  }
}
