/** Steps, sleeps, signals, graphs, batches, keys and pauses with the real clock: the same cases on a real SQLite file and a real PostgreSQL. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contract, fixed, implementContract, job, type Implemented } from "../src/contract/index.ts";
import { sleep, systemClock } from "../src/core/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { onPlace, placeNames, until, type Worker } from "./worker-place.ts";

/** Every sleep ends its run, so that tests need no long ones. */
const limits = { sleepInPlaceMs: 0, clockSkewMs: 0 };

const order = job("order", {
  input: { id: t.int(), wait: t.string() },
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
const spoil = job("spoil", { input: {}, retry: { attempts: 1 } });
const shop = contract("shop.v1", { order, pack, send, spoil });

function handlers(seen: string[]): Implemented {
  return implementContract(shop, {
    handlers: {
      order: async function* ({ input, job: run }) {
        const number = await run.step("charge", () => seen.push("charge"));
        if (run.attempt === 1) throw new Error("again");
        await run.sleep("cool off", 30);
        run.progress("waits");
        const { by } = yield* await run.waitFor("approved", { timeout: input.wait });
        return { text: `${number} ${by}` };
      },
      pack: async ({ input }) => {
        seen.push(`${input.order}${input.parcel}`);
        await sleep(systemClock, 1);
        return { parcel: input.parcel };
      },
      send: async ({ job: run }) => ({ parcels: (await run.parents(pack)).map(({ output }) => output?.parcel ?? -1) }),
      spoil: () => {
        throw new Error("spoilt");
      },
    },
  });
}

for (const name of placeNames) {
  describe(`workflows on ${name}`, () => {
    /** Runs `act` with what starts a worker on a clean place; several may follow each other. */
    const withWorkers = (act: (start: () => Promise<Worker>, seen: string[]) => Promise<void>) => () =>
      onPlace(name, async ({ worker }) => {
        const seen: string[] = [];
        await act(() => worker(shop, handlers(seen), { limits }), seen);
      });

    test(
      "a job with steps goes on in the next process where the last one left it",
      withWorkers(async (start, seen) => {
        const first = await start();
        const ref = value(await first.jobs.enqueue(order, { id: 1, wait: "1m" }));
        await until(async () => value(await first.jobs.get(ref.id))?.state === "waiting");
        const info = value(await first.jobs.get(ref.id));
        // The sleep and the wait are of the second attempt, which is not counted while it rests.
        assert.deepEqual([info?.attempt, info?.errors.length, info?.progress], [1, 1, "waits"]);
        assert.equal((await first.end()).outcome, "drained");

        const second = await start();
        assert.equal(value(await second.jobs.signal(order, ref.id, "approved", { by: "ada" })), "ready");
        assert.deepEqual(value(await second.jobs.ref(order, ref.id).result()), { text: "1 ada" });
        assert.deepEqual(seen, ["charge"]);
        await second.end();
      }),
    );

    test(
      "a signal that comes before it is waited for is kept, the first counts, and one that does not come in time is a fault",
      withWorkers(async (start) => {
        const { jobs, end } = await start();
        const early = value(await jobs.enqueue(order, { id: 1, wait: "1m" }, { delay: "1s" }));
        assert.equal(value(await jobs.signal(order, early.id, "approved", { by: "first" })), "scheduled");
        value(await jobs.signal(order, early.id, "approved", { by: "second" }));
        assert.deepEqual(value(await early.result()), { text: "1 first" });
        assert.equal(value(await jobs.signal(order, early.id, "approved", { by: "late" })), undefined);
        const late = value(await jobs.enqueue(order, { id: 2, wait: "20ms" }));
        const result = await late.result();
        assert.ok(!result.ok && result.fault.code === "SIGNAL_TIMED_OUT");
        await end();
      }),
    );

    test(
      "a batch of ordered keys runs in order within each key, and its last job has every output",
      withWorkers(async (start, seen) => {
        const { jobs, end } = await start();
        const inputs = ["a", "b", "c"].flatMap((id) =>
          Array.from({ length: 20 }, (_, parcel) => ({ order: id, parcel })),
        );
        const made = value(await jobs.batch(pack, inputs, { job: send, input: {} }));
        assert.deepEqual(
          value(await made.last.result()).parcels,
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
      }),
    );

    test(
      "a graph runs in its order, fans in, and where a part fails what depends on it is cancelled",
      withWorkers(async (start, seen) => {
        const { jobs, end } = await start();
        const graph = jobs.graph();
        const first = graph.add(pack, { order: "g", parcel: 1 });
        const wide = [2, 3].map((parcel) => graph.add(pack, { order: `g${parcel}`, parcel }, { after: [first] }));
        const last = graph.add(send, {}, { after: wide });
        const bad = graph.add(spoil, {}, { after: [first] });
        const never = graph.add(send, {}, { after: [bad, last] });
        const always = graph.add(send, {}, { after: [never, first], on: "finished" });
        const started = value(await graph.enqueue());
        assert.deepEqual(value(await started.ref(last).result()), { parcels: [2, 3] });
        const cancelled = await started.ref(never).result();
        assert.ok(!cancelled.ok && cancelled.fault.code === "JOB_CANCELLED");
        const info = value(await jobs.get(started.ref(never).id));
        assert.deepEqual([info?.state, info?.errors.map(({ code }) => code)], ["cancelled", ["DEPENDENCY_FAILED"]]);
        assert.deepEqual(value(await started.ref(always).result()), { parcels: [1] });
        assert.equal(seen[0], "g1");
        await end();
      }),
    );

    test(
      "a pause outlives the process that asked for it",
      withWorkers(async (start, seen) => {
        const first = await start();
        value(await first.jobs.pause({ queue: "warehouse" }));
        await first.end();
        const second = await start();
        const held = value(await second.jobs.enqueue(pack, { order: "a", parcel: 1 }));
        const other = value(await second.jobs.enqueue(send, {}));
        assert.deepEqual(value(await other.result()), { parcels: [] });
        assert.deepEqual([value(await second.jobs.paused()), seen], [["pack"], []]);
        value(await second.jobs.resume(pack));
        assert.deepEqual(value(await held.result()), { parcel: 1 });
        await second.end();
      }),
    );
  });
}
