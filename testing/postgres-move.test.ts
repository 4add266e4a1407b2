/** A live SQLite store moves to PostgreSQL, and back, with everything that it keeps: by the program, between real stores. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { run } from "../src/cli/index.ts";
import type { ClaimedJob, MovedJob, MoveRecord, StoreSession } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { openDatabase } from "./postgres-place.ts";
import { postgresKinds, postgresServer } from "./postgres-server.ts";
import { claim, collect, endInEveryWay, jobsOf, newJob, openForMove, pages } from "./move-harness.ts";
import { value } from "../src/testing/store-harness.ts";

const folder = mkdtempSync(join(tmpdir(), "tensile-move-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const file = (end = "db"): string => join(folder, `file-${++files}.${end}`);
const kind = postgresKinds()[0] ?? "embedded";

async function tensile(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await run(["jobs", ...words], { stdin: Readable.from([""]), stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, out, err };
}

const later = Date.now() + 3_600_000;
const started = { scope: "mail", until: "started", windowMs: 600_000 } as const;

/** Jobs in every state but waiting, and one of all that a job can have. Leaves one running. */
async function fill(session: StoreSession): Promise<void> {
  value(
    await session.enqueue(
      Array.from({ length: 8 }, (_, n) => newJob("run", { payload: `{"n":${n},"x":"a\\u0000ü"}`, context: `c${n}` })),
    ),
  );
  const claimed = await claim(session, "run", 8);
  const steps = [
    { name: "step", value: '"one"' },
    { name: "b", value: "2" },
  ];
  value(await session.note(claimed[3] as ClaimedJob, steps, "0.5"));
  await endInEveryWay(session, claimed, later);
  value(
    await session.enqueue([
      newJob("keyed", { uniqueKey: "k", priority: 0 }),
      newJob("scoped", { uniqueKey: "k", unique: started }),
      newJob("later", { runAt: later }),
      newJob("theirs", { key: "order-7", tenant: "acme" }),
      newJob("theirs", { key: "order-7", tenant: "acme", runAt: later }),
      newJob("report", { occurrence: { schedule: "report", at: 1_700_000_000_000 } }),
      ...Array.from({ length: 700 }, (_, n) => newJob("many", { payload: `{"n":${n}}` })),
    ]),
  );
  value(await session.pause(["report"]));
}

/** The running one is ready again; all else is as it was. */
function assertMoved(now: readonly MovedJob[], before: readonly MovedJob[]): void {
  const was = new Map(before.map((one) => [one.id, one]));
  assert.equal(now.length, before.length);
  for (const { errors, ...one } of now) {
    const { errors: old, ...rest } = was.get(one.id) ?? assert.fail(`there was no job ${one.id}`);
    if (rest.state !== "running") assert.deepEqual({ ...one, errors }, { ...rest, errors: old });
    else {
      assert.deepEqual(one, { ...rest, state: "ready" });
      assert.deepEqual([errors.length, errors.at(-1)?.code], [old.length + 1, "CRASHED"]);
    }
  }
}

test("a live SQLite store moves to PostgreSQL by the program, and its jobs run there", async () => {
  const path = file();
  const session = value(await sqlite(path).open(openForMove));
  await fill(session);
  const exported = file("ndjson");
  const said = await tensile("export", path, "--out", exported);
  assert.equal(said.code, 0, said.err);
  const records = await collect(sqlite(path).exportRecords());
  await session.close();

  const url = await (await postgresServer(kind)).database();
  assert.match((await tensile("counts", url)).err, /no tables of Tensile in its schema "tensile"/);
  const taken = await tensile("import", url, "--in", exported);
  assert.deepEqual([taken.code, taken.err.replace("imported: ", "")], [0, said.err.replace(/^exported to .*?: /, "")]);
  assert.match((await tensile("import", url, "--in", exported)).err, /holds jobs already/);
  assert.match((await tensile("import", url, "--in", exported, "--merge")).err, /has a job 1 already/);
  const store = postgres(url);
  const again = await collect(store.exportRecords());
  assertMoved(jobsOf(again), jobsOf(records));
  const rest = (of: readonly MoveRecord[]): readonly MoveRecord[] => of.filter(({ type }) => type !== "job");
  assert.deepEqual(rest(again), rest(records));

  const moved = value(await store.open(openForMove));
  assert.equal(value(await moved.enqueue([newJob("keyed", { uniqueKey: "k" })]))[0]?.duplicate, true);
  const scoped = newJob("other", { uniqueKey: "k", unique: started });
  assert.equal(value(await moved.enqueue([scoped]))[0]?.duplicate, true);
  const report = newJob("report", { occurrence: { schedule: "report", at: 1_700_000_000_000 } });
  assert.equal(value(await moved.enqueue([report]))[0]?.duplicate, true);
  const ids = jobsOf(records).map(({ id }) => Number(id));
  for (const more of [{}, { runAt: later }]) {
    const [young] = value(await moved.enqueue([newJob("many", more)]));
    assert.ok(Number(young?.id) > Math.max(...ids));
  }
  const claimed = await claim(moved, "many", 701);
  assert.deepEqual(
    claimed.slice(0, 700).map(({ payload }) => payload),
    Array.from({ length: 700 }, (_, n) => `{"n":${n}}`),
  );
  // One was handed back, one was running: its attempt counts.
  const runs = await claim(moved, "run", 2);
  assert.deepEqual(
    runs.map(({ attempt }) => attempt).toSorted((a, b) => a - b),
    [1, 2],
  );
  const theirs = await claim(moved, "theirs", 1);
  assert.deepEqual([theirs[0]?.key, theirs[0]?.tenant], ["order-7", "acme"]);
  const all = [...claimed, ...runs, ...theirs];
  const receipts = value(await moved.settle(all.map((one) => ({ job: one, to: "succeeded" }))));
  assert.ok(receipts.every((receipt) => receipt === "settled"));
  await moved.close();

  assert.match((await tensile("counts", url)).out, /^succeeded +706$/m);
  const failed = jobsOf(records).find(({ state }) => state === "failed")?.id ?? "";
  assert.equal((await tensile("retry", url, failed)).out, `${failed}  ready\n`);
  assert.equal((await tensile("cancel", url, failed)).out, `${failed}  cancelled\n`);
  assert.equal((await tensile("pause", url, "mail")).out, "paused: mail, report\n");
  assert.equal((await tensile("resume", url, "mail", "report")).out, "paused: none\n");
  assert.match((await tensile("list", url, "--name", "later")).out, /scheduled .* later$/m);
});

const toAnother = {
  "an SQLite file to PostgreSQL": async () => [sqlite(file()), postgres(await openDatabase(kind))] as const,
  "PostgreSQL to an SQLite file": async () => [postgres(await openDatabase(kind)), sqlite(file())] as const,
  "PostgreSQL to PostgreSQL": async () =>
    [postgres(await openDatabase(kind)), postgres(await openDatabase(kind))] as const,
  "an SQLite file to another": async () => [sqlite(file()), sqlite(file())] as const,
};

for (const [title, stores] of Object.entries(toAnother)) {
  test(`jobs that wait move from ${title} with what they wait for`, async () => {
    const [store, target] = await stores();
    const session = value(await store.open(openForMove));
    await fill(session);
    const [early, parent, child] = value(
      await session.enqueue([
        newJob("early"),
        newJob("parent"),
        newJob("child", { after: { jobs: [0, 1, "nobody"], on: "finished" } }),
        newJob("grand", { after: { jobs: [2], on: "succeeded" }, runAt: later }),
        newJob("lost", { after: { jobs: [1, 0], on: "succeeded" } }),
      ]),
    );
    value(await session.enqueue([newJob("asker")]));
    const [asker] = await claim(session, "asker", 1);
    value(await session.settle([{ job: asker as ClaimedJob, to: "waiting", signal: "go", until: later }]));
    const [zeroth] = await claim(session, "early", 1);
    value(await session.settle([{ job: zeroth as ClaimedJob, to: "succeeded", result: "1" }]));
    const records = await collect(store.exportRecords());
    await session.close();

    await target.importRecords(pages(records, 30));
    // A store says at a waiting job when it goes on without its signal, another does not.
    const plain = ({ runAt, ...rest }: MovedJob): MovedJob =>
      rest.state === "scheduled" && runAt !== undefined ? { ...rest, runAt } : rest;
    assertMoved(jobsOf(await collect(target.exportRecords())).map(plain), jobsOf(records).map(plain));
    const moved = value(await target.open(openForMove));
    assert.equal(value(await moved.get(child?.id ?? ""))?.state, "waiting");
    const [first] = await claim(moved, "parent", 1);
    assert.equal(first?.id, parent?.id);
    const error = { attempt: 1, at: 1_700_000_000_000, code: "BUSY", message: "no" };
    value(await moved.settle([{ job: first as ClaimedJob, to: "failed", error }]));
    const [second] = await claim(moved, "child", 1);
    assert.equal(second?.id, child?.id);
    assert.deepEqual(value(await moved.dependencies(second?.id ?? "")), [
      { id: early?.id, name: "early", state: "succeeded", result: "1" },
      { id: parent?.id, name: "parent", state: "failed" },
      { id: "nobody", name: "", state: "cancelled" },
    ]);
    const [lost] = value(await moved.list({ name: "lost" }));
    assert.deepEqual([lost?.state, lost?.errors.at(-1)?.code], ["cancelled", "DEPENDENCY_FAILED"]);
    value(await moved.settle([{ job: second as ClaimedJob, to: "succeeded" }]));
    const left = value(await moved.finished(second?.id ?? ""));
    assert.equal(left?.state, "succeeded");
    const [grand] = value(await moved.list({ name: "grand" }));
    assert.deepEqual([grand?.state, grand?.runAt], ["scheduled", later]);
    assert.equal(value(await moved.signal(asker?.id ?? "", "go", "1")), "ready");
    await moved.close();
  });
}

test("an import that breaks off, or does not fit, has changed nothing in PostgreSQL", async () => {
  const path = file();
  const session = value(await sqlite(path).open(openForMove));
  await fill(session);
  const records = await collect(sqlite(path).exportRecords());
  await session.close();
  const store = postgres(await openDatabase(kind));
  const breaksOff = async function* (): AsyncGenerator<readonly MoveRecord[]> {
    yield records.slice(0, 300);
    throw new Error("the pipe broke");
  };
  await assert.rejects(store.importRecords(breaksOff()), /the pipe broke/);
  await assert.rejects(store.importRecords(pages([...records, ...records.slice(0, 1)])), /are the same/);
  const odd = (more: Partial<MovedJob>): readonly MoveRecord[] => [
    ...records,
    { type: "job", job: { ...(jobsOf(records)[0] as MovedJob), id: "999999", ...more } },
  ];
  await assert.rejects(store.importRecords(pages(odd({ id: "1.5" }))), /"1.5" is no whole number/);
  await assert.rejects(store.importRecords(pages(odd({ state: "waiting" }))), /does not say what for/);
  const twice = odd({ name: "keyed", state: "ready", uniqueKey: "k" });
  await assert.rejects(store.importRecords(pages(twice)), /Job \d+ has the unique key "k", which another holds/);
  assert.deepEqual(await collect(store.exportRecords()), []);
  await store.importRecords(pages(records));
});

test("an import beside a running store waits for those that enqueue, and its jobs are heard of", async () => {
  const store = postgres(await openDatabase(kind));
  const session = value(await store.open(openForMove));
  value(await session.enqueue([newJob("mine"), newJob("mine", { runAt: later })]));
  const records = jobsOf(await collect(store.exportRecords())).map((one, n): MoveRecord => ({
    type: "job",
    job: { ...one, id: String(10_000_001 + n), name: "theirs" },
  }));
  const waiting = claim(session, "theirs", 1);
  await store.importRecords(pages(records), { merge: true });
  assert.equal((await waiting)[0]?.id, "10000001");
  const [young] = value(await session.enqueue([newJob("mine")]));
  assert.ok(Number(young?.id) > 10_000_002);
  await session.close();
});
