/**
 * Limits of keys by property: whatever succeeds, fails, retries, is handed back or crashes, no key runs more than it may, an ordered key keeps its
 * order, tenants take turns, and at the end every job has run.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { manualClock, type ManualClock } from "../core/index.ts";
import type { ClaimedJob, Consumer, JobPolicy, NewJob, Settlement, StoreSession } from "../jobs/index.ts";
import { sqlite } from "./index.ts";

const kept = { ageMs: 86_400_000, count: 1_000_000 };

/** One file, opened again and again, and what is known of its jobs. */
class World {
  readonly path: string;
  readonly clock: ManualClock = manualClock();
  readonly policy: JobPolicy;
  readonly running = new Map<string, ClaimedJob>();
  readonly finished = new Set<string>();
  /** Ids of each key's jobs, in the order of their enqueueing. */
  readonly order = new Map<string, string[]>();
  /** Handed over in the commit that enqueued them, and so before the answer that tells their ids. */
  readonly #early: ClaimedJob[] = [];
  #session: StoreSession | undefined;
  #consumer: Consumer | undefined;
  #made = 0;

  constructor(path: string, policy: JobPolicy) {
    this.path = path;
    this.policy = policy;
  }

  get session(): StoreSession {
    assert.ok(this.#session);
    return this.#session;
  }

  async open(): Promise<void> {
    this.running.clear();
    const opened = await sqlite(this.path).open({
      clock: this.clock,
      retention: { succeeded: kept, failed: kept, cancelled: kept },
      maxWaiting: 1_000_000,
      maxAttempts: () => 1_000,
      policy: () => this.policy,
    });
    assert.ok(opened.ok, opened.ok ? "" : String(opened.fault));
    this.#session = opened.value;
    this.#consumer = opened.value.consume({
      names: ["a"],
      onClaimed: (jobs) => jobs.forEach((job) => this.#claimed(job)),
      onCancelRequested: () => undefined,
      onTrouble: (fault) => assert.fail(String(fault)),
    });
  }

  grant(credit: number): void {
    this.#consumer?.grant("a", credit);
  }

  #claimed(job: ClaimedJob): void {
    assert.ok(!this.running.has(job.id) && !this.finished.has(job.id), `job ${job.id} is run twice`);
    this.running.set(job.id, job);
    if (job.key === undefined) return;
    const { concurrency = 1, ordered } = this.policy.perKey ?? {};
    const busy = [...this.running.values()].filter(({ key }) => key === job.key).length;
    assert.ok(busy <= (ordered === true ? 1 : concurrency), `${busy} jobs of key ${job.key} run`);
    if (ordered !== true) return;
    if (this.order.get(job.key)?.includes(job.id) === true) this.#assertFirst(job);
    else this.#early.push(job);
  }

  #assertFirst({ id, key = "" }: ClaimedJob): void {
    const first = this.order.get(key)?.find((one) => !this.finished.has(one));
    assert.equal(id, first, `job ${id} of key ${key} ran before its turn`);
  }

  async enqueue(dice: readonly number[]): Promise<void> {
    const jobs = dice.map((one): NewJob => {
      const runAt = one % 9 === 0 ? { runAt: this.clock.now() + (one % 5) } : undefined;
      const key = one % 7 === 0 ? undefined : { key: `k${one % 4}` };
      const tenant = one % 3 === 0 ? { tenant: `t${one % 2}` } : undefined;
      return {
        name: "a",
        priority: one % 11 === 0 ? 2 : 5,
        payload: String(this.#made++),
        ...runAt,
        ...key,
        ...tenant,
      };
    });
    const enqueued = await this.session.enqueue(jobs);
    assert.ok(enqueued.ok);
    enqueued.value.forEach(({ id }, index) => {
      const key = jobs[index]?.key;
      if (key === undefined) return;
      const ids = this.order.get(key) ?? [];
      this.order.set(key, ids);
      ids.push(id);
    });
    for (const job of this.#early.splice(0)) this.#assertFirst(job);
  }

  async settle(choose: (index: number) => Settlement["to"]): Promise<void> {
    const jobs = [...this.running.values()];
    const settlements = jobs.map((job, index) => this.#settlement(job, choose(index)));
    for (const { job, to } of settlements) {
      this.running.delete(job.id);
      if (to === "succeeded" || to === "failed") this.finished.add(job.id);
    }
    const settled = await this.session.settle(settlements);
    assert.ok(settled.ok && settled.value.every((one) => one === "settled"));
  }

  #settlement(job: ClaimedJob, to: Settlement["to"]): Settlement {
    const error = { attempt: job.attempt, at: this.clock.now(), code: "E", message: "" };
    if (to === "retry") return { job, to, runAt: this.clock.now() + (job.attempt % 4), error };
    if (to === "failed") return { job, to, error };
    if (to === "snoozed") return { job, to, runAt: this.clock.now() + 2 };
    return to === "released" ? { job, to } : { job, to: "succeeded" };
  }

  /** Lets everything run that is left; throws when something never does. */
  async finish(): Promise<void> {
    this.grant(1_000);
    for (let turn = 0; turn < 500; turn++) {
      const counts = await this.session.counts();
      assert.ok(counts.ok);
      if (counts.value.scheduled + counts.value.ready + counts.value.running === 0) return;
      await this.settle(() => "succeeded");
      await this.clock.advance(10);
    }
    assert.fail("jobs are left that never run");
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}

const outcomes = ["succeeded", "retry", "failed", "snoozed", "released", "succeeded"] as const;

async function step(world: World, [what, how]: readonly [number, number]): Promise<void> {
  if (what < 40) return world.enqueue(Array.from({ length: 1 + (how % 9) }, (_, index) => how * 13 + index * 29));
  if (what < 60) world.grant(1 + (how % 6));
  else if (what < 85) return world.settle((index) => outcomes[(how + index) % outcomes.length] ?? "succeeded");
  else if (what < 95) return world.clock.advance(how % 4);
  else {
    await world.close();
    await world.open();
  }
}

const policies: { readonly [what: string]: JobPolicy } = {
  "one at a time": { perKey: { concurrency: 1 } },
  "two at a time, and at a rate": { perKey: { concurrency: 2, rate: { limit: 3, periodMs: 6 } } },
  "in order": { perKey: { ordered: true } },
};

for (const [what, policy] of Object.entries(policies)) {
  test(`keys ${what}: never more than that, and none is left behind`, async () => {
    const steps = fc.array(fc.tuple(fc.nat(99), fc.nat(1_000)), { minLength: 20, maxLength: 60, size: "max" });
    const runs = Number(process.env["TENSILE_MODEL_RUNS"] ?? 4);
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const folder = await mkdtemp(join(tmpdir(), "tensile-turns-"));
        const world = new World(join(folder, "jobs.db"), policy);
        try {
          await world.open();
          for (const one of taken) {
            await step(world, one);
            // Everything that was asked for before a read is done when it is answered.
            assert.ok((await world.session.counts()).ok);
          }
          await world.finish();
        } finally {
          await world.close();
          await rm(folder, { recursive: true });
        }
      }),
      { numRuns: runs, endOnFailure: runs < 100, ...(runs === 4 && { seed: 20_261_127 }) },
    );
  });
}
