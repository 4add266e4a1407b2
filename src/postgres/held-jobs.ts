/**
 * Jobs that were claimed and are not handed over: those claimed ahead of their turn, and those of claims whose answer was lost. Nobody but the session knows them: so it
 * hands them over when one before them has ended, gives them back at the end, and settles them where they are cancelled.
 */
import type { Fence, JobId, Settlement } from "../jobs/index.ts";
import type { Delivery } from "./delivery.ts";
import type { Paths } from "./paths.ts";

export interface HeldEvents {
  consumer(): Delivery | undefined;
  settle(settlements: readonly Settlement[]): Promise<unknown>;
  onTrouble(error: unknown): void;
}

export class HeldJobs {
  readonly #paths: Paths;
  readonly #events: HeldEvents;
  /** Settlements that were refused: they are offered again by the next turn. */
  #again: Settlement[] = [];
  /** Claims whose answer was lost: nobody runs their jobs. */
  #orphans: Fence[] = [];

  constructor(paths: Paths, events: HeldEvents) {
    this.#paths = paths;
    this.#events = events;
  }

  /** The handlers of these have ended: the next of their keys may run, whenever that is committed. */
  offered(settlements: readonly Settlement[]): void {
    this.#events.consumer()?.deliver(this.#paths.offered(settlements));
  }

  /** They go back, of all names or of some. */
  async release(names?: readonly string[]): Promise<void> {
    const due = this.#events.consumer()?.takeDue((job) => names === undefined || names.includes(job.name)) ?? [];
    const jobs = [...due, ...this.#paths.takeHeld(undefined, names)];
    await this.#settle(jobs.map((job) => ({ job, to: "released" })));
  }

  /** Answers whether it was one of them. */
  async cancel(id: JobId): Promise<boolean> {
    const due = this.#events.consumer()?.takeDue((job) => job.id === id) ?? [];
    const jobs = [...due, ...this.#paths.takeHeld(id)];
    await this.#settle(jobs.map((job) => ({ job, to: "cancelled" })));
    return jobs.length > 0;
  }

  /** The answer of this claim was lost. */
  orphan(fence: Fence): void {
    this.#orphans.push(fence);
  }

  /** What could not be given back before. Rejects where it is refused once more. */
  async retry(epoch: number): Promise<void> {
    for (const fence of [...this.#orphans]) {
      if (fence.epoch === epoch) this.#events.consumer()?.deliver(await this.#paths.handBack(fence));
      this.#orphans = this.#orphans.filter((orphan) => orphan !== fence);
    }
    const again = this.#again;
    if (again.length === 0) return;
    await this.#events.settle(again);
    this.#again = this.#again.filter((one) => !again.includes(one));
  }

  /** The lease is gone. */
  lose(): void {
    this.#events.consumer()?.takeDue(() => true);
    this.#again = [];
    this.#orphans = [];
  }

  async #settle(settlements: readonly Settlement[]): Promise<void> {
    if (settlements.length === 0) return;
    this.offered(settlements);
    try {
      await this.#events.settle(settlements);
    } catch (error) {
      this.#again.push(...settlements);
      this.#events.onTrouble(error);
    }
  }
}
