/** What only the SQLite store can be asked about dependencies, notes and keys: bounded commits, retention, a crash between two commits, transactions. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { NewJob } from "../src/jobs/index.ts";
import { sqlite, type SqliteStore } from "../src/sqlite/index.ts";
import { failure, keepMany, StoreBench, value, type BenchOptions } from "../src/testing/store-harness.ts";

interface Place {
  readonly bench: StoreBench;
  readonly path: string;
  /** The store as it was opened last. */
  readonly store: () => SqliteStore;
}

function flow(options: BenchOptions, run: (place: Place) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "tensile-flow-"));
    const path = join(folder, "jobs.db");
    let store = sqlite(path);
    const bench = new StoreBench(
      { store: () => (store = sqlite(path)), remove: () => rm(folder, { recursive: true }) },
      options,
    );
    try {
      await bench.open();
      await run({ bench, path, store: () => store });
    } finally {
      await bench.end();
    }
  };
}

function job(name: string, more: Partial<NewJob> = {}): NewJob {
  return { name, priority: 5, payload: "null", ...more };
}

function rows(path: string, table: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  } finally {
    db.close();
  }
}

/** Every table that only jobs with dependencies, notes or keys use. */
function leftOver(path: string): number {
  const tables = ["wait", "dependency", "ended", "note", "unique", "placed", "error", "parked"];
  return tables.reduce((sum, table) => sum + rows(path, `tensile_${table}`), 0);
}

test(
  "children of one parent hear of its end in bounded commits, also across a restart in the middle",
  flow({}, async ({ bench, path }) => {
    const parent = await bench.enqueueOne({ name: "parent" });
    const children = 4_500;
    const receipts = value(
      await bench.session.enqueue(
        Array.from({ length: children }, () => job("child", { after: { jobs: [parent], on: "succeeded" } })),
      ),
    );
    assert.equal((await bench.counts("child")).waiting, children);
    const hands = bench.hands("parent");
    const claimed = await hands.takeOne("parent");
    await bench.settle({ job: claimed, to: "succeeded", result: '"r"' });
    // The settlement was answered with its own commit: the rest of the children hear in later ones, or after the restart.
    await bench.reopen();
    for (;;) {
      const counts = await bench.counts("child");
      if (counts.ready === children) break;
      assert.equal(counts.ready + counts.waiting, children);
    }
    assert.equal(rows(path, "tensile_wait"), 0);
    const last = receipts.at(-1)?.id ?? "";
    assert.deepEqual(value((await bench.session.dependencies?.(last)) ?? assert.fail()), [
      { id: parent, name: "parent", state: "succeeded", result: '"r"' },
    ]);
  }),
);

test(
  "a failure cascades through chains and wide levels in bounded commits, and those who wait for the cancelled are told",
  flow({}, async ({ bench }) => {
    const width = 1_500;
    const wide = Array.from({ length: width }, (_, i) =>
      job("wide", { after: { jobs: [0], on: "succeeded" as const }, payload: String(i) }),
    );
    const receipts = value(
      await bench.session.enqueue([
        job("root"),
        ...wide,
        job("join", { after: { jobs: wide.map((_, i) => i + 1), on: "succeeded" } }),
        job("report", { after: { jobs: [width + 1], on: "finished" } }),
      ]),
    );
    const join = receipts[width + 1]?.id ?? "";
    const told = bench.session.finished(join);
    const claimed = await bench.hands("root").takeOne("root");
    await bench.settle({ job: claimed, to: "failed", error: failure(claimed) });
    const record = value(await told);
    assert.equal(record?.state, "cancelled");
    assert.equal(record?.errors[0]?.code, "DEPENDENCY_FAILED");
    const report = receipts[width + 2]?.id ?? "";
    for (;;) if ((await bench.counts("wide")).cancelled === width) break;
    for (;;) if ((await bench.state(report)) === "ready") break;
  }),
);

test(
  "twenty thousand parents of one child are enqueued with it, and the last of them to end lets it go",
  flow({ retention: { ...keepMany, succeeded: { ageMs: 0, count: 0 } } }, async ({ bench, path }) => {
    const many = 20_000;
    const parents = Array.from({ length: many }, () => job("parent"));
    const all = value(
      await bench.session.enqueue([
        ...parents,
        job("child", { after: { jobs: parents.map((_, i) => i), on: "succeeded" } }),
      ]),
    );
    const child = all.at(-1)?.id ?? "";
    const hands = bench.hands("parent", "child");
    hands.grant("parent", many);
    for (let done = 0; done < many;) {
      const jobs = await hands.take(Math.min(5_000, many - done));
      done += jobs.length;
      assert.equal(await bench.state(child), "waiting");
      await bench.settle(...jobs.map((one) => ({ job: one, to: "succeeded" as const, result: "1" })));
    }
    const claimed = await hands.takeOne("child");
    assert.equal(claimed.id, child);
    // Nothing of the parents is kept but what the child may ask for.
    assert.equal(value(await bench.session.get(all[0]?.id ?? "")), undefined);
    const known = value((await bench.session.dependencies?.(child)) ?? assert.fail());
    assert.equal(known.length, many);
    assert.deepEqual(known[many - 1], { id: all[many - 1]?.id, name: "parent", state: "succeeded", result: "1" });
    await bench.settle({ job: claimed, to: "succeeded" });
    await bench.counts();
    assert.equal(leftOver(path), 0);
  }),
);

test(
  "nothing is left of notes, dependencies and keys when retention removes their jobs",
  flow(
    {
      retention: {
        succeeded: { ageMs: 0, count: 0 },
        failed: { ageMs: 0, count: 0 },
        cancelled: { ageMs: 0, count: 0 },
      },
    },
    async ({ bench, path }) => {
      const hands = bench.hands("a", "b", "c");
      await bench.enqueue({ name: "a", uniqueKey: "k", unique: { scope: "s", until: "started" } });
      const first = await hands.takeOne("a");
      value((await bench.session.note?.(first, [{ name: "step:1", value: "1" }], "50")) ?? assert.fail());
      const [child] = await bench.enqueue({ name: "b", after: { jobs: [first.id], on: "finished" } });
      await bench.enqueue({ name: "c", after: { jobs: [child?.id ?? "", "77777"], on: "succeeded" } });
      await bench.settle({ job: first, to: "retry", runAt: 0, error: failure(first) });
      const again = await hands.takeOne("a");
      assert.equal(again.noted, true);
      await bench.settle({ job: again, to: "failed", error: failure(again) });
      const second = await hands.takeOne("b");
      value((await bench.session.note?.(second, [{ name: "x", value: "1" }])) ?? assert.fail());
      await bench.settle({ job: second, to: "succeeded" });
      value(await bench.session.prune());
      assert.equal(leftOver(path), 0);
    },
  ),
);

test(
  "what fails in a commit leaves memory as it was: dependencies of a refused transaction hold nobody up",
  flow({}, async ({ bench, store, path }) => {
    const hands = bench.hands("a", "b");
    const [parent] = await bench.enqueue({ name: "a" });
    const refused = await store().transaction((tx) => {
      tx.enqueue(job("b", { after: { jobs: [parent?.id ?? ""], on: "succeeded" } }));
      tx.run("INSERT INTO nowhere VALUES (1)");
    });
    assert.ok(!refused.ok);
    const done = await store().transaction((tx) => {
      tx.enqueue(job("a", { payload: "2" }));
      tx.enqueue(job("b", { after: { jobs: [0, parent?.id ?? ""], on: "succeeded" }, delayMs: 5 }));
      tx.enqueue(job("a", { uniqueKey: "k", unique: { windowMs: 10 } }));
    });
    assert.ok(done.ok);
    const [, child] = done.value.jobs;
    assert.equal(await bench.state(child?.id ?? ""), "waiting");
    assert.equal(rows(path, "tensile_wait"), 1);
    hands.grant("a", 3);
    const jobs = await hands.take(3);
    await bench.settle(...jobs.map((one) => ({ job: one, to: "succeeded" as const })));
    assert.equal(await bench.state(child?.id ?? ""), "scheduled");
    await bench.clock.advance(5);
    assert.equal((await hands.takeOne("b")).id, child?.id);
    // The key of a finished job is held by time, and free when that is over.
    assert.equal((await bench.enqueue({ name: "a", uniqueKey: "k" }))[0]?.duplicate, true);
    await bench.clock.advance(6);
    assert.equal((await bench.enqueue({ name: "a", uniqueKey: "k" }))[0]?.duplicate, false);
  }),
);

test(
  "a crash leaves waiting jobs waiting, and tells the dependents of jobs that it failed",
  flow({ maxAttempts: () => 1 }, async ({ bench }) => {
    const parent = await bench.enqueueOne({ name: "a" });
    const onSuccess = await bench.enqueueOne({ name: "b", after: { jobs: [parent], on: "succeeded" } });
    const onEnd = await bench.enqueueOne({ name: "b", after: { jobs: [parent], on: "finished" } });
    const waits = await bench.enqueueOne({ name: "c" });
    const hands = bench.hands("a", "c");
    const waiter = await hands.takeOne("c");
    await bench.settle({ job: waiter, to: "waiting", signal: "go" });
    await hands.takeOne("a");
    await bench.reopen();
    assert.equal(await bench.state(parent), "failed");
    for (;;) if ((await bench.state(onSuccess)) === "cancelled") break;
    assert.equal(await bench.state(onEnd), "ready");
    assert.equal(await bench.state(waits), "waiting");
    assert.equal(value((await bench.session.signal?.(waits, "go", "1")) ?? assert.fail()), "ready");
    const again = await bench.hands("c").takeOne("c");
    assert.deepEqual([again.id, again.attempt, again.noted], [waits, 1, true]);
  }),
);
