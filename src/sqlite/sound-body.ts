/**
 * A block's body as it is read from the file, whatever became of it there. The sizes of its entries are all that says where a job begins, so one flipped bit in
 * a size would make every later job of the block unreadable, and a wrong one could be taken for right. Here the walk over the entries has to come out even;
 * where it does not, the entry that is wrong is found, and its neighbours keep what is theirs. What cannot be read is a payload that is no JSON: that job ends as
 * `INVALID_PAYLOAD`, and is the only one that does.
 */
import type { Block, Core } from "./core.ts";
import { bufferOf, entryJobKey, entryKey, entryMoved, entryTenant } from "./entries.ts";
import { must } from "./must.ts";
import { blockMoved, type BlockRow } from "./tables.ts";

/** In front of every entry: its size and its flags; and where it has moved its id, attempts and time. */
const head = 5;
const movedHead = 20;

/** `n` entries, one after the other. The bytes themselves where they are sound. */
export function soundBody(bytes: Uint8Array, n: number, moved: boolean): Buffer {
  const body = bufferOf(bytes);
  const entries = moved ? entryMoved : 0;
  return comesOut(body, 0, n, entries) ? body : salvage(body, n, entries);
}

/** That of a block as its row says. */
export function bodyOfRow({ body, n, flags }: Pick<BlockRow, "body" | "n" | "flags">): Buffer {
  return soundBody(body, n, (flags & blockMoved) !== 0);
}

/** That of a block in memory, which is read where it was let go. */
export function bodyOfBlock(core: Core, block: Block): Buffer {
  return block.body ?? soundBody(must(core.sql.getBody.get(block.seq)).body, block.n, block.ids !== undefined);
}

/** Whether so many entries from there on end where the body ends. */
function comesOut(body: Buffer, from: number, n: number, moved: number): boolean {
  let at = from;
  for (let left = n; left > 0; left--) {
    at = endOf(body, at, moved);
    if (at === 0) return false;
  }
  return at === body.length;
}

/** Where the entry ends; 0: there can be none like it. */
function endOf(body: Buffer, at: number, moved: number): number {
  if (at + head > body.length) return 0;
  const end = at + body.readUInt32LE(at);
  const flags = body.readUInt8(at + 4);
  if (end > body.length || (flags & ~(entryKey | entryJobKey | entryTenant)) !== moved) return 0;
  let text = at + head + (moved === 0 ? 0 : movedHead);
  for (const flag of [entryKey, entryJobKey, entryTenant]) {
    if ((flags & flag) === 0) continue;
    if (text + 2 > end) return 0;
    text += 2 + body.readUInt16LE(text);
  }
  return text > end ? 0 : end;
}

function salvage(body: Buffer, n: number, moved: number): Buffer {
  const starts = [0];
  while (starts.length <= n) {
    const end = endOf(body, starts.at(-1) ?? 0, moved);
    if (end === 0) break;
    starts.push(end);
  }
  // Entries that look right come before; of these the last may have a size that only seems to be.
  const stopped = Math.min(starts.length - 1, n - 1);
  for (const wrong of [stopped - 1, stopped]) {
    const from = starts[wrong];
    const to = from === undefined ? undefined : nextStart(body, from, n - wrong - 1, moved);
    if (from === undefined || to === undefined) continue;
    return Buffer.concat([body.subarray(0, from), mended(body.subarray(from, to), moved), body.subarray(to)]);
  }
  // More than one is wrong.
  const rest = Array.from({ length: n - stopped }, () => mended(Buffer.alloc(0), moved));
  return Buffer.concat([body.subarray(0, starts[stopped]), ...rest]);
}

/** Where the entries behind a wrong one begin: from there on so many come out even. */
function nextStart(body: Buffer, from: number, left: number, moved: number): number | undefined {
  if (left === 0) return body.length;
  for (let to = from + head; to < body.length; to++) if (comesOut(body, to, left, moved)) return to;
  return undefined;
}

/** With its size as it is; where its flags are wrong as well, everything behind the head is its payload. */
function mended(entry: Buffer, moved: number): Buffer {
  const least = head + (moved === 0 ? 0 : movedHead) + 1;
  const bytes = Buffer.alloc(Math.max(least, entry.length));
  entry.copy(bytes);
  bytes.writeUInt32LE(bytes.length, 0);
  if (endOf(bytes, 0, moved) === 0) bytes[4] = moved;
  return bytes;
}
