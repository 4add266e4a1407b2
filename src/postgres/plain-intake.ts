/** Plain jobs on their way in. What there is room for here, and nothing older waits before, is claimed in the commit of its enqueueing. */
import type { EnqueueReceipt, Fence, NewJob } from "../jobs/index.ts";
import type { Taking } from "./blocks/index.ts";
import type { Delivery, Share } from "./delivery.ts";
import type { Headroom } from "./headroom.ts";
import type { Paths } from "./paths.ts";
import { Unreachable } from "./trouble.ts";

export interface IntakeEvents {
  /** Who would run them; undefined: nobody here, now. */
  consumer(): Delivery | undefined;
  newFence(): Fence;
  /** Some of these wait. */
  onWaiting(jobs: readonly NewJob[]): void;
  /** The answer was lost: nobody runs what may be claimed under this fence. */
  onDoubt(fence: Fence): void;
}

export class PlainIntake {
  readonly #paths: Paths;
  readonly #headroom: Headroom;
  readonly #events: IntakeEvents;
  /** Resolves when nothing is on its way that may be handed over. */
  idle: Promise<unknown> = Promise.resolve();

  constructor(paths: Paths, headroom: Headroom, events: IntakeEvents) {
    this.#paths = paths;
    this.#headroom = headroom;
    this.#events = events;
  }

  enqueue(jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    const done = this.#enqueue(jobs);
    this.idle = done.catch(() => undefined);
    return done;
  }

  async #enqueue(jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    const consumer = this.#events.consumer();
    let share: Share | undefined;
    let fence: Fence | undefined;
    const taking = (): Taking | undefined => {
      share = consumer?.takeForEnqueue(jobs);
      if (share === undefined) return undefined;
      fence = this.#events.newFence();
      return { fence, room: share.room, chosen: share.chosen };
    };
    try {
      const enqueued = await this.#headroom.use(jobs.length, (most) => this.#paths.enqueuePlain(jobs, most, taking));
      const { receipts, claimed } = enqueued;
      consumer?.endEnqueue(share, jobs, enqueued);
      if (claimed.length < jobs.length) this.#events.onWaiting(jobs);
      return receipts;
    } catch (error) {
      if (share !== undefined) consumer?.giveBack(share, jobs);
      if (fence !== undefined && error instanceof Unreachable) this.#events.onDoubt(fence);
      throw error;
    }
  }
}
