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

/** The fence of a claim of this session. */
class ClaimFence implements Fence {
  readonly epoch: number;
  readonly claim: number;

  constructor(epoch: number, claim: number) {
    this.epoch = epoch;
    this.claim = claim;
  }
}

/** What neighbours of a claim have in common. */
interface Common {
  readonly name: string;
  readonly priority: number;
  readonly fence: ClaimFence;
  /** Where the entries of its jobs are. */
  readonly bytes: Buffer;
  /** What a slot lacks to the id of a job that has not moved. */
  readonly idFrom: number;
  readonly enqueuedAt: number;
  /** Slots of jobs that have notes. */
  readonly noted: ReadonlySet<number> | undefined;
}

/**
 * A claimed job with its place in the claim, so that a settlement of it names a number instead of an id. It holds next to nothing, because thousands wait
 * for their turn: each collection of garbage copies what they hold, and nothing else runs meanwhile.
 */
export class SlottedJob implements ClaimedJob {
  readonly slot: number;
  readonly #common: Common;
  /** Where its entry starts. */
  readonly #start: number;

  constructor(common: Common, slot: number, start: number) {
    this.slot = slot;
    this.#common = common;
    this.#start = start;
  }

  get id(): string {
    const { bytes, idFrom } = this.#common;
    return String(isMoved(bytes, this.#start) ? bytes.readDoubleLE(this.#start + 5) : idFrom + this.slot);
  }

  get name(): string {
    return this.#common.name;
  }

  get priority(): number {
    return this.#common.priority;
  }

  get fence(): ClaimFence {
    return this.#common.fence;
  }

  get attempt(): number {
    const { bytes } = this.#common;
    return isMoved(bytes, this.#start) ? bytes.readUInt32LE(this.#start + 13) + 1 : 1;
  }

  get enqueuedAt(): number {
    const { bytes, enqueuedAt } = this.#common;
    return isMoved(bytes, this.#start) ? bytes.readDoubleLE(this.#start + 17) : enqueuedAt;
  }

  get noted(): true | undefined {
    return this.#common.noted?.has(this.slot) === true ? true : undefined;
  }

  get context(): string | undefined {
    const { bytes } = this.#common;
    const at = afterTexts(bytes, this.#start, allTexts);
    return hasContext(bytes, this.#start, at) ? textAt(bytes, at + 1) : undefined;
  }

  /** Made anew each time: an attempt reads it once. */
  get payload(): string {
    const { bytes } = this.#common;
    return bytes.toString("utf8", payloadAt(bytes, this.#start), endOf(bytes, this.#start));
  }

  readPayload<T>(read: (bytes: Uint8Array, start: number, end: number) => T): T {
    const { bytes } = this.#common;
    return read(bytes, payloadAt(bytes, this.#start), endOf(bytes, this.#start));
  }

  get size(): number {
    const { bytes } = this.#common;
    return endOf(bytes, this.#start) - payloadAt(bytes, this.#start);
  }

  get uniqueKey(): string | undefined {
    const key = textOf(this.#common.bytes, this.#start, entryKey, 0);
    return key === undefined ? undefined : plainKey(key);
  }

  get key(): string | undefined {
    return textOf(this.#common.bytes, this.#start, entryJobKey, entryKey);
  }

  get tenant(): string | undefined {
    return textOf(this.#common.bytes, this.#start, entryTenant, entryKey | entryJobKey);
  }

  /** As the plain object that a copy of it is. */
  toJSON(): ClaimedJob {
    const { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence } = this;
    return { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence };
  }
}

/** The text that comes after those of `before`, if the entry has it. */
function textOf(bytes: Buffer, start: number, flag: number, before: number): string | undefined {
  return flagsOf(bytes, start) & flag ? textAt(bytes, afterTexts(bytes, start, before)) : undefined;
}

const allTexts = entryKey | entryJobKey | entryTenant;

/** Where the entry goes on after those of its texts that are named. */
function afterTexts(bytes: Buffer, start: number, texts: number): number {
  const flags = flagsOf(bytes, start);
  let at = start + (flags & entryMoved ? 25 : 5);
  for (let left = flags & texts; left !== 0; left &= left - 1) at = afterText(bytes, at);
  return at;
}

function payloadAt(bytes: Buffer, start: number): number {
  const at = afterTexts(bytes, start, allTexts);
  return hasContext(bytes, start, at) ? afterText(bytes, at + 1) : at;
}

function hasContext(bytes: Buffer, start: number, at: number): boolean {
  return bytes[at] === contextMark && at < endOf(bytes, start);
}

function isMoved(bytes: Buffer, start: number): boolean {
  return (flagsOf(bytes, start) & entryMoved) !== 0;
}

function flagsOf(bytes: Buffer, start: number): number {
  return must(bytes[start + 4]);
}

function endOf(bytes: Buffer, start: number): number {
  return start + sizeAt(bytes, start);
}

export function unpackClaim(reply: ClaimReply, epoch: number, nameOf: (local: number) => string): SlottedJob[] {
  const whole = bufferOf(reply.bytes);
  const fence = new ClaimFence(epoch, reply.claim);
  const jobs: SlottedJob[] = [];
  const { ranges, slot: firstSlot = 0 } = reply;
  const noted = reply.noted && new Set(reply.noted.map((index) => index + firstSlot));
  let at = 0;
  let slot = firstSlot;
  for (let r = 0; r < ranges.length; r += 6) {
    const name = nameOf(must(ranges[r]));
    const priority = must(ranges[r + 1]);
    const idFrom = must(ranges[r + 2]) + must(ranges[r + 3]) - slot;
    const enqueuedAt = must(ranges[r + 5]);
    for (const end = slot + must(ranges[r + 4]); slot < end;) {
      const { bytes, count } = pieceOf(whole, at, end - slot);
      const common = { name, priority, fence, bytes, idFrom, enqueuedAt, noted };
      let start = bytes === whole ? at : 0;
      for (const to = slot + count; slot < to;) {
        jobs.push(new SlottedJob(common, slot++, start));
        const size = sizeAt(bytes, start);
        start += size;
        at += size;
      }
    }
  }
  return jobs;
}

/** One job that runs for long must not hold on to all of a large claim: of such a one neighbours have a copy of their part. */
function pieceOf(whole: Buffer, at: number, most: number): { bytes: Buffer; count: number } {
  if (whole.length <= limits.arenaBytes) return { bytes: whole, count: most };
  let to = at;
  let count = 0;
  while (count < most && (count === 0 || to - at < limits.pieceBytes)) {
    to += sizeAt(whole, to);
    count++;
  }
  const bytes = Buffer.allocUnsafeSlow(to - at);
  whole.copy(bytes, 0, at, to);
  return { bytes, count };
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
