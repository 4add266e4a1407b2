/**
 * Claimed jobs on the calling thread: unpacks what the writer handed over. Payloads are decoded at once, because every one is about to run, and the
 * buffer must not outlive the batch.
 */
import { must } from "./must.ts";
import type { ClaimedJob, Fence } from "../jobs/index.ts";
import { bufferOf, entryKey, entryJobKey, entryMoved, entryTenant } from "./entries.ts";
import { contextMark } from "./payload-bytes.ts";
import type { ClaimReply } from "./protocol.ts";
import { plainKey } from "./unique-key.ts";

/** A claimed job with its place in the claim, so that a settlement of it names a number instead of an id. */
export interface SlottedJob extends ClaimedJob {
  readonly slot: number;
  readonly uniqueKey: string | undefined;
}

/** The fence of a claim of this session: known by identity, so that a copy with other numbers is not taken for it. */
export class ClaimFence implements Fence {
  readonly epoch: number;
  readonly claim: number;

  constructor(epoch: number, claim: number) {
    this.epoch = epoch;
    this.claim = claim;
  }
}

export function unpackClaim(reply: ClaimReply, epoch: number, nameOf: (local: number) => string): SlottedJob[] {
  const bytes = bufferOf(reply.bytes);
  const fence = new ClaimFence(epoch, reply.claim);
  const jobs: SlottedJob[] = [];
  const ranges = reply.ranges;
  let at = 0;
  for (let r = 0; r < ranges.length; r += 6) {
    const name = nameOf(must(ranges[r]));
    const priority = must(ranges[r + 1]);
    const first = must(ranges[r + 2]) + must(ranges[r + 3]);
    const count = must(ranges[r + 4]);
    const blockAt = must(ranges[r + 5]);
    for (let i = 0; i < count; i++) {
      const end =
        at + (must(bytes[at]) | (must(bytes[at + 1]) << 8) | (must(bytes[at + 2]) << 16) | (must(bytes[at + 3]) << 24));
      const flags = must(bytes[at + 4]);
      let from = at + 5;
      let id = first + i;
      let attempt = 1;
      let enqueuedAt = blockAt;
      let uniqueKey: string | undefined;
      if (flags & entryMoved) {
        id = bytes.readDoubleLE(from);
        attempt = bytes.readUInt32LE(from + 8) + 1;
        enqueuedAt = bytes.readDoubleLE(from + 12);
        from += 20;
      }
      if (flags & entryKey) {
        const length = bytes.readUInt16LE(from);
        uniqueKey = plainKey(bytes.toString("utf8", from + 2, from + 2 + length));
        from += 2 + length;
      }
      let key: string | undefined;
      let tenant: string | undefined;
      if (flags & entryJobKey) {
        const length = bytes.readUInt16LE(from);
        key = bytes.toString("utf8", from + 2, from + 2 + length);
        from += 2 + length;
      }
      if (flags & entryTenant) {
        const length = bytes.readUInt16LE(from);
        tenant = bytes.toString("utf8", from + 2, from + 2 + length);
        from += 2 + length;
      }
      let context: string | undefined;
      if (from < end && bytes[from] === contextMark) {
        const length = bytes.readUInt16LE(from + 1);
        context = bytes.toString("utf8", from + 3, from + 3 + length);
        from += 3 + length;
      }
      jobs.push({
        id: String(id),
        name,
        priority,
        payload: bytes.toString("utf8", from, end),
        context,
        attempt,
        enqueuedAt,
        key,
        tenant,
        noted: undefined,
        fence,
        slot: jobs.length,
        uniqueKey,
      });
      at = end;
    }
  }
  for (const slot of reply.noted ?? []) jobs[slot] = { ...must(jobs[slot]), noted: true };
  return jobs;
}
