/**
 * A transaction of a user that stays open for long on PostgreSQL, while others enqueue and work: nobody is held up, its jobs run after its commit, and
 * none is lost. `TENSILE_HELD_JOBS` makes it longer: 100000, say.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { contract, implementContract, job } from "../src/contract/index.ts";
import { transactionOf } from "../src/postgres/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { onPlace, until } from "./worker-place.ts";

const jobs = Number(process.env["TENSILE_HELD_JOBS"] ?? 2_000);
const input = { n: t.int() };
const plain = job("plain", { input, output: input });
const keyed = job("keyed", { input, output: input, key: ({ n }) => String(n % 50), perKey: { concurrency: 2 } });
const demo = contract("held.v1", { plain, keyed });

async function begin(address: string, how = ""): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query(`BEGIN ${how}`);
  // A transaction has a snapshot, which holds vacuum back, from its first statement on.
  await client.query("SELECT 1");
  return client;
}

test("jobs of a transaction that is held open over thousands of others run when it commits, and hold up nobody before", () =>
  onPlace("PostgreSQL", async ({ address, worker }) => {
    const seen: string[] = [];
    const handler = (of: string) => (call: { readonly input: { readonly n: number } }) => {
      seen.push(`${of} ${call.input.n}`);
      return { n: call.input.n };
    };
    const handlers = { plain: handler("plain"), keyed: handler("keyed") };
    const { store, jobs: own, session } = await worker(demo, implementContract(demo, { handlers }));
    assert.ok(store.kind === "postgres");
    const held = await begin(address);
    const thrownAway = await begin(address);
    const snapshot = await begin(address, "ISOLATION LEVEL REPEATABLE READ");
    const prepared = [];
    for (let n = 0; n < 20; n++) prepared.push(value(await own.prepare(n % 2 === 0 ? plain : keyed, { n: -1 - n })));
    const receipts = await store.enqueue(transactionOf(held), prepared);
    await store.enqueue(transactionOf(thrownAway), value(await own.prepare(plain, { n: -1_000 })));

    for (let n = 0; n < jobs; n += 400) {
      const inputs = Array.from({ length: 200 }, (_, at) => ({ n: n + at }));
      const refs = [...value(await own.enqueueMany(plain, inputs)), ...value(await own.enqueueMany(keyed, inputs))];
      for (const [at, result] of (await Promise.all(refs.map((ref) => ref.result()))).entries())
        assert.equal(value(result).n, n + (at % 200));
      assert.ok(!seen.some((one) => one.includes("-")), "nothing of an open transaction runs");
    }

    await held.query("COMMIT");
    await thrownAway.query("ROLLBACK");
    for (const [at, { id }] of receipts.entries())
      assert.deepEqual(value(await own.ref(at % 2 === 0 ? plain : keyed, id).result()), { n: -1 - at });
    await until(async () => value(await session.counts()).running === 0);
    const counts = value(await session.counts());
    assert.deepEqual([counts.succeeded, counts.ready, counts.failed], [jobs + 20, 0, 0]);
    assert.equal(new Set(seen).size, seen.length, "each ran once");
    for (const client of [held, thrownAway, snapshot]) await client.end();
  }));
