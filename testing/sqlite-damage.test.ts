/** An SQLite file in which bytes were flipped: where jobs begin and end in a block, and in a payload. One job is lost at most, and says so; all others run. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { contract, fixed, implementContract, job } from "../src/contract/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { onPlace, until } from "./worker-place.ts";

const count = job("count", { input: { n: t.int() }, retry: { attempts: 2, backoff: fixed("1ms") } });
const counting = contract("counting.v1", { count });
const numbers = Array.from({ length: 30 }, (_, n) => n);

/** Three blocks of ten jobs; `damage` is done to the body of the second. Answers which ran, and the ids and faults of those that could not. */
async function runDamaged(damage: (body: Buffer, sizes: readonly number[]) => void) {
  const seen: number[] = [];
  const failed: (readonly [id: string, code: string | undefined])[] = [];
  const app = implementContract(counting, { handlers: { count: ({ input }) => void seen.push(input.n) } });
  await onPlace("SQLite", async ({ address, worker }) => {
    const before = await worker(counting, app, { idle: true });
    for (const from of [0, 10, 20])
      value(
        await before.jobs.enqueueMany(
          count,
          numbers.slice(from, from + 10).map((n) => ({ n })),
        ),
      );
    await before.end();
    damageBlock(address, damage);

    const after = await worker(counting, app);
    await until(async () => {
      const { succeeded, failed: dead } = value(await after.jobs.counts());
      return succeeded + dead === numbers.length;
    });
    for (const { id, errors } of value(await after.jobs.deadLetters()).jobs) failed.push([id, errors.at(-1)?.code]);
    assert.equal(value(await after.jobs.list({ limit: 100 })).length, numbers.length);
    await after.end();
  });
  return { seen: seen.toSorted((one, other) => one - other), failed };
}

function damageBlock(path: string, damage: (body: Buffer, sizes: readonly number[]) => void): void {
  const db = new DatabaseSync(path);
  try {
    const [, row] = db.prepare("SELECT seq, n, body FROM tensile_block ORDER BY seq").all();
    assert.ok(row !== undefined && row["body"] instanceof Uint8Array);
    const body = Buffer.from(row["body"]);
    const sizes: number[] = [];
    for (let at = 0; at < body.length; at += body.readUInt32LE(at)) sizes.push(at);
    damage(body, sizes);
    db.prepare("UPDATE tensile_block SET body = ? WHERE seq = ?").run(body, row["seq"] ?? 0);
  } finally {
    db.close();
  }
}

test("a flipped bit in where a job ends costs nothing: what follows says where that is", async () => {
  for (const bit of [3, 31]) {
    const { seen, failed } = await runDamaged((body, sizes) => {
      const at = (sizes[4] ?? 0) + (bit >> 3);
      body[at] = body.readUInt8(at) ^ (1 << (bit & 7));
    });
    assert.deepEqual({ seen, failed }, { seen: numbers, failed: [] });
  }
});

test("a flipped bit in a payload costs that job, which ends as INVALID_PAYLOAD", async () => {
  const { seen, failed } = await runDamaged((body, sizes) => {
    const at = (sizes[5] ?? 0) - 1;
    body[at] = body.readUInt8(at) ^ 1;
  });
  assert.deepEqual(
    seen,
    numbers.filter((n) => n !== 14),
  );
  assert.deepEqual(failed, [["15", "INVALID_PAYLOAD"]]);
});

test("a block whose second half was written over loses that half, as INVALID_PAYLOAD, and no other block loses anything", async () => {
  const { seen, failed } = await runDamaged((body, sizes) => body.fill(0xff, sizes[5]));
  assert.deepEqual(
    seen,
    numbers.filter((n) => n < 15 || n > 19),
  );
  assert.deepEqual(
    failed,
    ["16", "17", "18", "19", "20"].map((id) => [id, "INVALID_PAYLOAD"]),
  );
});
