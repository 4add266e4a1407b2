/** The row path in the hands of two processes at once: limits of keys and gates, order, turns of tenants; and that nothing is lost. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { seededRandom } from "../src/core/index.ts";
import type { ClaimedJob, JobPolicy, NewJob } from "../src/jobs/index.ts";
import { Connection } from "../src/postgres/connection.ts";
import { RowPath, type Turn } from "../src/postgres/rows/index.ts";
import { emptyDatabase, openDatabase } from "./postgres-place.ts";
import { postgresKinds, type PostgresKind } from "./postgres-server.ts";

const policies: { readonly [name: string]: JobPolicy } = {
  two: { perKey: { concurrency: 2 }, gates: [{ id: "shared", concurrency: 5 }] },
  order: { perKey: { ordered: true } },
  gate: {
    gates: [
      { id: "shared", concurrency: 5 },
      { id: "narrow", concurrency: 3 },
    ],
  },
  plain: {},
};
const names = Object.keys(policies);
const policy = (name: string): JobPolicy | undefined => policies[name];

/** One process: its connection, its epoch, what it runs. */
class Process {
  readonly rows: RowPath;
  readonly connection: Connection;
  readonly running = new Map<string, ClaimedJob>();
  readonly epoch: number;
  #claim = 0;

  constructor(url: string, epoch: number) {
    this.connection = new Connection({ target: { url }, name: `test ${epoch}`, schema: "tensile", pooled: false });
    this.rows = new RowPath(this.connection, policy);
    this.epoch = epoch;
  }

  turn(credit: number, of: readonly string[] = names): Promise<Turn> {
    const fence = { epoch: this.epoch, claim: ++this.#claim };
    return this.rows.turn(fence, new Map(of.map((name) => [name, credit])), 1_000_000, false);
  }
}

const sorted = (texts: readonly string[]): string[] => texts.toSorted((a, b) => a.localeCompare(b));
const job = (name: string, more: Partial<NewJob> = {}): NewJob => ({ name, priority: 5, payload: "", ...more });

for (const kind of postgresKinds()) describe(`rows in PostgreSQL (${kind})`, () => rowTests(kind));

function rowTests(kind: PostgresKind): void {
  let url = "";
  let processes: readonly [Process, Process];
  before(async () => {
    url = await openDatabase(kind);
  });
  const withTwo = (run: (one: Process, two: Process) => Promise<void>) => async (): Promise<void> => {
    processes = [new Process(url, 1), new Process(url, 2)];
    // Their leases are not what is tested here.
    for (const { connection, epoch } of processes)
      await connection.run(
        "INSERT INTO tensile.process (epoch, until) VALUES ($1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false",
        [epoch],
      );
    try {
      await run(...processes);
    } finally {
      for (const { connection } of processes) await connection.close();
      await emptyDatabase(url);
    }
  };
  after(() => undefined);

  test(
    "at most so many of a key and a gate run in the fleet, keys stay in order, and every job runs once",
    withTwo(async (one, two) => {
      const random = seededRandom(7);
      const below = (most: number): number => Math.floor(random.next() * most);
      const fleet = new Fleet(one, two);
      const total = 400;
      for (let enqueued = 0; fleet.done.size < total;) {
        const process = below(2) === 0 ? one : two;
        const batch = Array.from({ length: Math.min(total - enqueued, below(30)) }, () => {
          const name = names[below(names.length)] ?? "plain";
          return job(name, {
            priority: below(3),
            key: `k${below(4)}`,
            ...(below(3) === 0 && { tenant: `t${below(3)}` }),
          });
        });
        enqueued += batch.length;
        // Both claim at the same time, while one enqueues and both settle.
        const [ids] = await Promise.all([
          batch.length === 0 ? [] : process.rows.enqueue(batch, null),
          fleet.settleSome(one, below(8), below),
          fleet.settleSome(two, below(8), below),
          fleet.claim(one, below(12)),
          fleet.claim(two, below(12)),
        ]);
        assert.ok(ids.every(({ duplicate }) => !duplicate));
      }
      const counts = await one.rows.counts();
      assert.deepEqual(counts, {
        waiting: 0,
        scheduled: 0,
        ready: 0,
        running: 0,
        succeeded: total,
        failed: 0,
        cancelled: 0,
      });
    }),
  );

  test(
    "many jobs of a blocked key are passed once: the others are claimed behind them, and the key's come one by one",
    withTwo(async (one, two) => {
      await one.rows.enqueue(
        Array.from({ length: 3_000 }, () => job("two", { key: "busy", priority: 1 })),
        null,
      );
      await one.rows.enqueue(
        Array.from({ length: 3 }, (_, index) => job("two", { key: `idle ${index}` })),
        null,
      );
      const claimed: ClaimedJob[] = [];
      for (let turn = 0; turn < 5; turn++) claimed.push(...(await two.turn(5, ["two"])).claimed);
      assert.deepEqual(sorted(claimed.map(({ key }) => key ?? "")), ["busy", "busy", "idle 0", "idle 1", "idle 2"]);
      const first = claimed.find(({ key }) => key === "busy");
      assert.ok(first);
      await two.rows.settle([{ job: first, to: "succeeded" }], [false]);
      const next = await one.turn(5, ["two"]);
      assert.deepEqual(
        next.claimed.map(({ key }) => key),
        ["busy"],
      );
    }),
  );

  test(
    "a candidate that is cancelled passes its slot on",
    withTwo(async (one) => {
      const receipts = await one.rows.enqueue(
        Array.from({ length: 5 }, () => job("order", { key: "k" })),
        null,
      );
      const [first] = (await one.turn(5, ["order"])).claimed;
      assert.equal(first?.id, receipts[0]?.id);
      await one.rows.cancel(receipts[2]?.id ?? "");
      await one.rows.cancel(receipts[1]?.id ?? "");
      await one.rows.settle([{ job: first as ClaimedJob, to: "succeeded" }], [false]);
      assert.deepEqual(
        (await one.turn(5, ["order"])).claimed.map(({ id }) => id),
        [receipts[3]?.id],
      );
    }),
  );

  test(
    "what a dead process ran frees its gates and keys, and its late settlement is stale",
    withTwo(async (one, two) => {
      await one.rows.enqueue(
        [job("order", { key: "k" }), job("order", { key: "k" }), ...Array.from({ length: 3 }, () => job("gate"))],
        null,
      );
      const lost = (await one.turn(10)).claimed;
      assert.equal(lost.length, 4);
      assert.equal((await two.turn(10)).claimed.length, 0);
      const { crashed } = await two.rows.rescue([1], () => 5);
      assert.deepEqual(sorted(crashed.map(({ name, again, failed }) => `${name} ${again} ${failed}`)), [
        "gate 3 0",
        "order 1 0",
      ]);
      const again = (await two.turn(10)).claimed;
      assert.deepEqual(
        sorted(again.map(({ id, attempt }) => `${id} ${attempt}`)),
        sorted(lost.map(({ id }) => `${id} 2`)),
      );
      const late = await one.rows.settle(
        lost.map((claimed) => ({ job: claimed, to: "succeeded" as const })),
        lost.map(() => false),
      );
      assert.deepEqual(late.receipts, ["stale", "stale", "stale", "stale"]);
    }),
  );

  test(
    "a settlement that was committed without an answer is settled when it is offered again, and changes nothing",
    withTwo(async (one, two) => {
      await one.rows.enqueue([job("plain"), job("plain")], null);
      const [done, retried] = (await one.turn(10)).claimed as [ClaimedJob, ClaimedJob];
      const error = { attempt: 1, at: 1, code: "X", message: "" };
      const settlements = [
        { job: done, to: "succeeded", result: "1" },
        { job: retried, to: "retry", runAt: Date.now() + 60_000, error },
      ] as const;
      assert.deepEqual((await one.rows.settle(settlements, [false, false])).receipts, ["settled", "settled"]);
      assert.deepEqual((await one.rows.settle(settlements, [true, true])).receipts, ["settled", "settled"]);
      assert.deepEqual((await two.rows.settle(settlements, [false, false])).receipts, ["stale", "stale"]);
      const record = (await two.rows.records([retried.id]))[0];
      assert.deepEqual([record?.state, record?.errors.length], ["scheduled", 1]);
    }),
  );

  test(
    "tenants take turns, whoever came first and however many each has",
    withTwo(async (one, two) => {
      const of = (tenant: string, count: number): NewJob[] =>
        Array.from({ length: count }, (_, index) => job("plain", { tenant, payload: `${tenant}${index}` }));
      await one.rows.enqueue([...of("a", 50), ...of("b", 2), ...of("c", 3)], null);
      const order: string[] = [];
      for (let turn = 0; turn < 4; turn++)
        order.push(...(await (turn % 2 === 0 ? one : two).turn(2, ["plain"])).claimed.map(({ payload }) => payload));
      assert.deepEqual(order, ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "c2"]);
      await one.rows.enqueue(of("d", 2), null);
      assert.deepEqual(
        (await one.turn(4, ["plain"])).claimed.map(({ payload }) => payload),
        ["a3", "d0", "a4", "d1"],
      );
    }),
  );
}

/** What must hold of two processes together, seen from their claims and settlements. */
class Fleet {
  readonly done = new Set<string>();
  readonly #all: readonly Process[];
  readonly #last = new Map<string, number>();

  constructor(...all: readonly Process[]) {
    this.#all = all;
  }

  async claim(process: Process, credit: number): Promise<void> {
    const { claimed } = await process.turn(credit);
    for (const one of claimed) {
      assert.ok(!this.done.has(one.id) && !process.running.has(one.id), `job ${one.id} ran twice`);
      process.running.set(one.id, one);
      if (one.name !== "order") continue;
      const key = one.key ?? "";
      assert.ok(Number(one.id) > (this.#last.get(key) ?? 0), `job ${one.id} of key ${key} is out of order`);
      this.#last.set(key, Number(one.id));
    }
    // What runs can only be fewer than what is known to run: settlements under way are still counted.
    const running = this.#all.flatMap((each) => [...each.running.values()]);
    const count = (holds: (one: ClaimedJob) => boolean): number => running.filter(holds).length;
    assert.ok(count(({ name }) => name === "two" || name === "gate") <= 5, "the shared gate");
    assert.ok(count(({ name }) => name === "gate") <= 3, "the narrow gate");
    for (const key of ["k0", "k1", "k2", "k3"]) {
      assert.ok(count((one) => one.name === "two" && one.key === key) <= 2, `two of ${key}`);
      assert.ok(count((one) => one.name === "order" && one.key === key) <= 1, `the order of ${key}`);
    }
  }

  async settleSome(process: Process, count: number, below: (most: number) => number): Promise<void> {
    const jobs = [...process.running.values()].slice(0, count);
    const ends = jobs.map(() => below(10) > 2);
    if (jobs.length === 0) return;
    // The slots are free at the commit, which another process may see before this one hears of it.
    jobs.forEach((one, index) => {
      process.running.delete(one.id);
      if (ends[index] !== true && one.name === "order") this.#last.set(one.key ?? "", Number(one.id) - 1);
    });
    const { receipts } = await process.rows.settle(
      jobs.map((one, index) =>
        ends[index] === true ? { job: one, to: "succeeded" as const } : { job: one, to: "released" as const },
      ),
      jobs.map(() => false),
    );
    assert.ok(receipts.every((receipt) => receipt === "settled"));
    jobs.forEach((one, index) => {
      if (ends[index] === true) this.done.add(one.id);
    });
  }
}
