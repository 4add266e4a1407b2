import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../core/index.ts";
import type { ClaimedJob, NewJob, StoreFault, StoreSession } from "../jobs/index.ts";
import { sqlite, type SqliteOptions } from "./index.ts";

const kept = { ageMs: 86_400_000, count: 1_000_000 };
const open = {
  clock: systemClock,
  retention: { succeeded: kept, failed: kept, cancelled: kept },
  maxWaiting: 1_000_000,
  maxAttempts: () => 3,
};
const job: NewJob = { name: "a", priority: 5, payload: `"${"x".repeat(1_000)}"` };

async function withFile(
  options: SqliteOptions,
  run: (session: StoreSession, path: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-trouble-"));
  try {
    const path = join(folder, "jobs.db");
    const opened = await sqlite(path, options).open(open);
    assert.ok(opened.ok, opened.ok ? "" : String(opened.fault));
    await run(opened.value, path);
    await opened.value.close();
  } finally {
    await rm(folder, { recursive: true });
  }
}

function collect(session: StoreSession): {
  claimed: ClaimedJob[];
  troubles: StoreFault[];
  grant: (credit: number) => void;
  until: (count: number) => Promise<void>;
} {
  const claimed: ClaimedJob[] = [];
  const troubles: StoreFault[] = [];
  let wake: () => void = () => undefined;
  const consumer = session.consume({
    names: ["a"],
    onClaimed: (jobs) => {
      claimed.push(...jobs);
      wake();
    },
    onCancelRequested: () => undefined,
    onTrouble: (fault) => {
      troubles.push(fault);
      wake();
    },
  });
  const until = async (count: number): Promise<void> => {
    while (claimed.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { claimed, troubles, grant: (credit) => consumer.grant("a", credit), until };
}

test("a full disk refuses new jobs, lets running ones finish, and takes jobs again when there is room", () =>
  withFile({ maxPages: 300 }, async (session) => {
    const hands = collect(session);
    const ids: string[] = [];
    let refused = 0;
    for (let call = 0; call < 400 && refused < 3; call++) {
      const result = await session.enqueue(Array.from({ length: 10 }, () => job));
      if (result.ok) ids.push(...result.value.map(({ id }) => id));
      else {
        assert.ok(
          result.fault.code === "STORE_UNAVAILABLE" && /disk is full/.test(result.fault.data.reason),
          String(result.fault),
        );
        refused++;
      }
    }
    assert.equal(refused, 3);
    assert.ok(ids.length > 100);
    const counts = await session.counts();
    assert.ok(counts.ok && counts.value.ready === ids.length, "memory was put back exactly");
    assert.equal(hands.troubles.length > 0, true);

    hands.grant(1_000_000);
    await hands.until(ids.length);
    assert.deepEqual(
      hands.claimed.map(({ id }) => id),
      ids,
      "every acknowledged job once, in order",
    );
    const settled = await session.settle(hands.claimed.slice(0, -1).map((one) => ({ job: one, to: "succeeded" })));
    assert.ok(settled.ok && settled.value.every((receipt) => receipt === "settled"));
    const removed = await session.prune();
    assert.ok(removed.ok);
    const [last] = hands.claimed.slice(-1);
    assert.ok(last);
    assert.ok((await session.settle([{ job: last, to: "cancelled" }])).ok);
  }));

test("with retention of none, jobs that finish make room for new ones on a full disk", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-trouble-"));
  const none = { ageMs: 0, count: 0 };
  const opened = await sqlite(join(folder, "jobs.db"), { maxPages: 300 }).open({
    ...open,
    retention: { succeeded: none, failed: none, cancelled: none },
  });
  assert.ok(opened.ok);
  const session = opened.value;
  const hands = collect(session);
  for (let round = 0; round < 3; round++) {
    let accepted = 0;
    for (;;) {
      const result = await session.enqueue(Array.from({ length: 10 }, () => job));
      if (!result.ok) break;
      accepted += 10;
    }
    assert.ok(accepted > 100, `round ${round}: ${accepted}`);
    const before = hands.claimed.length;
    hands.grant(accepted);
    await hands.until(before + accepted);
    const settled = await session.settle(hands.claimed.slice(before).map((one) => ({ job: one, to: "succeeded" })));
    assert.ok(settled.ok);
  }
  await session.close();
  await rm(folder, { recursive: true });
});

test("a transaction on a full disk is refused as a whole", () =>
  withFile({ maxPages: 100, migrations: ["CREATE TABLE big (bytes BLOB)"] }, async (session, path) => {
    await session.close();
    const store = sqlite(path, { maxPages: 100, migrations: ["CREATE TABLE big (bytes BLOB)"] });
    const opened = await store.open(open);
    assert.ok(opened.ok);
    const again = opened.value;
    const fill = (bytes: number) =>
      store.transaction((tx) => {
        tx.enqueue(job);
        tx.run("INSERT INTO big VALUES (zeroblob(?))", [bytes]);
      });
    const [large, small] = await Promise.all([fill(10_000_000), fill(10)]);
    assert.ok(!large.ok && large.fault.code === "STORE_UNAVAILABLE");
    assert.ok(small.ok || small.fault.code === "STORE_UNAVAILABLE");
    assert.ok((await fill(10)).ok);
    const counts = await again.counts();
    assert.ok(counts.ok && counts.value.ready === (small.ok ? 2 : 1));
    await again.close();
  }));

test("a file has one owner: another store hears who it is, and may have it afterwards", () =>
  withFile({}, async (session, path) => {
    const refused = await sqlite(path).open(open);
    assert.ok(!refused.ok && refused.fault.code === "STORE_UNAVAILABLE");
    assert.match(refused.fault.data.reason, new RegExp(`is owned by process ${process.pid};`));
    const other = fileURLToPath(new URL("./index.ts", import.meta.url));
    const program = `
      import { sqlite } from ${JSON.stringify(other)};
      const kept = { ageMs: 1, count: 1 };
      const opened = await sqlite(${JSON.stringify(path)}).open({ clock: { now: () => 1, monotonic: () => 1, setTimer: () => ({ cancel() {} }) },
        retention: { succeeded: kept, failed: kept, cancelled: kept }, maxWaiting: 1, maxAttempts: () => 1 });
      console.log(opened.ok ? "opened" : opened.fault.message);
      if (opened.ok) await opened.value.close();`;
    const run = () => spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
    const first = run();
    assert.match(first.stdout, new RegExp(`is owned by process ${process.pid};`));
    assert.equal(first.stderr, "");
    await session.close();
    const second = run();
    assert.equal(second.stdout.trim(), "opened");
    assert.equal(second.stderr, "", "nothing is printed at start-up");
  }));

test("a file that is no database, and one of a later version, are refused with a sentence", () =>
  withFile({}, async (session, path) => {
    await session.close();
    const db = new DatabaseSync(path);
    db.exec("UPDATE tensile_meta SET value = 99 WHERE key = 'version'");
    db.close();
    await assert.rejects(sqlite(path).open(open), /version 99, this program knows version 3/);
    const noFolder = await sqlite(join(path, "nested.db")).open(open);
    assert.ok(!noFolder.ok && noFolder.fault.code === "STORE_UNAVAILABLE");
  }));

test("when another connection keeps the database locked, calls are refused, and work goes on afterwards", () =>
  withFile({ lockWaitMs: 50 }, async (session, path) => {
    const db = new DatabaseSync(path);
    db.exec("BEGIN IMMEDIATE");
    const refused = await session.enqueue([job]);
    assert.ok(!refused.ok && refused.fault.code === "STORE_UNAVAILABLE" && /locked/.test(refused.fault.data.reason));
    db.exec("ROLLBACK");
    db.close();
    assert.ok((await session.enqueue([job])).ok);
    const counts = await session.counts();
    assert.ok(counts.ok && counts.value.ready === 1);
  }));

test("when the writer dies, everybody who waits is told; it starts again and recovers", () =>
  withFile({}, async (session, path) => {
    const hands = collect(session);
    hands.grant(3);
    assert.ok((await session.enqueue([job])).ok);
    await hands.until(1);
    const zombie = hands.claimed[0];
    assert.ok(zombie);
    // A table that is gone is no trouble with the disk but a defect: the thread ends.
    const db = new DatabaseSync(path);
    db.exec("ALTER TABLE tensile_live RENAME TO elsewhere");
    const calls = await Promise.all([
      session.enqueue([job]),
      session.counts(),
      session.get("1"),
      session.settle([{ job: zombie, to: "succeeded" }]),
    ]);
    for (const answer of calls) assert.ok(!answer.ok && answer.fault.code === "STORE_UNAVAILABLE");
    assert.equal(hands.troubles.length, 1);
    db.exec("ALTER TABLE elsewhere RENAME TO tensile_live");
    db.close();
    await hands.until(2);
    const again = hands.claimed[1];
    assert.ok(again);
    assert.equal(again.id, zombie.id);
    assert.equal(again.attempt, 2);
    assert.ok(again.fence.epoch > zombie.fence.epoch);
    const receipts = await session.settle([
      { job: zombie, to: "succeeded" },
      { job: again, to: "succeeded" },
    ]);
    assert.ok(receipts.ok);
    assert.deepEqual(receipts.value, ["stale", "settled"]);
  }));

test("a caller that waits for a job which was given up as crashed when the writer died is told", () =>
  withFile({}, async (session, path) => {
    const hands = collect(session);
    const db = new DatabaseSync(path);
    assert.ok((await session.enqueue([job])).ok);
    const waits = session.finished("1");
    hands.grant(open.maxAttempts());
    for (let life = 1; life <= open.maxAttempts(); life++) {
      await hands.until(life);
      db.exec("ALTER TABLE tensile_live RENAME TO elsewhere");
      assert.ok(!(await session.enqueue([job])).ok);
      db.exec("ALTER TABLE elsewhere RENAME TO tensile_live");
    }
    db.close();
    const record = await waits;
    assert.ok(record.ok && record.value?.state === "failed" && record.value.errors.at(-1)?.code === "CRASHED");
  }));

test("when the file is deleted or replaced, nothing more is acknowledged into nowhere: a new file is begun, and trouble reported", () =>
  withFile({}, async (session, path) => {
    const hands = collect(session);
    assert.ok((await session.enqueue([job])).ok);
    await Promise.all(["", "-wal", "-shm"].map((suffix) => rm(path + suffix)));
    const refused = await session.enqueue([job]);
    assert.ok(!refused.ok && /was deleted or replaced/.test(refused.fault.message), JSON.stringify(refused));
    hands.grant(1);
    let accepted = await session.enqueue([job]);
    while (!accepted.ok) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      accepted = await session.enqueue([job]);
    }
    await hands.until(1);
    assert.equal(hands.troubles.length, 1);
    const reader = new DatabaseSync(path, { readOnly: true });
    assert.equal(reader.prepare("SELECT count(*) AS n FROM tensile_block").get()?.["n"], 1);
    reader.close();
  }));

test("more waiting jobs than memory holds come back from disk in order, once, cancelled ones left out", () =>
  withFile({ durability: "normal" }, async (session) => {
    const text = "x".repeat(700);
    const ids: string[] = [];
    for (let call = 0; call < 60; call++) {
      const result = await session.enqueue(
        Array.from({ length: 500 }, () => ({ name: "a", priority: 5, payload: text })),
      );
      assert.ok(result.ok);
      ids.push(...result.value.map(({ id }) => id));
    }
    const cancelled = new Set(ids.filter((_, index) => index % 1_000 === 777));
    for (const id of cancelled) assert.ok((await session.cancel(id)).ok);
    const hands = collect(session);
    hands.grant(10_000);
    await hands.until(10_000);
    const back = hands.claimed.slice(9_000, 10_000);
    assert.ok((await session.settle(back.map((one) => ({ job: one, to: "released" })))).ok);
    hands.grant(1_000_000);
    await hands.until(ids.length - cancelled.size + back.length);
    const order = [...hands.claimed.slice(0, 9_000), ...hands.claimed.slice(10_000)].map(({ id }) => id);
    assert.deepEqual(
      order,
      ids.filter((id) => !cancelled.has(id)),
    );
  }));

test("a file that cannot be opened is said with what to do", async () => {
  await withFile({}, async (_session, path) => {
    const reason = async (file: string): Promise<string> => {
      const opened = await sqlite(file).open(open);
      if (opened.ok) assert.fail(`${file} was opened`);
      return opened.fault.message;
    };
    assert.match(await reason(join(path, "..", "nowhere", "jobs.db")), /There is no folder .+nowhere: make it first/);
    assert.match(await reason(join(path, "..")), /It is a folder: name a file in it/);
    assert.match(await reason("/proc/jobs.db"), /This user may not write in \/proc|unable to open/);
    assert.throws(() => sqlite(""), /takes the path of a file/);
    assert.throws(() => sqlite(undefined as never), /takes the path of a file/);
  });
});
