import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { MoveRecord, StoreSession } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { claim, collect, endInEveryWay, jobsOf, newJob, openForMove, pages } from "./move-harness.ts";
import { value } from "../src/testing/store-harness.ts";

const folder = mkdtempSync(join(tmpdir(), "tensile-move-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const file = (): string => join(folder, `store-${++files}.db`);

/** Jobs in every state that a job can be in without waiting for others. */
async function fill(session: StoreSession): Promise<void> {
  const later = Date.now() + 3_600_000;
  value(
    await session.enqueue(
      Array.from({ length: 8 }, (_, n) => newJob("run", { payload: `{"n":${n}}`, context: `c${n}` })),
    ),
  );
  const claimed = await claim(session, "run", 8);
  await endInEveryWay(session, claimed, later);
  value(
    await session.enqueue([
      newJob("keyed", { uniqueKey: "k", priority: 0 }),
      newJob("scoped", { uniqueKey: "k", unique: { scope: "mail", until: "started", windowMs: 60_000 } }),
      newJob("later", { runAt: later }),
      newJob("theirs", { key: "order-7", tenant: "acme" }),
      newJob("theirs", { key: "order-7", tenant: "acme", runAt: later }),
      newJob("report", { occurrence: { schedule: "report", at: 1_700_000_000_000 } }),
      ...Array.from({ length: 2_500 }, (_, n) => newJob("many", { payload: `{"n":${n}}` })),
    ]),
  );
}

test("a live file moves to another with ids, attempts, errors, times, keys and schedules", async () => {
  const path = file();
  const source = sqlite(path);
  const session = value(await source.open(openForMove));
  await fill(session);
  // As another process reads it, while this one has it open.
  const records = await collect(sqlite(path).exportRecords());
  const listed = value(await session.list({ limit: 1_000 }));
  assert.deepEqual(
    jobsOf(records)
      .slice(0, 1_000)
      .map(({ id }) => id),
    listed.map(({ id }) => id),
  );
  const before = value(await session.counts());
  await session.close();

  const target = sqlite(file());
  await target.importRecords(pages(records));
  const moved = value(await target.open(openForMove));
  // The running one is ready again.
  assert.deepEqual(value(await moved.counts()), { ...before, running: 0, ready: before.ready + before.running });
  const again = await collect(target.exportRecords());
  const was = new Map(jobsOf(records).map((record) => [record.id, record]));
  for (const record of jobsOf(again)) {
    const old = was.get(record.id);
    if (old?.state === "running") {
      assert.deepEqual([record.state, record.attempt, record.errors.at(-1)?.code], ["ready", 1, "CRASHED"]);
    } else assert.deepEqual(record, old);
  }
  assert.equal(again.length, records.length);
  assert.equal(value(await moved.occurrences()).get("report"), 1_700_000_000_000);
  await moved.close();
});

test("after the move jobs run in their order, keys are held, and new ids are above all old ones", async () => {
  const source = sqlite(file());
  const session = value(await source.open(openForMove));
  await fill(session);
  const records = await collect(source.exportRecords());
  await session.close();
  const target = sqlite(file());
  await target.importRecords(pages(records, 7));
  const moved = value(await target.open(openForMove));
  assert.equal(value(await moved.enqueue([newJob("keyed", { uniqueKey: "k" })]))[0]?.duplicate, true);
  const scoped = newJob("other", { uniqueKey: "k", unique: { scope: "mail", windowMs: 60_000 } });
  assert.equal(value(await moved.enqueue([scoped]))[0]?.duplicate, true);
  const report = newJob("report", { occurrence: { schedule: "report", at: 1_700_000_000_000 } });
  assert.equal(value(await moved.enqueue([report]))[0]?.duplicate, true);
  const ids = jobsOf(records).map(({ id }) => Number(id));
  const [young] = value(await moved.enqueue([newJob("many")]));
  assert.ok(Number(young?.id) > Math.max(...ids));
  const claimed = await claim(moved, "many", 2_501);
  const order = claimed.map(({ payload }) => payload);
  assert.deepEqual(
    order.slice(0, 2_500),
    Array.from({ length: 2_500 }, (_, n) => `{"n":${n}}`),
  );
  value(await moved.settle(claimed.map((one) => ({ job: one, to: "succeeded" }))));
  await moved.close();
});

test("a file that holds jobs is refused, unless both are to be merged; an id that is taken always", async () => {
  const source = sqlite(file());
  const session = value(await source.open(openForMove));
  value(await session.enqueue([newJob("a"), newJob("b")]));
  const records = await collect(source.exportRecords());
  await session.close();
  await assert.rejects(source.importRecords(pages(records)), /holds jobs already/);
  await assert.rejects(source.importRecords(pages(records), { merge: true }), /has a job 1 already/);
  const apart = records.map((record): MoveRecord =>
    record.type === "job" ? { ...record, job: { ...record.job, id: `10000${record.job.id}` } } : record,
  );
  await source.importRecords(pages(apart), { merge: true });
  const merged = value(await source.open(openForMove));
  assert.equal(value(await merged.counts()).ready, 4);
  await merged.close();
});

test("an import that breaks off has changed nothing, and one into an open store is refused", async () => {
  const source = sqlite(file());
  const session = value(await source.open(openForMove));
  await fill(session);
  const records = await collect(source.exportRecords());
  await assert.rejects(source.importRecords(pages(records)), /is open\. Close it before an import/);
  await session.close();
  const target = sqlite(file());
  const breaksOff = async function* (): AsyncGenerator<readonly MoveRecord[]> {
    yield records.slice(0, 1_000);
    throw new Error("the pipe broke");
  };
  await assert.rejects(target.importRecords(breaksOff()), /the pipe broke/);
  const empty = value(await target.open(openForMove));
  assert.deepEqual(value(await empty.list({})), []);
  await empty.close();
  await target.importRecords(pages(records));
});

test("what is no store, or has tables of another version, is named", async () => {
  const { DatabaseSync } = await import("node:sqlite");
  const path = file();
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE mine (a)");
  await assert.rejects(collect(sqlite(path).exportRecords()), /is not a store of Tensile/);
  db.exec(
    "CREATE TABLE tensile_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID; INSERT INTO tensile_meta VALUES ('version', 99)",
  );
  await assert.rejects(collect(sqlite(path).exportRecords()), /has tables of version 99/);
  db.close();
});

test("what is paused stays paused", async () => {
  const path = file();
  const source = sqlite(path);
  await value(await source.open(openForMove)).close();
  const names: MoveRecord[] = [
    { type: "paused", name: "mail" },
    { type: "paused", name: "report" },
  ];
  await source.importRecords(pages(names));
  assert.deepEqual(await collect(source.exportRecords()), names);
});
