/** One claim, divided among the processes whose credit it used: each gets neighbours, as a claim of its own with the slots that they have in the whole. */
import { must } from "../must.ts";
import { bufferOf } from "../entries.ts";
import type { ClaimReply } from "../protocol.ts";
import type { Client } from "./client.ts";

/** Jobs of a claim that go to one client: slots `lo` up to `hi`. */
export interface Piece {
  readonly client: Client;
  readonly lo: number;
  readonly hi: number;
  readonly claim: Omit<ClaimReply, "bytes">;
  /** A part of the claim's bytes. */
  readonly bytes: Uint8Array;
}

interface Share {
  readonly client: Client;
  left: number;
}

/** `nameOf`: what the writer means by a name's number. `clients`: in the order in which odd jobs are dealt. Their credit is used up. */
export function divide(claim: ClaimReply, clients: readonly Client[], nameOf: (number: number) => string): Piece[] {
  const shares = sharesOf(claim, clients, nameOf);
  const bytes = bufferOf(claim.bytes);
  const parts: Part[] = [];
  let slot = 0;
  let at = 0;
  for (let r = 0; r < claim.ranges.length; r += 6) {
    const [number = 0, priority = 0, seq = 0, first = 0, count = 0, enqueuedAt = 0] = claim.ranges.subarray(r, r + 6);
    const name = nameOf(number);
    const queue = must(shares.get(name));
    for (let done = 0; done < count;) {
      const share = must(queue[0]);
      const n = Math.min(share.left, count - done);
      share.left -= n;
      if (share.left === 0) queue.shift();
      const { client } = share;
      const last = parts.at(-1);
      const part = last?.client === client ? last : { client, lo: slot, hi: slot, from: at, to: at, ranges: [] };
      if (part !== last) parts.push(part);
      part.ranges.push(client.numberOf(name), priority, seq, first + done, n, enqueuedAt);
      for (let i = 0; i < n; i++) at += bytes.readUInt32LE(at);
      part.to = at;
      part.hi = slot += n;
      done += n;
    }
  }
  return parts.map(({ client, lo, hi, from, to, ranges }) => {
    const piece = { claim: claim.claim, slot: lo, ranges: Float64Array.from(ranges) };
    return withNotes({ client, lo, hi, claim: piece, bytes: bytes.subarray(from, to) }, claim.noted);
  });
}

/** A piece while it is gathered: slots, bytes, ranges. */
interface Part {
  readonly client: Client;
  readonly lo: number;
  hi: number;
  readonly from: number;
  to: number;
  readonly ranges: number[];
}

/** Evenly among those that want jobs of the name, as far as their credit goes. */
function sharesOf(
  claim: ClaimReply,
  clients: readonly Client[],
  nameOf: (number: number) => string,
): Map<string, Share[]> {
  const counts = new Map<string, number>();
  for (let r = 0; r < claim.ranges.length; r += 6) {
    const name = nameOf(must(claim.ranges[r]));
    counts.set(name, (counts.get(name) ?? 0) + must(claim.ranges[r + 4]));
  }
  const shares = new Map<string, Share[]>();
  for (const [name, count] of counts) {
    const creditOf = (client: Client): number => client.credit.get(name) ?? 0;
    // Those with little credit first, so that what they leave goes to the others; a lone job goes to who has most room.
    const wanting = clients.filter((client) => creditOf(client) > 0).toSorted((a, b) => creditOf(a) - creditOf(b));
    let left = count;
    const dealt = wanting.map((client, index) => {
      const n = Math.min(creditOf(client), Math.floor(left / (wanting.length - index)));
      left -= n;
      client.take(name, n);
      return { client, left: n };
    });
    shares.set(
      name,
      dealt.filter((share) => share.left > 0),
    );
  }
  return shares;
}

function withNotes(piece: Piece, noted: readonly number[] | undefined): Piece {
  const own = noted?.filter((slot) => slot >= piece.lo && slot < piece.hi).map((slot) => slot - piece.lo) ?? [];
  return own.length === 0 ? piece : { ...piece, claim: { ...piece.claim, noted: own } };
}
