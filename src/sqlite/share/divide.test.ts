import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../core/index.ts";
import { Client } from "./client.ts";
import { divide } from "./divide.ts";

const names = ["a", "b"];

function client(credits: Readonly<Record<string, number>>, numbers: readonly string[] = names): Client {
  const made = new Client({ committed: () => undefined, notice: () => undefined });
  made.tell(0, numbers);
  for (const [name, credit] of Object.entries(credits)) made.grant(numbers.indexOf(name), credit);
  return made;
}

/** Entries of five bytes and more, each with its slot as its last byte. */
function entries(count: number): ArrayBuffer {
  const parts = Array.from({ length: count }, (_, slot) => {
    const bytes = Buffer.alloc(6 + (slot % 3), slot);
    bytes.writeUInt32LE(bytes.length, 0);
    return bytes;
  });
  return new Uint8Array(Buffer.concat(parts)).buffer;
}

/** `sizes`: jobs of "a" and "b" in turn. */
function claim(sizes: readonly number[]) {
  let seq = 100;
  const ranges = sizes.flatMap((n, index) => [index % 2, 5, (seq += 10), 3, n, 7]);
  const all = sizes.reduce((sum, n) => sum + n, 0);
  return { claim: 4, ranges: Float64Array.from(ranges), bytes: entries(all), noted: [0, all - 1] };
}

function slotsOf(bytes: Uint8Array): number[] {
  const slots: number[] = [];
  const view = Buffer.from(bytes);
  for (let at = 0; at < view.length;) {
    const size = view.readUInt32LE(at);
    slots.push(view[at + size - 1] as number);
    at += size;
  }
  return slots;
}

test("jobs that two want are dealt evenly, each piece with the slots and bytes that are its own", () => {
  const one = client({ a: 10 });
  const two = client({ a: 10 }, ["x", "y", "a"]);
  const pieces = divide(claim([6]), [one, two], (number) => names[number] as string);
  assert.deepEqual(
    pieces.map((piece) => [piece.client === one, piece.lo, piece.hi, slotsOf(piece.bytes), piece.claim.noted]),
    [
      [true, 0, 3, [0, 1, 2], [0]],
      [false, 3, 6, [3, 4, 5], [2]],
    ],
  );
  // Each by its own number of the name.
  assert.deepEqual(
    pieces.map(({ claim: { ranges, slot } }) => [[...ranges], slot]),
    [
      [[0, 5, 110, 3, 3, 7], 0],
      [[2, 5, 110, 6, 3, 7], 3],
    ],
  );
  assert.deepEqual([one.credit.get("a"), two.credit.get("a")], [7, 7]);
});

test("a lone job goes to who has most room", () => {
  const busy = client({ a: 1 });
  const free = client({ a: 50 });
  for (const order of [
    [busy, free],
    [free, busy],
  ]) {
    const [piece] = divide(claim([1]), order, () => "a");
    assert.equal(piece?.client, free);
  }
});

test("whatever the credits are, each job goes to one that has credit for it, and no credit is exceeded", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 300; round++) {
    const sizes = Array.from({ length: 1 + random.int(5) }, () => 1 + random.int(9));
    const wanted = [0, 1].map((name) => sizes.reduce((sum, n, index) => sum + (index % 2 === name ? n : 0), 0));
    const clients = Array.from({ length: 1 + random.int(4) }, () => client({ a: random.int(12), b: random.int(12) }));
    names.forEach((name, index) => {
      // What the writer claims is never more than all of the credit.
      const all = clients.reduce((sum, one) => sum + (one.credit.get(name) ?? 0), 0);
      const short = (wanted[index] as number) - all;
      if (short > 0) (clients[0] as Client).grant(index, short);
    });
    const pieces = divide(claim(sizes), clients, (number) => names[number] as string);
    const all = pieces.flatMap(({ bytes }) => slotsOf(bytes));
    assert.deepEqual(
      all,
      Array.from({ length: sizes.reduce((sum, n) => sum + n, 0) }, (_, slot) => slot),
    );
    for (const one of clients) for (const left of one.credit.values()) assert.ok(left >= 0);
  }
});
