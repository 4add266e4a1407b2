/** Counts by name the attempts that their process did not survive. */
import type { CrashedJobs } from "./store.ts";

export class CrashTally {
  readonly #byName = new Map<string, { name: string; again: number; failed: number }>();

  add(name: string, outcome: "again" | "failed"): void {
    let tally = this.#byName.get(name);
    if (tally === undefined) this.#byName.set(name, (tally = { name, again: 0, failed: 0 }));
    tally[outcome]++;
  }

  /** What was counted since the last time. */
  take(): readonly CrashedJobs[] {
    if (this.#byName.size === 0) return [];
    const taken = [...this.#byName.values()];
    this.#byName.clear();
    return taken;
  }
}
