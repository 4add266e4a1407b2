/** Processes on one SQLite file: an API and its workers, killed, stopped and raced. What they promise each other is in `sqlite-fleet.test.ts`. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { ClaimedJob, Consumer, JobCounts, StoreSession } from "../src/jobs/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { SharedProcess } from "./sqlite-processes.ts";
import type { News } from "./sqlite-shared-child.ts";
import { inFolder } from "../tools/test-folder.ts";

const patience = { timeout: 300_000 };

function batch(size: number): readonly unknown[] {
  return Array.from({ length: size }, () => ({ name: "a", priority: 5, payload: '"x"' }));
}

async function counts(process: SharedProcess): Promise<JobCounts> {
  return value(await process.call("counts")) as JobCounts;
}

/** The first job that it was handed. */
function claimedBy({ news }: SharedProcess): ClaimedJob {
  const jobs = news.find(({ kind }) => kind === "claimed")?.what as readonly ClaimedJob[] | undefined;
  assert.ok(jobs?.[0]);
  return jobs[0];
}

/** Takes jobs; what becomes of them is in the news of its process. */
function consume(session: StoreSession): Consumer {
  const nothing = (): void => undefined;
  return session.consume({ names: ["a"], onClaimed: nothing, onCancelRequested: nothing, onTrouble: nothing });
}

/** Ids of the jobs that a worker has ended. */
function ran(news: readonly News[]): string[] {
  return news.flatMap(({ kind, what }) => (kind === "ran" ? (what as string[]) : []));
}

/** The process that has the lock, by what it wrote beside the file. */
function ownerOf(file: string, all: readonly SharedProcess[]): SharedProcess {
  const db = new DatabaseSync(`${file}-owner`, { readOnly: true });
  const pid = db.prepare("SELECT pid FROM owner").get()?.["pid"];
  db.close();
  const found = all.find((one) => one.pid === pid);
  assert.ok(found, `process ${String(pid)} owns the file`);
  return found;
}

test("10,000 jobs of an API process are run by a worker process, each once", patience, () =>
  inFolder(async (file) => {
    const [api, worker] = [SharedProcess.take(), SharedProcess.take()];
    value(await api.open({ file }));
    value(await worker.open({ file }));
    await worker.ask({ kind: "work", names: ["a"], credit: 500 });
    const calls = await Promise.all(Array.from({ length: 100 }, () => api.call("enqueue", batch(100))));
    const ids = calls.flatMap((result) => (value(result) as { id: string }[]).map(({ id }) => id));
    await worker.until("ran", (news) => ran(news).length >= ids.length);
    assert.deepEqual(ran(worker.news).toSorted(), ids.toSorted());
    assert.equal((await counts(api)).succeeded, 10_000);
    await worker.giveBack();
    await api.giveBack();
  }),
);

test(
  "when owners are killed one after the other, one of the rest goes on, and nothing that was acknowledged is lost",
  patience,
  () =>
    inFolder(async (file) => {
      let alive = [SharedProcess.take(), SharedProcess.take(), SharedProcess.take(), SharedProcess.take()];
      // All at once: one of them becomes the owner.
      for (const opened of await Promise.all(alive.map((one) => one.open({ file, attempts: 1_000 })))) value(opened);
      for (const one of alive) await one.ask({ kind: "work", names: ["a"], credit: 50 });
      const acknowledged: string[] = [];
      while (alive.length > 1) {
        const owner = ownerOf(file, alive);
        const enqueues = Promise.all(
          alive.map(async (one) => {
            for (let call = 0; call < 20; call++) {
              const result = await one.call("enqueue", batch(5));
              if (result.ok) acknowledged.push(...(result.value as { id: string }[]).map(({ id }) => id));
              if (call === 10 && one === owner) await owner.kill();
            }
          }),
        );
        await enqueues;
        alive = alive.filter((one) => one !== owner);
        for (const one of alive) await one.available();
        assert.ok(alive.includes(ownerOf(file, alive)));
      }
      const [last] = alive as [SharedProcess];
      for (;;) {
        const { ready, running, scheduled, failed } = await counts(last);
        assert.equal(failed, 0);
        if (ready + running + scheduled === 0) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.ok(acknowledged.length > 100);
      assert.equal(new Set(acknowledged).size, acknowledged.length);
      for (const id of acknowledged)
        assert.equal((value(await last.call("get", id)) as { state: string }).state, "succeeded");
      await last.giveBack();
    }),
);

test(
  "what runs at a guest when the owner dies is lost to it, counts as crashed, and can be settled by nobody late",
  patience,
  () =>
    inFolder(async (file) => {
      const [owner, guest] = [SharedProcess.take(), SharedProcess.take()];
      value(await owner.open({ file }));
      const session = value(await guest.open({ file }));
      const consumer = consume(session);
      consumer.grant("a", 1);
      const [{ id }] = value(await owner.call("enqueue", batch(1))) as [{ id: string }];
      await guest.until("claimed");
      const zombie = claimedBy(guest);
      await owner.kill();
      await guest.until("lost");
      await guest.available();
      assert.deepEqual(guest.news.find(({ kind }) => kind === "lost")?.what, [id]);
      assert.deepEqual(value(await session.settle([{ job: zombie, to: "succeeded" }])), ["stale"]);
      const record = value(await session.get(id));
      assert.deepEqual(
        record?.errors.map(({ attempt, code }) => [attempt, code]),
        [[1, "CRASHED"]],
      );
      consumer.grant("a", 1);
      await guest.until("claimed", (news) => news.length > 1);
      await guest.giveBack();
    }),
);

test(
  "while the owner stands still guests are told so, and what they sent meanwhile is not done when it wakes",
  patience,
  () =>
    inFolder(async (file) => {
      const [owner, guest] = [SharedProcess.take(), SharedProcess.take()];
      const leaseMs = 2_000;
      value(await owner.open({ file, leaseMs }));
      value(await guest.open({ file, leaseMs }));
      owner.freeze();
      const refused = await guest.call("enqueue", batch(3));
      assert.ok(!refused.ok && /stands still/.test(refused.fault.message), JSON.stringify(refused));
      await owner.thaw();
      await guest.available();
      assert.equal((await counts(owner)).ready, 0);
      value(await guest.call("enqueue", batch(2)));
      assert.equal((await counts(owner)).ready, 2);
      await guest.giveBack();
      await owner.giveBack();
    }),
);

test("a guest whose event loop is blocked for longer than the lease keeps its jobs", patience, () =>
  inFolder(async (file) => {
    const [owner, guest] = [SharedProcess.take(), SharedProcess.take()];
    const leaseMs = 1_000;
    value(await owner.open({ file, leaseMs }));
    const session = value(await guest.open({ file, leaseMs }));
    const consumer = consume(session);
    consumer.grant("a", 1);
    value(await owner.call("enqueue", batch(1)));
    await guest.until("claimed");
    await guest.ask({ kind: "block", ms: leaseMs * 2.5 });
    const job = claimedBy(guest);
    assert.deepEqual(value(await session.settle([{ job, to: "succeeded" }])), ["settled"]);
    assert.equal(
      guest.news.some(({ kind }) => kind === "lost"),
      false,
    );
    await guest.giveBack();
    await owner.giveBack();
  }),
);
