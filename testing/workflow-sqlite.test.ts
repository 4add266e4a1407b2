/** Steps, sleeps, signals, graphs, keys and pauses on a real SQLite file with the real clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fixed, implementContract, job, type Implemented } from "../src/contract/index.ts";
import { sleep, systemClock } from "../src/core/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { inFolder, worker } from "./sqlite-worker.ts";

/** Every sleep ends its run, so that tests need no long ones. */
const limits = { sleepInPlaceMs: 0, clockSkewMs: 0 };

const order = job("order", {
  input: { id: t.int() },
  output: { text: t.string() },
  retry: { attempts: 3, backoff: fixed("10ms") },
  signals: { approved: { by: t.string() } },
});
const pack = job("pack", {
  input: { order: t.string(), parcel: t.int() },
  output: { parcel: t.int() },
  queue: "warehouse",
  key: ({ order: id }) => id,
  perKey: { ordered: true },
});
const send = job("send", { input: {}, output: { parcels: t.array(t.int()) } });
const shop = contract("shop.v1", { order, pack, send });

function handlers(seen: string[]): Implemented {
  return implementContract(shop, {
    handlers: {
      order: async function* ({ job: run }) {
        const number = await run.step("charge", () => seen.push("charge"));
        if (run.attempt === 1) throw new Error("again");
        await run.sleep("cool off", 30);
        run.progress("waits");
        const { by } = yield* await run.waitFor("approved", { timeout: "1m" });
        return { text: `${number} ${by}` };
      },
      pack: async ({ input }) => {
        seen.push(`${input.order}${input.parcel}`);
        await sleep(systemClock, 1);
        return { parcel: input.parcel };
      },
      send: async ({ job: run }) => ({ parcels: (await run.parents(pack)).map(({ output }) => output?.parcel ?? -1) }),
    },
  });
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(systemClock, 5);
}

test("a job with steps goes on in the next process where the last one left it", async () => {
  await inFolder(async (path) => {
    const seen: string[] = [];
    const first = await worker(path, shop, handlers(seen), limits);
    const ref = value(await first.jobs.enqueue(order, { id: 1 }));
    await until(async () => value(await first.jobs.get(ref.id))?.state === "waiting");
    const info = value(await first.jobs.get(ref.id));
    // The sleep and the wait are of the second attempt, which is not counted while it rests.
    assert.deepEqual([info?.attempt, info?.errors.length], [1, 1]);
    assert.equal((await first.end()).outcome, "drained");

    const second = await worker(path, shop, handlers(seen), limits);
    assert.equal(value(await second.jobs.signal(order, ref.id, "approved", { by: "ada" })), "ready");
    assert.deepEqual(value(await second.jobs.ref(order, ref.id).result()), { text: "1 ada" });
    assert.deepEqual(seen, ["charge"]);
    await second.end();
  });
});

test("a batch of ordered keys runs in order within each key, and its last job has every output", async () => {
  await inFolder(async (path) => {
    const seen: string[] = [];
    const { jobs, end } = await worker(path, shop, handlers(seen), limits);
    const inputs = ["a", "b", "c"].flatMap((id) => Array.from({ length: 20 }, (_, parcel) => ({ order: id, parcel })));
    const made = value(await jobs.batch(pack, inputs, { job: send, input: {} }));
    const sent = value(await made.last.result());
    assert.deepEqual(
      sent.parcels,
      inputs.map(({ parcel }) => parcel),
    );
    for (const id of ["a", "b", "c"]) {
      const own = seen.filter((one) => one.startsWith(id));
      assert.deepEqual(
        own,
        Array.from({ length: 20 }, (_, parcel) => `${id}${parcel}`),
      );
    }
    await end();
  });
});

test("a pause outlives the process that asked for it", async () => {
  await inFolder(async (path) => {
    const seen: string[] = [];
    const first = await worker(path, shop, handlers(seen), limits);
    value(await first.jobs.pause({ queue: "warehouse" }));
    await first.end();
    const second = await worker(path, shop, handlers(seen), limits);
    const held = value(await second.jobs.enqueue(pack, { order: "a", parcel: 1 }));
    const other = value(await second.jobs.enqueue(send, {}));
    assert.deepEqual(value(await other.result()), { parcels: [] });
    assert.deepEqual([value(await second.jobs.paused()), seen], [["pack"], []]);
    value(await second.jobs.resume(pack));
    assert.deepEqual(value(await held.result()), { parcel: 1 });
    await second.end();
  });
});
