/**
 * What is made for each job of a block. These are classes for the sake of V8: after a stall it takes the object literals of the moment for long-lived, and makes
 * all later ones in its old generation, where only a full collection frees them (allocation-site pretenuring). What a constructor makes is always young.
 */
import type { ClaimedJob, EnqueueReceipt, Fence, JobId } from "../../jobs/index.ts";

/** What the jobs of one claim and one block share. */
export interface BlockClaim {
  readonly name: string;
  readonly priority: number;
  readonly enqueuedAt: number;
  readonly fence: Fence;
}

export class BlockJob implements ClaimedJob {
  readonly id: JobId;
  readonly name: string;
  readonly priority: number;
  readonly payload: string;
  readonly context: string | undefined;
  readonly key: string | undefined;
  readonly attempt = 1;
  readonly enqueuedAt: number;
  readonly fence: Fence;

  constructor(id: JobId, claim: BlockClaim, payload: string, context: string | undefined, key: string | undefined) {
    this.id = id;
    this.name = claim.name;
    this.priority = claim.priority;
    this.payload = payload;
    this.context = context;
    this.key = key;
    this.enqueuedAt = claim.enqueuedAt;
    this.fence = claim.fence;
  }
}

export class BlockReceipt implements EnqueueReceipt {
  readonly id: JobId;
  readonly duplicate = false;

  constructor(id: JobId) {
    this.id = id;
  }
}
