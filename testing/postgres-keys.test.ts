/**
 * Jobs with a key in blocks: what limits them is found out by looking at what runs, in blocks and in rows, by whichever process claims. So: the limit
 * holds over both and over processes, nothing is forgotten, and limits may change under jobs that rest in blocks already.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom, systemClock } from "../src/core/index.ts";
import type { ClaimedJob, Consumer, JobId, KeyPolicy, NewJob, Settlement, StoreSession } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { emptyDatabase, watchedDatabase } from "./postgres-place.ts";
import { postgresKinds, type PostgresKind } from "./postgres-server.ts";

const keep = { ageMs: 1e9, count: 1e6 };
const keyed = (key: string, more: Partial<NewJob> = {}): NewJob => ({
  name: "k",
  priority: 5,
  payload: "1",
  key,
  ...more,
});

/** A process with a policy for the name, and what it was handed. */
class Process {
  readonly session: StoreSession;
  #consumer: Consumer | undefined;
  #claimed: ClaimedJob[] = [];
  #told: (() => void) | undefined;

  constructor(session: StoreSession) {
    this.session = session;
  }

  static async open(url: string, perKey: KeyPolicy | undefined, attempts = 100): Promise<Process> {
    const opened = await postgres(url).open({
      clock: systemClock,
      retention: { succeeded: keep, failed: keep, cancelled: keep },
      maxWaiting: 1_000_000,
      maxAttempts: () => attempts,
      policy: () => (perKey === undefined ? {} : { perKey }),
    });
    assert.ok(opened.ok);
    return new Process(opened.value);
  }

  async enqueue(jobs: readonly NewJob[]): Promise<readonly JobId[]> {
    const done = await this.session.enqueue(jobs);
    assert.ok(done.ok);
    return done.value.map(({ id }) => id);
  }

  consume(credit: number): void {
    this.#consumer = this.session.consume({
      names: ["k"],
      onClaimed: (jobs) => {
        this.#claimed.push(...jobs);
        this.#told?.();
      },
      onCancelRequested: () => undefined,
      onTrouble: () => undefined,
    });
    this.grant(credit);
  }

  grant(credit: number): void {
    this.#consumer?.grant("k", credit);
  }

  /** The next ones that are handed over, at least one. */
  async take(): Promise<readonly ClaimedJob[]> {
    while (this.#claimed.length === 0) await new Promise<void>((resolve) => (this.#told = resolve));
    return this.#claimed.splice(0);
  }

  async settle(settlement: Settlement): Promise<void> {
    const done = await this.session.settle([settlement]);
    assert.ok(done.ok);
    assert.deepEqual(done.value, ["settled"]);
  }
}

for (const kind of postgresKinds()) describe(`keys of blocks in PostgreSQL (${kind})`, () => keyTests(kind));

function keyTests(kind: PostgresKind): void {
  const database = watchedDatabase(kind);
  const clean =
    (run: (open: (perKey: KeyPolicy | undefined, attempts?: number) => Promise<Process>) => Promise<void>) =>
    async (): Promise<void> => {
      const processes: Process[] = [];
      try {
        await run(async (perKey, attempts) => {
          const process = await Process.open(database.url, perKey, attempts);
          processes.push(process);
          return process;
        });
      } finally {
        for (const { session } of processes) await session.close();
        await emptyDatabase(database.url);
      }
    };
  const rows = async (): Promise<number> =>
    Number((await database.watch.query<{ n: string }>("SELECT count(*) AS n FROM tensile.job")).rows[0]?.n);

  test(
    "jobs whose key is free make no row, and those that were passed over come when their key is free",
    clean(async (open) => {
      // With one attempt nothing is claimed ahead of its turn.
      const one = await open({ concurrency: 1 }, 1);
      await one.enqueue(["a", "b", "a", "c", "b"].map((key) => keyed(key)));
      one.consume(10);
      const first = await one.take();
      assert.deepEqual(
        first.map(({ key }) => key),
        ["a", "b", "c"],
      );
      const [a] = first;
      assert.ok(a !== undefined);
      await one.settle({ job: a, to: "succeeded" });
      assert.deepEqual(
        (await one.take()).map(({ key }) => key),
        ["a"],
      );
      assert.equal(await rows(), 0);
      const counts = await one.session.counts("k");
      assert.ok(counts.ok);
      assert.deepEqual([counts.value.ready, counts.value.running, counts.value.succeeded], [1, 3, 1]);
    }),
  );

  test(
    "over two processes, blocks, rows, retries and cancels no key runs more than it may, and every job ends once",
    clean(async (open) => {
      await overAll(await Promise.all([open({ concurrency: 2 }), open({ concurrency: 2 })]));
    }),
  );

  test(
    "a job that runs for long makes no claim look at all that came since: it becomes a row",
    clean(async (open) => {
      const one = await open({ concurrency: 1 });
      await one.enqueue([keyed("slow")]);
      one.consume(1_000);
      const [slow] = await one.take();
      assert.ok(slow !== undefined);
      // One job in each block, as single calls would bring them.
      const text = (of: (n: number) => string): string => Array.from({ length: 600 }, (_, n) => of(n)).join("\u0002");
      await database.watch.query(
        "SELECT tensile.blocks_enqueue(array_fill(id * 10 + 5, ARRAY[600]), array_fill(1, ARRAY[600]), $1, $2, $3, NULL, NULL, NULL) FROM tensile.name",
        [text(() => "1"), text(() => ""), text((n) => `=k${n}`)],
      );
      for (let done = 0; done < 600;) {
        const jobs = await one.take();
        await Promise.all(jobs.map((job) => one.settle({ job, to: "succeeded" })));
        done += jobs.length;
      }
      await one.enqueue([keyed("next")]);
      assert.equal((await one.take())[0]?.key, "next");
      assert.equal(await rows(), 1);
      await one.settle({ job: slow, to: "succeeded" });
      assert.equal(await rows(), 0);
    }),
  );

  test(
    "when jobs must be in order from now on, what rests in blocks comes in order too",
    clean(async (open) => {
      const before = await open({ concurrency: 5 });
      const ids = await before.enqueue(Array.from({ length: 5 }, () => keyed("a")));
      await before.session.close();
      const now = await open({ ordered: true });
      now.consume(10);
      for (const id of ids) {
        const claimed = await now.take();
        assert.deepEqual(
          claimed.map((job) => job.id),
          [id],
        );
        await now.settle({ job: claimed[0] as ClaimedJob, to: "succeeded" });
      }
    }),
  );

  test(
    "when a limit is lifted, what was passed over comes",
    clean(async (open) => {
      const before = await open({ concurrency: 1 });
      await before.enqueue(["a", "a", "b", "a"].map((key) => keyed(key)));
      before.consume(2);
      assert.equal((await before.take()).length, 2);
      const now = await open(undefined);
      now.consume(10);
      await now.enqueue([keyed("c")]);
      const keys: (string | undefined)[] = [];
      while (keys.length < 3) keys.push(...(await now.take()).map(({ key }) => key));
      assert.deepEqual(sorted(keys), ["a", "a", "c"]);
    }),
  );
}

function sorted(keys: readonly (string | undefined)[]): readonly string[] {
  return keys.map((key) => key ?? "").toSorted((one, two) => one.localeCompare(two));
}

/** Two processes that run, retry and snooze what they get, while both enqueue, in blocks and in rows, and cancel. */
async function overAll(processes: readonly Process[]): Promise<void> {
  const random = seededRandom(7);
  const running = new Map<string, number>();
  const open = new Set<JobId>();
  const seen = new Set<JobId>();
  let most = 0;
  let ended: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (ended = resolve));
  let sent = false;
  const end = (id: JobId): void => {
    assert.ok(!seen.has(id), `job ${id} has ended twice`);
    seen.add(id);
    open.delete(id);
    if (sent && open.size === 0) ended();
  };
  const run = async (process: Process, job: ClaimedJob): Promise<void> => {
    const key = job.key ?? "";
    const count = (running.get(key) ?? 0) + 1;
    running.set(key, count);
    most = Math.max(most, count);
    // Others' claims get a chance to be wrong.
    assert.ok((await process.session.get(job.id)).ok);
    running.set(key, (running.get(key) ?? 0) - 1);
    const way = random.next();
    const error = { attempt: job.attempt, at: 0, code: "X", message: "again" };
    if (way < 0.1) await process.settle({ job, to: "retry", runAt: 0, error });
    else if (way < 0.15) await process.settle({ job, to: "snoozed", runAt: 0 });
    else {
      await process.settle({ job, to: "succeeded" });
      end(job.id);
    }
    process.grant(1);
  };
  const failed = new Promise<never>((_, reject) => {
    for (const process of processes) {
      process.consume(30);
      void (async () => {
        while (!(sent && open.size === 0)) for (const job of await process.take()) void run(process, job).catch(reject);
      })().catch(reject);
    }
  });
  for (let call = 0; call < 12; call++) {
    const process = processes[call % 2] as Process;
    const jobs = Array.from({ length: 10 }, () => {
      const priority = random.next() < 0.8 ? 5 : 3;
      return keyed(`k${Math.floor(random.next() * 12)}`, { priority, ...(random.next() < 0.05 && { delayMs: 1 }) });
    });
    const ids = await process.enqueue(jobs);
    for (const id of ids) if (!seen.has(id)) open.add(id);
    const cancelled = await process.session.cancel(ids[9] as JobId);
    assert.ok(cancelled.ok);
    if (cancelled.value === "cancelled") end(ids[9] as JobId);
  }
  sent = true;
  if (open.size === 0) ended();
  await Promise.race([all, failed]);
  assert.equal(seen.size, 120);
  assert.ok(most <= 2, `${most} of one key at once`);
}
