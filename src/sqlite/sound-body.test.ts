/** Every bit of a block's body, flipped: all jobs but the one that it belongs to stay what they were. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryOffsets, readEntry, writeEntry, type Entry, type StoredEntry } from "./entries.ts";
import { soundBody } from "./sound-body.ts";

const plain = (n: number): StoredEntry => ({
  id: 100 + n,
  attempt: 2,
  enqueuedAt: 1_790_000_000_000,
  key: undefined,
  payload: Buffer.from(JSON.stringify({ n, text: "x".repeat(n) })),
});
const keyed = (n: number): StoredEntry => ({ ...plain(n), key: `u${n}`, jobKey: `k${n}`, tenant: "t" });

function bodyOf(entries: readonly StoredEntry[], moved: boolean): Buffer {
  return Buffer.concat(entries.map((entry) => writeEntry(entry, moved)));
}

function entriesOf(body: Buffer, n: number): Entry[] {
  return Array.from(entryOffsets(body, n).subarray(0, n), (offset) => readEntry(body, offset));
}

for (const [what, make, moved] of [
  ["new jobs", plain, false],
  ["jobs that have moved", plain, true],
  ["new jobs with keys and tenants", keyed, false],
  ["moved jobs with keys and tenants", keyed, true],
] as const) {
  const entries = Array.from({ length: 8 }, (_, n) => make(n));
  const body = bodyOf(entries, moved);
  const right = entriesOf(body, entries.length);

  test(`${what}: a sound body is taken as it is`, () => {
    assert.equal(soundBody(body, entries.length, moved).buffer, body.buffer);
  });

  test(`${what}: one flipped bit costs one job at most`, () => {
    for (let bit = 0; bit < body.length * 8; bit++) {
      const flipped = Buffer.from(body);
      flipped[bit >> 3] = flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7));
      const found = entriesOf(soundBody(flipped, entries.length, moved), entries.length);
      const wrong = found.flatMap((entry, n) => (JSON.stringify(entry) === JSON.stringify(right[n]) ? [] : [n]));
      assert.ok(wrong.length <= 1, `bit ${bit} costs the jobs ${wrong.join(", ")}`);
    }
  });

  test(`${what}: what is cut off costs what was there, and whatever else was written over is not taken for jobs`, () => {
    for (let length = 0; length < body.length; length++) {
      const found = entriesOf(soundBody(body.subarray(0, length), entries.length, moved), entries.length);
      assert.equal(found.length, entries.length);
      const whole = entryOffsets(body, entries.length)
        .subarray(1)
        .filter((end) => end <= length);
      for (const n of whole.keys()) assert.deepEqual(found[n]?.payload, right[n]?.payload);
    }
    const rubbish = soundBody(Buffer.alloc(200, 0xff), entries.length, moved);
    for (const { payload } of entriesOf(rubbish, entries.length))
      assert.throws(() => void JSON.parse(Buffer.from(payload).toString()));
  });
}
