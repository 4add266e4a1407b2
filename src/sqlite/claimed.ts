/**
 * Claimed jobs on the calling thread: what the writer handed over, read when it is needed. Thousands of jobs wait for their turn, and their outcomes for
 * a commit: as texts of their own their payloads would be copied by each collection of garbage meanwhile, as bytes of their claim they are not.
 */
import { must } from "./must.ts";
import type { ClaimedJob, Fence } from "../jobs/index.ts";
import { bufferOf, entryKey, entryJobKey, entryMoved, entryTenant } from "./entries.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { contextMark } from "./payload-bytes.ts";
import type { ClaimReply } from "./protocol.ts";
import { plainKey } from "./unique-key.ts";

/** The fence of a claim of this session: known by identity, so that a copy with other numbers is not taken for it. */
export class ClaimFence implements Fence {
  readonly epoch: number;
  readonly claim: number;

  constructor(epoch: number, claim: number) {
    this.epoch = epoch;
    this.claim = claim;
  }
}

/** What the jobs of one range of a claim have in common. */
interface Common {
  readonly name: string;
  readonly priority: number;
  readonly fence: ClaimFence;
}

/** A claimed job with its place in the claim, so that a settlement of it names a number instead of an id. */
export class SlottedJob implements ClaimedJob {
  readonly id: string;
  readonly name: string;
  readonly priority: number;
  readonly attempt: number;
  readonly enqueuedAt: number;
  readonly fence: ClaimFence;
  readonly slot: number;
  readonly context: string | undefined;
  noted: true | undefined = undefined;
  readonly #bytes: Buffer;
  /** Where its texts start, and its payload. */
  readonly #texts: number;
  readonly #payload: number;
  readonly #end: number;
  readonly #flags: number;

  constructor({ name, priority, fence }: Common, slot: number, id: number, at: number, bytes: Buffer, start: number) {
    const flags = must(bytes[start + 4]);
    let from = start + 5;
    this.name = name;
    this.priority = priority;
    this.fence = fence;
    this.slot = slot;
    if (flags & entryMoved) {
      this.id = String(bytes.readDoubleLE(from));
      this.attempt = bytes.readUInt32LE(from + 8) + 1;
      this.enqueuedAt = bytes.readDoubleLE(from + 12);
      from += 20;
    } else {
      this.id = String(id);
      this.attempt = 1;
      this.enqueuedAt = at;
    }
    this.#texts = from;
    if (flags & entryKey) from = afterText(bytes, from);
    if (flags & entryJobKey) from = afterText(bytes, from);
    if (flags & entryTenant) from = afterText(bytes, from);
    this.#end = start + sizeAt(bytes, start);
    let context: string | undefined;
    if (from < this.#end && bytes[from] === contextMark) {
      context = textAt(bytes, from + 1);
      from = afterText(bytes, from + 1);
    }
    this.context = context;
    this.#payload = from;
    this.#flags = flags;
    this.#bytes = bytes;
  }

  /** Made anew each time: an attempt reads it once. */
  get payload(): string {
    return this.#bytes.toString("utf8", this.#payload, this.#end);
  }

  get size(): number {
    return this.#end - this.#payload;
  }

  get uniqueKey(): string | undefined {
    return this.#flags & entryKey ? plainKey(textAt(this.#bytes, this.#texts)) : undefined;
  }

  get key(): string | undefined {
    if (!(this.#flags & entryJobKey)) return undefined;
    return textAt(this.#bytes, this.#flags & entryKey ? afterText(this.#bytes, this.#texts) : this.#texts);
  }

  get tenant(): string | undefined {
    if (!(this.#flags & entryTenant)) return undefined;
    let from = this.#texts;
    if (this.#flags & entryKey) from = afterText(this.#bytes, from);
    if (this.#flags & entryJobKey) from = afterText(this.#bytes, from);
    return textAt(this.#bytes, from);
  }

  /** As the plain object that a copy of it is. */
  toJSON(): ClaimedJob {
    const { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence } = this;
    return { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence };
  }
}

export function unpackClaim(reply: ClaimReply, epoch: number, nameOf: (local: number) => string): SlottedJob[] {
  const whole = bufferOf(reply.bytes);
  // One job that runs for long must not hold on to all of a large claim.
  const large = whole.length > limits.arenaBytes;
  const fence = new ClaimFence(epoch, reply.claim);
  const jobs: SlottedJob[] = [];
  const ranges = reply.ranges;
  let at = 0;
  let slot = reply.slot ?? 0;
  for (let r = 0; r < ranges.length; r += 6) {
    const common = { name: nameOf(must(ranges[r])), priority: must(ranges[r + 1]), fence };
    const first = must(ranges[r + 2]) + must(ranges[r + 3]);
    const count = must(ranges[r + 4]);
    const blockAt = must(ranges[r + 5]);
    for (let i = 0; i < count; i++) {
      const size = sizeAt(whole, at);
      const bytes = large ? Buffer.from(whole.subarray(at, at + size)) : whole;
      jobs.push(new SlottedJob(common, slot++, first + i, blockAt, bytes, large ? 0 : at));
      at += size;
    }
  }
  for (const index of reply.noted ?? []) must(jobs[index]).noted = true;
  return jobs;
}

function sizeAt(bytes: Buffer, at: number): number {
  return must(bytes[at]) | (must(bytes[at + 1]) << 8) | (must(bytes[at + 2]) << 16) | (must(bytes[at + 3]) << 24);
}

function afterText(bytes: Buffer, at: number): number {
  return at + 2 + (must(bytes[at]) | (must(bytes[at + 1]) << 8));
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString("utf8", at + 2, afterText(bytes, at));
}
