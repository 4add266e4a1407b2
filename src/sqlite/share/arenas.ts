/** What the writer must look at in another process's arenas before they are applied: whose numbers its names have, and whose jobs it ends. */
import { must } from "../must.ts";
import { rangeOfSlot } from "../claim-draft.ts";
import type { Claim, Core } from "../core.ts";
import { bufferOf } from "../entries.ts";
import { jobsHeader, sectionJobs, sectionSuccesses, successesHeader, type Arena } from "../protocol.ts";

/** Writes the number that `numberOf` gives for a name's in place of it. Throws where the arena is no arena. */
export function renumber({ buffer, used }: Arena, numberOf: (number: number) => number): void {
  const bytes = bufferOf(buffer);
  eachSection(bytes, used, (at) => {
    if (bytes[at] !== sectionJobs) return;
    const lane = bytes.readUInt32LE(at + 2);
    bytes.writeUInt32LE(numberOf(Math.floor(lane / 10)) * 10 + (lane % 10), at + 2);
  });
}

/** The jobs that an arena says have succeeded. */
export function succeeded(core: Core, { buffer, used }: Arena, each: (id: string) => void): void {
  const bytes = bufferOf(buffer);
  eachSection(bytes, used, (at) => {
    if (bytes[at] !== sectionSuccesses) return;
    const claim = core.claims.get(bytes.readDoubleLE(at + 2));
    const slot = bytes.readUInt32LE(at + 10);
    const n = bytes.readUInt32LE(at + 14);
    if (claim !== undefined) for (let i = 0; i < n; i++) each(String(idOfSlot(claim, slot + i)));
  });
}

export function idOfSlot(claim: Claim, slot: number): number {
  const { block, lo, slot: first } = must(claim.ranges[rangeOfSlot(claim, slot)]);
  const place = lo + slot - first;
  return block.ids?.[place] ?? block.seq + place;
}

function eachSection(bytes: Buffer, used: number, each: (at: number) => void): void {
  for (let at = 0; at < used;) {
    const kind = bytes[at];
    const header = kind === sectionJobs ? jobsHeader : successesHeader;
    if (kind !== sectionJobs && kind !== sectionSuccesses) throw new TypeError("an arena has a section of no kind");
    const end = at + header > used ? Infinity : at + header + bytes.readUInt32LE(at + (kind === sectionJobs ? 10 : 18));
    if (end > used) throw new TypeError("a section is cut off");
    each(at);
    at = end;
  }
}
