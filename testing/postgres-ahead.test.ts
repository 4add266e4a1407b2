/**
 * Jobs that a process of PostgreSQL claims ahead of those of their key that run, since it alone claims of their name: they run one after the other without a claim
 * in between, nobody else runs one meanwhile, and where they do not come to run they go back as they were.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { manualClock, systemClock, type Clock } from "../src/core/index.ts";
import type { ClaimedJob, Consumer, JobId, NewJob, StoreSession } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";
import { emptyDatabase, watchedDatabase } from "./postgres-place.ts";
import { postgresKinds, type PostgresKind } from "./postgres-server.ts";
import { until } from "./worker-place.ts";

const keyed = (key: string, more: Partial<NewJob> = {}): NewJob => {
  return { name: "k", priority: 5, payload: "1", key, ...more };
};

interface Options {
  readonly clock?: Clock;
  readonly attempts?: number;
  readonly leaseMs?: number;
}

class Process {
  readonly session: StoreSession;
  readonly consumer: Consumer;
  readonly claimed: ClaimedJob[] = [];
  readonly lost: JobId[] = [];
  readonly toStop: JobId[] = [];

  constructor(session: StoreSession) {
    this.session = session;
    this.consumer = session.consume({
      names: ["k"],
      onClaimed: (jobs) => void this.claimed.push(...jobs),
      onCancelRequested: (id) => void this.toStop.push(id),
      onLost: (ids) => void this.lost.push(...ids),
      onTrouble: () => undefined,
    });
  }

  static async open(url: string, { clock = systemClock, attempts = 10, leaseMs }: Options): Promise<Process> {
    const store = postgres(url, leaseMs === undefined ? {} : { leaseMs });
    const policy = () => ({ perKey: { concurrency: 1 } });
    const open = { clock, retention: keepMany, maxWaiting: 1_000_000, maxAttempts: () => attempts, policy };
    return new Process(value(await store.open(open)));
  }

  async enqueue(jobs: readonly NewJob[]): Promise<readonly JobId[]> {
    return value(await this.session.enqueue(jobs)).map(({ id }) => id);
  }

  /** They have succeeded, and make room for others. */
  async end(jobs: readonly ClaimedJob[]): Promise<void> {
    this.consumer.grant("k", jobs.length);
    await this.succeed(jobs);
  }

  async succeed(jobs: readonly ClaimedJob[]): Promise<void> {
    const receipts = value(await this.session.settle(jobs.map((job) => ({ job, to: "succeeded" }))));
    assert.ok(receipts.every((receipt) => receipt === "settled"));
  }

  /** The next so many that are handed over. */
  async take(count: number): Promise<readonly ClaimedJob[]> {
    await until(() => this.claimed.length >= count);
    assert.equal(this.claimed.length, count);
    return this.claimed.splice(0);
  }

  async states(ids: readonly JobId[]): Promise<readonly (string | undefined)[]> {
    return Promise.all(ids.map(async (id) => value(await this.session.get(id))?.state));
  }
}

for (const kind of postgresKinds()) describe(`claims ahead in PostgreSQL (${kind})`, () => aheadTests(kind));

function aheadTests(kind: PostgresKind): void {
  const database = watchedDatabase(kind);

  type Run = (
    open: (options?: Options) => Promise<Process>,
    ahead: (options?: Options) => Promise<Ahead>,
  ) => Promise<void>;
  const clean = (run: Run) => async (): Promise<void> => {
    const processes: Process[] = [];
    const open = async (options: Options = {}): Promise<Process> => {
      const made = await Process.open(database.url, options);
      processes.push(made);
      return made;
    };
    try {
      await run(open, async (options) => aheadOf(open, options));
    } finally {
      for (const { session } of processes) await session.close();
      await emptyDatabase(database.url);
    }
  };
  const running = async (): Promise<number> => {
    const { rows } = await database.watch.query<{ n: string }>(
      "SELECT (SELECT coalesce(sum(hi - lo), 0) FROM tensile.claim) - (SELECT coalesce(sum(n), 0) FROM tensile.outcome) AS n",
    );
    return Number(rows[0]?.n);
  };

  test(
    "they are claimed in the commit of their enqueueing, and each is handed over when the one before it is offered",
    clean(async (_, ahead) => {
      const { one, ids, first } = await ahead();
      assert.equal(await running(), ids.length);
      let job = first;
      for (const id of ids.slice(1)) {
        const settled = one.end([job]);
        // Before it is committed.
        assert.deepEqual(
          one.claimed.map((next) => next.id),
          [id],
        );
        job = one.claimed.pop() as ClaimedJob;
        await settled;
      }
      await one.succeed([job]);
      assert.deepEqual(new Set(await one.states(ids)), new Set(["succeeded"]));
    }),
  );

  test(
    "an orderly stop gives them back as they were, also what is being claimed at that moment",
    clean(async (open, ahead) => {
      const { one, ids, first } = await ahead();
      const late = one.enqueue([keyed("a"), keyed("a")]);
      const stopped = one.consumer.stop();
      ids.push(...(await late));
      await stopped;
      assert.deepEqual(await one.states(ids), ["running", ...ids.slice(1).map(() => "ready")]);
      await one.succeed([first]);
      await one.session.close();
      const next = await open();
      next.consumer.grant("k", 10);
      for (const id of ids.slice(1)) {
        const [job] = await next.take(1);
        assert.deepEqual([job?.id, job?.attempt], [id, 1]);
        assert.deepEqual(value(await next.session.get(id))?.errors, []);
        await next.succeed([job as ClaimedJob]);
      }
    }),
  );

  test(
    "one that is cancelled never runs; those of a paused name wait until it is resumed",
    clean(async (_, ahead) => {
      const { one, ids, first } = await ahead();
      assert.equal(value(await one.session.cancel(ids[1] as JobId)), "cancelled");
      assert.equal(value(await one.session.pause?.(["k"])), undefined);
      await until(async () => (await one.states(ids.slice(2))).every((state) => state === "ready"));
      await one.end([first]);
      assert.deepEqual([one.claimed, one.toStop], [[], []]);
      value(await one.session.resume?.(["k"]));
      for (const id of ids.slice(2)) {
        const [job] = await one.take(1);
        assert.deepEqual([job?.id, job?.attempt], [id, 1]);
        await one.end([job as ClaimedJob]);
      }
      assert.equal(value(await one.session.get(ids[1] as JobId))?.state, "cancelled");
    }),
  );

  test(
    "another process runs what has another key, and of this one nothing until all of it has ended here",
    clean(async (open, ahead) => {
      const { one, ids, first } = await ahead();
      const two = await open();
      const others = await two.enqueue([keyed("a"), keyed("b"), keyed("a")]);
      two.consumer.grant("k", 3);
      const [b] = await two.take(1);
      assert.equal(b?.id, others[1]);
      // From here on every claim looks.
      assert.deepEqual((await database.watch.query("SELECT owner::int FROM tensile.keyed")).rows, [{ owner: 0 }]);
      let job = first;
      for (const id of ids.slice(1)) {
        await one.end([job]);
        [job] = (await one.take(1)) as [ClaimedJob];
        assert.equal(job.id, id);
        assert.deepEqual(two.claimed, []);
      }
      await one.consumer.stop();
      await one.succeed([job]);
      for (const id of [others[0], others[2]]) {
        const [next] = await two.take(1);
        assert.equal(next?.id, id);
        await two.succeed([next as ClaimedJob]);
      }
    }),
  );

  test(
    "when the lease is over none of them begins, and they run once more under the new one",
    clean(async (_, ahead) => {
      const { one, ids, first } = await ahead({ leaseMs: 1_000 });
      await database.watch.query("UPDATE tensile.process SET dead = true");
      await until(() => one.lost.length > 0);
      assert.deepEqual(one.lost, [first.id]);
      assert.deepEqual(value(await one.session.settle([{ job: first, to: "succeeded" }])), ["stale"]);
      one.consumer.grant("k", 1);
      for (let left = ids.length; left > 0; left--) {
        const [job] = await one.take(1);
        assert.ok(job !== undefined && job.fence.epoch > first.fence.epoch);
        assert.equal(job.attempt, 2);
        await one.end([job]);
      }
    }),
  );

  test(
    "a job that has one attempt is not claimed ahead: a crash would cost it that one",
    clean(async (_, ahead) => {
      const { one, ids, first } = await ahead({ attempts: 1 });
      assert.deepEqual(await one.states(ids), ["running", ...ids.slice(1).map(() => "ready")]);
      await one.end([first]);
      assert.equal((await one.take(1))[0]?.id, ids[1]);
    }),
  );
}

interface Ahead {
  readonly one: Process;
  readonly ids: JobId[];
  readonly first: ClaimedJob;
}

/** A process that has run jobs at some pace, and has then enqueued five of one key, of which it may run one. */
async function aheadOf(open: (options?: Options) => Promise<Process>, options: Options = {}): Promise<Ahead> {
  const clock = manualClock(Date.now());
  const one = await open({ ...options, clock });
  await one.enqueue(Array.from({ length: 80 }, (_, n) => keyed(`warm ${n}`)));
  // One more than there are: it is known then that nothing waits.
  one.consumer.grant("k", 81);
  const warm = await one.take(80);
  await clock.advance(20);
  await one.succeed(warm);
  const ids = [...(await one.enqueue(Array.from({ length: 5 }, () => keyed("a"))))];
  const [first] = await one.take(1);
  assert.equal(first?.id, ids[0]);
  return { one, ids, first: first as ClaimedJob };
}
