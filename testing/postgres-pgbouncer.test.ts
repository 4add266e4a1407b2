/** The store behind a pooler in transaction mode: no LISTEN, no prepared statements, no session; it polls. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob, NewJob, StoreSession } from "../src/jobs/index.ts";
import { postgres, type PostgresStore } from "../src/postgres/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { pgbouncerVersion, startPgbouncer } from "./pgbouncer.ts";
import { emptyDatabase, openDatabase } from "./postgres-place.ts";
import { postgresKinds, postgresServer, type PostgresKind } from "./postgres-server.ts";

const keep = { ageMs: 3_600_000, count: 10_000 };
const retention = { succeeded: keep, failed: keep, cancelled: keep };
const job = (payload: string, more: Partial<NewJob> = {}): NewJob => ({ name: "a", priority: 5, payload, ...more });

async function openOf(store: PostgresStore): Promise<StoreSession> {
  return value(await store.open({ clock: systemClock, retention, maxWaiting: 10_000, maxAttempts: () => 3 }));
}

/** Runs everything; the first attempt of a job with the payload "twice" is tried again. */
function run(session: StoreSession): string[] {
  const ran: string[] = [];
  const settle = (one: ClaimedJob): Parameters<StoreSession["settle"]>[0][number] => {
    ran.push(one.payload);
    if (one.payload !== "twice" || one.attempt > 1) return { job: one, to: "succeeded", result: one.payload };
    const error = { attempt: 1, at: Date.now(), code: "E", message: "again" };
    return { job: one, to: "retry", runAt: Date.now(), error };
  };
  const consumer = session.consume({
    names: ["a"],
    onClaimed: (jobs) => {
      void session.settle(jobs.map(settle));
      consumer.grant("a", jobs.length);
    },
    onCancelRequested: () => undefined,
    onTrouble: () => undefined,
  });
  consumer.grant("a", 20);
  return ran;
}

async function behindPooler(t: TestContext, kind: PostgresKind, pooled: boolean): Promise<void> {
  if (pgbouncerVersion() === undefined) {
    t.diagnostic("PgBouncer is not installed here: nothing was tested.");
    return;
  }
  const direct = await openDatabase(kind);
  const pooler = await startPgbouncer(await postgresServer(kind));
  try {
    const store = postgres(pooler.url(direct), { pooled });
    const [session, sender] = [await openOf(store), await openOf(postgres(direct))];
    const ran = run(session);
    const jobs = [job("plain"), job("twice"), job("keyed", { key: "k" }), job("later", { delayMs: 20 })];
    // From here and from another process, which is not heard: it is found by looking.
    for (const [from, batch] of [
      [session, jobs],
      [sender, jobs],
    ] as const) {
      for (const { id } of value(await from.enqueue(batch))) {
        const record = value(await from.finished(id));
        assert.deepEqual([record?.state, record?.result], ["succeeded", record?.payload]);
      }
    }
    assert.deepEqual(
      ran.toSorted(),
      [...jobs, ...jobs, job("twice"), job("twice")].map(({ payload }) => payload).toSorted(),
    );
    const kv = store.kv();
    assert.equal((await kv.set("k", "v", { ttlMs: 60_000 })).ok, true);
    await session.close();
    await sender.close();
  } finally {
    await pooler.remove();
    await emptyDatabase(direct);
  }
}

for (const kind of postgresKinds()) {
  test(`jobs and short-lived records work behind PgBouncer in transaction mode (${kind})`, (t) =>
    behindPooler(t, kind, true));
  test(`a pooler that nobody mentioned is found out (${kind})`, (t) => behindPooler(t, kind, false));
}
