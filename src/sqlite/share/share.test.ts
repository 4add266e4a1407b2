/** Sharing a file, without processes: two stores of one process are an owner and its guest. */
import assert from "node:assert/strict";
import { chmod, mkdir, rm, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { ok, sleep, systemClock, type Fault, type Result } from "../../core/index.ts";
import type { ClaimedJob, StoreSession } from "../../jobs/index.ts";
import { must } from "../must.ts";
import { sqlite, type SqliteOptions, type SqliteStore } from "../index.ts";
import { takeOwnership } from "../ownership.ts";
import { unsharable } from "./place.ts";
import { shareVersion } from "./wire.ts";
import { inFolder } from "../../../tools/test-folder.ts";

const kept = { ageMs: 86_400_000, count: 1_000_000 };
const open = {
  clock: systemClock,
  retention: { succeeded: kept, failed: kept, cancelled: kept },
  maxWaiting: 1_000_000,
  maxAttempts: () => 3,
};

async function opened(
  file: string,
  options: SqliteOptions = { shared: true },
): Promise<{ store: SqliteStore; session: StoreSession }> {
  const store = sqlite(file, options);
  const result = await store.open(open);
  assert.ok(result.ok, result.ok ? "" : String(result.fault));
  return { store, session: result.value };
}

async function refusal(file: string, options: SqliteOptions): Promise<string> {
  const result = await sqlite(file, options).open(open);
  assert.ok(!result.ok && result.fault.code === "STORE_UNAVAILABLE");
  return result.fault.data.reason;
}

const job = { name: "a", priority: 5, payload: "1" };

test("a guest's transactions and short-lived records are the owner's, and the socket is its user's alone", () =>
  inFolder(async (file) => {
    const migrations = ["CREATE TABLE audit (what TEXT)"];
    const owner = await opened(file, { shared: true, migrations });
    assert.equal((await stat(`${file}-share`)).mode & 0o777, 0o700);
    assert.equal((await stat(`${file}-share/socket`)).mode & 0o777, 0o600);
    const guest = await opened(file, { shared: true, migrations });
    const done = await guest.store.transaction((tx) => {
      tx.run("INSERT INTO audit VALUES ('asked for')");
      tx.enqueue(job);
    });
    assert.ok(done.ok);
    assert.equal((await owner.session.get(done.value.jobs[0]?.id ?? ""))?.ok, true);
    const version = await guest.store.kv().set("k", "v", { ttlMs: 60_000 });
    assert.ok(version.ok);
    assert.equal((await owner.store.kv().get("k")).ok, true);
    const late = await refusal(file, { shared: true, migrations: [...migrations, "CREATE TABLE b (x)"] });
    assert.match(late, /knows 1 migrations, and this process 2: start the owner anew/);
    await guest.session.close();
    await owner.session.close();
    await assert.rejects(stat(`${file}-share`), /ENOENT/);
  }));

test("what is no guest is turned away, and the owner goes on", () =>
  inFolder(async (file) => {
    const { session } = await opened(file);
    for (const bytes of [
      "GET / HTTP/1.1\r\n\r\n",
      `tensile-sqlite ${shareVersion}\n\u0001\u0002`,
      "\u0000".repeat(99),
    ]) {
      const socket = connect(`${file}-share/socket`);
      socket.on("error", () => undefined);
      socket.write(bytes);
      socket.end();
      await new Promise((resolve) => socket.resume().on("close", resolve));
    }
    assert.ok((await session.enqueue([job])).ok);
    await session.close();
  }));

test("a second process is told what to do: where the owner does not share, where its version is another", () =>
  inFolder(async (file) => {
    const alone = await opened(file, {});
    assert.match(await refusal(file, { shared: true }), /is owned by process \d+; .*`shared: true` in both/);
    await alone.session.close();
    const lock = takeOwnership(file, 77, true);
    await mkdir(`${file}-share`, { mode: 0o700 });
    const server = createServer((socket) => socket.on("error", () => undefined).write("tensile-sqlite 999\n"));
    await new Promise<void>((resolve) => server.listen(`${file}-share/socket`, resolve));
    assert.match(await refusal(file, { shared: true }), /speaks version 999 .* run the same version of tensile/);
    assert.match(await refusal(file, {}), /is owned by process 77; open the store with `shared: true` as it does/);
    await chmod(`${file}-share`, 0o755);
    assert.match(await refusal(file, { shared: true }), /can be entered by other users/);
    server.close();
    lock.release();
  }));

test("a folder that others can enter is refused by the owner as well", () =>
  inFolder(async (file) => {
    await mkdir(`${file}-share`);
    await chmod(`${file}-share`, 0o777);
    await assert.rejects(
      sqlite(file, { shared: true }).open(open),
      /can be entered by other users. Set its mode to 0700/,
    );
    await rm(`${file}-share`, { recursive: true, force: true });
    const { session } = await opened(file);
    await session.close();
  }));

test("what cannot be shared is a mistake in the program", () => {
  assert.throws(() => sqlite(":memory:", { shared: true }), /has nobody to share it with/);
  assert.throws(() => sqlite(`/tmp/${"x".repeat(100)}/jobs.db`, { shared: true }), /at most 103/);
  assert.throws(() => sqlite("jobs.db", { leaseMs: 5 }), /from 1,000 to 600,000/);
  assert.match(unsharable("jobs.db", "win32") ?? "", /PostgreSQL/);
});

test("a visitor joins an owner, and lets nobody in where it is the owner itself", () =>
  inFolder(async (file) => {
    const visitor = await opened(file, { shared: "visit" });
    assert.match(await refusal(file, { shared: true }), /is owned by process/);
    await visitor.session.close();
    const owner = await opened(file);
    const guest = await opened(file, { shared: "visit" });
    assert.ok((await guest.session.pause(["a"])).ok);
    const paused = await owner.session.paused();
    assert.deepEqual(paused.ok && paused.value, ["a"]);
    await guest.session.close();
    await owner.session.close();
  }));

test("what runs at a guest when the owner closes is given back: no attempt is counted, and the old run can settle nothing", () =>
  inFolder(async (file) => {
    const owner = await opened(file);
    const guest = await opened(file);
    const claimed: ClaimedJob[] = [];
    let next = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<readonly string[]>();
    const consumer = guest.session.consume({
      names: ["a"],
      onClaimed: (jobs) => {
        claimed.push(...jobs);
        next.resolve();
      },
      onCancelRequested: () => undefined,
      onLost: lost.resolve,
      onTrouble: () => undefined,
    });
    // More than there is work: what is given back must not be handed out again by the one that closes.
    consumer.grant("a", 1);
    const made = await owner.session.enqueue([job, job]);
    assert.ok(made.ok);
    await next.promise;
    consumer.grant("a", 5);
    await untilOk(
      () => owner.session.get(must(made.value[1]).id),
      (record) => record?.state === "running",
    );
    await owner.session.close();
    assert.deepEqual((await lost.promise).toSorted(), made.value.map(({ id }) => id).toSorted());
    const [late] = claimed.splice(0);
    next = Promise.withResolvers();
    await next.promise;
    await untilOk(
      () => guest.session.counts(),
      ({ ready }) => ready === 0,
    );
    assert.deepEqual(
      claimed.map(({ id, attempt }) => `${id}: ${attempt}`).toSorted(),
      made.value.map(({ id }) => `${id}: 1`).toSorted(),
    );
    const settled = await guest.session.settle([
      { job: must(late), to: "succeeded" },
      ...claimed.map((one) => ({ job: one, to: "succeeded" as const })),
    ]);
    assert.deepEqual(settled, ok(["stale", "settled", "settled"]));
    for (const { id } of made.value) {
      const record = await guest.session.get(id);
      assert.ok(record.ok && record.value?.state === "succeeded");
      assert.deepEqual(record.value.errors, []);
    }
    await guest.session.close();
  }));

/** Asks until the answer is there and holds. */
async function untilOk<T>(ask: () => Promise<Result<T, Fault>>, holds: (value: T) => boolean): Promise<void> {
  for (;;) {
    const answer = await ask();
    if (answer.ok && holds(answer.value)) return;
    await sleep(systemClock, 5);
  }
}
