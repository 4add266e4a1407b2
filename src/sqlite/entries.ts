/**
 * The bytes of one job, as they travel from the calling thread to the writer, rest in a block row, and come back when claimed.
 * The writer copies them without looking inside, except where a job has a key, a time, or has moved.
 *
 *   u32 size of the whole entry
 *   u8  flags
 *   if moved:      f64 id, u32 attempts so far, f64 enqueuedAt    (a job that is no longer where it was enqueued)
 *   if key:        u16 length, unique key (UTF-8)
 *   if runAt:      f64                                            (on the wire only)
 *   if occurrence: f64 at, u16 length, schedule (UTF-8)           (on the wire only)
 *   if limit key:  u16 length, key of limits and order (UTF-8)
 *   if tenant:     u16 length, tenant (UTF-8)
 *   payload (UTF-8) up to the end
 */
import { must } from "./must.ts";

export const entryMoved = 1;
export const entryKey = 2;
export const entryRunAt = 4;
export const entryOccurrence = 8;
export const entryJobKey = 16;
export const entryTenant = 32;

export interface Entry {
  /** 0 when the job is where it was enqueued: its id then follows from its place. */
  id: number;
  attempt: number;
  /** 0 when it is the block's. */
  enqueuedAt: number;
  key: string | undefined;
  runAt: number | undefined;
  occurrence: { schedule: string; at: number } | undefined;
  /** `NewJob.key`; `key` here is the unique key. */
  jobKey: string | undefined;
  tenant: string | undefined;
  payload: Uint8Array;
}

export function bufferOf(bytes: Uint8Array | ArrayBuffer): Buffer {
  return bytes instanceof ArrayBuffer
    ? Buffer.from(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function readEntry(bytes: Buffer, offset: number): Entry {
  const end = offset + bytes.readUInt32LE(offset);
  const flags = must(bytes[offset + 4]);
  const entry: Entry = {
    id: 0,
    attempt: 0,
    enqueuedAt: 0,
    key: undefined,
    runAt: undefined,
    occurrence: undefined,
    jobKey: undefined,
    tenant: undefined,
    payload: bytes,
  };
  let at = offset + 5;
  if (flags & entryMoved) {
    entry.id = bytes.readDoubleLE(at);
    entry.attempt = bytes.readUInt32LE(at + 8);
    entry.enqueuedAt = bytes.readDoubleLE(at + 12);
    at += 20;
  }
  if (flags & entryKey) {
    const length = bytes.readUInt16LE(at);
    entry.key = bytes.toString("utf8", at + 2, at + 2 + length);
    at += 2 + length;
  }
  if (flags & entryRunAt) {
    entry.runAt = bytes.readDoubleLE(at);
    at += 8;
  }
  if (flags & entryOccurrence) {
    const length = bytes.readUInt16LE(at + 8);
    entry.occurrence = { at: bytes.readDoubleLE(at), schedule: bytes.toString("utf8", at + 10, at + 10 + length) };
    at += 10 + length;
  }
  if (flags & entryJobKey) {
    const length = bytes.readUInt16LE(at);
    entry.jobKey = bytes.toString("utf8", at + 2, at + 2 + length);
    at += 2 + length;
  }
  if (flags & entryTenant) {
    const length = bytes.readUInt16LE(at);
    entry.tenant = bytes.toString("utf8", at + 2, at + 2 + length);
    at += 2 + length;
  }
  entry.payload = bytes.subarray(at, end);
  return entry;
}

/** What a stored entry needs; written by the writer for jobs that it places one by one. */
export interface StoredEntry {
  readonly id: number;
  readonly attempt: number;
  readonly enqueuedAt: number;
  readonly key: string | undefined;
  readonly jobKey?: string | undefined;
  readonly tenant?: string | undefined;
  readonly payload: Uint8Array;
}

/** `moved` false: a new job at its first place, whose id, attempts and time follow from the block. */
export function writeEntry(entry: StoredEntry, moved: boolean): Buffer {
  const texts = [entry.key, entry.jobKey, entry.tenant].map((text) =>
    text === undefined ? undefined : Buffer.from(text, "utf8"),
  );
  const size = texts.reduce(
    (sum, text) => sum + (text === undefined ? 0 : 2 + text.length),
    5 + (moved ? 20 : 0) + entry.payload.length,
  );
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt32LE(size, 0);
  bytes[4] =
    (moved ? entryMoved : 0) |
    (entry.key === undefined ? 0 : entryKey) |
    (entry.jobKey === undefined ? 0 : entryJobKey) |
    (entry.tenant === undefined ? 0 : entryTenant);
  let at = 5;
  if (moved) {
    bytes.writeDoubleLE(entry.id, at);
    bytes.writeUInt32LE(entry.attempt, at + 8);
    bytes.writeDoubleLE(entry.enqueuedAt, at + 12);
    at += 20;
  }
  for (const text of texts) {
    if (text === undefined) continue;
    bytes.writeUInt16LE(text.length, at);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  bytes.set(entry.payload, at);
  return bytes;
}

/** Where each of `count` entries starts; one more at the end. */
export function entryOffsets(bytes: Buffer, count: number): Uint32Array {
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  for (let index = 0; index < count; index++) {
    offsets[index] = at;
    at += bytes.readUInt32LE(at);
  }
  offsets[count] = at;
  return offsets;
}
