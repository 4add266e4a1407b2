/**
 * Packs jobs and successes into arenas on the calling thread: the hottest code of the store on that side. Neighbours of one lane, or of one claim,
 * share a section header; see protocol.ts for the bytes.
 */
import type { NewJob } from "../jobs/index.ts";
import { entryKey, entryJobKey, entryOccurrence, entryRunAt, entryTenant } from "./entries.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { contextMark } from "./payload-bytes.ts";
import { must } from "./must.ts";
import {
  jobsHeader,
  runLimited,
  runSpecial,
  runTenants,
  sectionJobs,
  sectionSuccesses,
  successesHeader,
  type Arena,
  type JobsReply,
} from "./protocol.ts";
import { writeUniqueKey } from "./unique-key.ts";

/** Jobs of one section; the writer's reply says their ids. */
export interface Run {
  reply: JobsReply | undefined;
}

/** Room that an entry needs besides its strings. */
const entryRoom = 96;

export class Packer {
  readonly #spare: ArrayBuffer[] = [];
  #arenas: Arena[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #packed = 0;
  /** The open section: where its header is, what it holds. */
  #kind = 0;
  #header = 0;
  #count = 0;
  #lane = 0;
  #run: Run = { reply: undefined };
  #claim = 0;
  #slot = 0;
  #withResults = 0;

  runs: Run[] = [];
  /** Success sections so far. */
  sections = 0;

  /** The place of the last job or success in its section. */
  get place(): number {
    return this.#count - 1;
  }

  /** Bytes packed since the last `take`. */
  get size(): number {
    return this.#packed + this.#at;
  }

  addJob(lane: number, job: NewJob, now: number): Run {
    const payload = job.payload;
    const special =
      job.uniqueKey !== undefined ||
      job.runAt !== undefined ||
      job.delayMs !== undefined ||
      job.occurrence !== undefined;
    const { context } = job;
    let room = payload.length * 3 + entryRoom + jobsHeader;
    if (context !== undefined) room += context.length * 3;
    const limited = job.key !== undefined || job.tenant !== undefined;
    if (limited) room += ((job.key?.length ?? 0) + (job.tenant?.length ?? 0)) * 3;
    if (special) {
      const { uniqueKey, unique, occurrence } = job;
      room += ((uniqueKey?.length ?? 0) + (unique?.scope?.length ?? 0) + (occurrence?.schedule.length ?? 0)) * 3;
    }
    if (this.#at + room > this.#bytes.length) this.#makeRoom(room);
    if (
      this.#kind !== sectionJobs ||
      this.#lane !== lane ||
      this.#count >= limits.blockJobs ||
      this.#at - this.#header > limits.blockBytes
    ) {
      this.#openJobs(lane, now);
    }
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start + 5;
    let flags = 0;
    if (special) {
      bytes[this.#header + 1] = must(bytes[this.#header + 1]) | runSpecial;
      flags = specialFlags(job);
      at = writeSpecial(bytes, at, job, now);
    }
    if (limited) {
      bytes[this.#header + 1] = must(bytes[this.#header + 1]) | limitedRun(job);
      flags |= limitedFlags(job);
      at = writeLimited(bytes, at, job);
    }
    if (context !== undefined) at = writeContext(bytes, at, context);
    at += bytes.write(payload, at);
    bytes[start + 4] = flags;
    writeU32(bytes, start, at - start);
    this.#at = at;
    this.#count++;
    return this.#run;
  }

  addSuccess(claim: number, slot: number, result: string | undefined): void {
    const withResults = result === undefined ? 0 : 1;
    const room = successesHeader + 4 + (result === undefined ? 0 : result.length * 3);
    if (this.#at + room > this.#bytes.length) this.#makeRoom(room);
    if (
      this.#kind !== sectionSuccesses ||
      this.#claim !== claim ||
      this.#slot + this.#count !== slot ||
      this.#withResults !== withResults
    ) {
      this.#openSuccesses(claim, slot, withResults);
    }
    if (result !== undefined) {
      const length = this.#bytes.write(result, this.#at + 4);
      writeU32(this.#bytes, this.#at, length);
      this.#at += 4 + length;
    }
    this.#count++;
  }

  /** Hands over what was packed and starts anew. */
  take(): { arenas: Arena[]; runs: Run[] } {
    this.#closeArena();
    const taken = { arenas: this.#arenas, runs: this.runs };
    this.#arenas = [];
    this.runs = [];
    this.sections = 0;
    this.#packed = 0;
    return taken;
  }

  /** An arena that came back. */
  recycle(buffer: ArrayBuffer): void {
    if (buffer.byteLength === limits.arenaBytes && this.#spare.length < limits.arenasKept) this.#spare.push(buffer);
  }

  #openJobs(lane: number, now: number): void {
    this.#closeSection();
    const bytes = this.#bytes;
    this.#kind = sectionJobs;
    this.#lane = lane;
    this.#header = this.#at;
    bytes[this.#at] = sectionJobs;
    bytes[this.#at + 1] = 0;
    writeU32(bytes, this.#at + 2, lane);
    bytes.writeDoubleLE(now, this.#at + 14);
    this.#at += jobsHeader;
    this.#run = { reply: undefined };
    this.runs.push(this.#run);
  }

  #openSuccesses(claim: number, slot: number, withResults: number): void {
    this.#closeSection();
    const bytes = this.#bytes;
    this.#kind = sectionSuccesses;
    this.#claim = claim;
    this.#slot = slot;
    this.#withResults = withResults;
    this.#header = this.#at;
    bytes[this.#at] = sectionSuccesses;
    bytes[this.#at + 1] = withResults;
    bytes.writeDoubleLE(claim, this.#at + 2);
    writeU32(bytes, this.#at + 10, slot);
    this.#at += successesHeader;
    this.sections++;
  }

  #closeSection(): void {
    if (this.#kind === sectionJobs) {
      writeU32(this.#bytes, this.#header + 6, this.#count);
      writeU32(this.#bytes, this.#header + 10, this.#at - this.#header - jobsHeader);
    } else if (this.#kind === sectionSuccesses) {
      writeU32(this.#bytes, this.#header + 14, this.#count);
      writeU32(this.#bytes, this.#header + 18, this.#at - this.#header - successesHeader);
    }
    this.#kind = 0;
    this.#count = 0;
  }

  #closeArena(): void {
    this.#closeSection();
    if (this.#at > 0) this.#arenas.push({ buffer: this.#bytes.buffer as ArrayBuffer, used: this.#at });
    else if (this.#bytes.length > 0) this.recycle(this.#bytes.buffer as ArrayBuffer);
    this.#packed += this.#at;
    this.#at = 0;
    this.#bytes = Buffer.alloc(0);
  }

  #makeRoom(room: number): void {
    this.#closeArena();
    const size = Math.max(limits.arenaBytes, room);
    this.#bytes = Buffer.from((size === limits.arenaBytes ? this.#spare.pop() : undefined) ?? new ArrayBuffer(size));
  }
}

/** Faster than `writeUInt32LE`, which checks its arguments. */
function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** As `writePayload` does, in place. */
function writeContext(bytes: Buffer, at: number, context: string): number {
  const length = bytes.write(context, at + 3);
  bytes[at] = contextMark;
  bytes.writeUInt16LE(length, at + 1);
  return at + 3 + length;
}

function specialFlags(job: NewJob): number {
  return (
    (job.uniqueKey === undefined ? 0 : entryKey) |
    (job.runAt === undefined && job.delayMs === undefined ? 0 : entryRunAt) |
    (job.occurrence === undefined ? 0 : entryOccurrence)
  );
}

function limitedRun(job: NewJob): number {
  return (job.key === undefined ? 0 : runLimited) | (job.tenant === undefined ? 0 : runTenants);
}

function limitedFlags(job: NewJob): number {
  return (job.key === undefined ? 0 : entryJobKey) | (job.tenant === undefined ? 0 : entryTenant);
}

function writeLimited(bytes: Buffer, start: number, { key, tenant }: NewJob): number {
  let at = start;
  if (key !== undefined) at = writeText(bytes, at, key);
  if (tenant !== undefined) at = writeText(bytes, at, tenant);
  return at;
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const length = bytes.write(text, at + 2);
  bytes[at] = length;
  bytes[at + 1] = length >>> 8;
  return at + 2 + length;
}

function writeSpecial(bytes: Buffer, start: number, job: NewJob, now: number): number {
  let at = start;
  const key = writeUniqueKey(job);
  if (key !== undefined) {
    const length = bytes.write(key, at + 2);
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  const runAt = job.delayMs === undefined ? job.runAt : now + job.delayMs;
  if (runAt !== undefined) at = bytes.writeDoubleLE(runAt, at);
  if (job.occurrence !== undefined) {
    at = bytes.writeDoubleLE(job.occurrence.at, at);
    const length = bytes.write(job.occurrence.schedule, at + 2);
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  return at;
}
