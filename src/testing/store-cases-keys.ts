/** Conformance: limits per key. What one key holds back holds up no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, KeyPolicy } from "../jobs/index.ts";
import { at, failure, type BenchOptions, type Hands, type StoreBench, value, type WithBench } from "./store-harness.ts";

/** Jobs of the name "k" have this policy for each key; those of "a" have none. */
function perKey(policy: KeyPolicy): BenchOptions {
  return { policy: (name) => (name === "a" ? undefined : { perKey: policy }) };
}

/** One job for each letter: the key, with its place as payload. */
async function enqueueKeys(b: StoreBench, keys: string): Promise<string[]> {
  const jobs = keys.split("").map((key, index) => ({ name: "k", key, payload: String(index) }));
  return (await b.enqueue(...jobs)).map(({ id }) => id);
}

function payloads(jobs: readonly ClaimedJob[]): string[] {
  return jobs.map((job) => job.payload);
}

async function succeed(b: StoreBench, ...jobs: readonly ClaimedJob[]): Promise<void> {
  await b.settle(...jobs.map((job) => ({ job, to: "succeeded" as const })));
}

export function keyCases(bench: WithBench): void {
  concurrencyCases(bench);
  releaseCases(bench);
  rateCases(bench);

  test(
    "key and tenant stay with a job: listed, handed over, after retry and restart",
    bench({}, async (b) => {
      const odd = "é \u0000 '; --";
      const id = await b.enqueueOne({ name: "k", key: odd, tenant: `t ${odd}` });
      const plain = await b.enqueueOne({ name: "k", priority: 9 });
      let hands = b.hands("k");
      const first = await hands.takeOne("k");
      assert.deepEqual([first.id, first.key, first.tenant], [id, odd, `t ${odd}`]);
      await b.settle({ job: first, to: "retry", runAt: b.now, error: failure(first) });
      await b.reopen();
      hands = b.hands("k");
      const second = await hands.takeOne("k");
      assert.deepEqual([second.id, second.key, second.tenant], [id, odd, `t ${odd}`]);
      await succeed(b, second);
      const record = await b.record(id);
      assert.deepEqual([record.key, record.tenant], [odd, `t ${odd}`]);
      const other = await hands.takeOne("k");
      assert.deepEqual([other.id, other.key, other.tenant], [plain, undefined, undefined]);
      assert.deepEqual(["key" in (await b.record(plain)), "tenant" in (await b.record(plain))], [false, false]);
    }),
  );
}

function concurrencyCases(bench: WithBench): void {
  test(
    "of one key no more run than its limit, and another key goes past",
    bench(perKey({ concurrency: 1 }), async (b) => {
      await enqueueKeys(b, "xxxyx");
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [x, y] = await hands.take(2);
      assert.deepEqual(payloads([x, y] as ClaimedJob[]), ["0", "3"]);
      await hands.nothing();
      assert.equal((await b.counts("k")).ready, 3);
      await succeed(b, y as ClaimedJob);
      await hands.nothing();
      await succeed(b, x as ClaimedJob);
      assert.deepEqual(payloads(await hands.take(1)), ["1"]);
      await hands.nothing();
    }),
  );

  test(
    "what was cancelled behind a job that has failed is passed over",
    bench(perKey({ concurrency: 1 }), async (b) => {
      const [, ...others] = await enqueueKeys(b, "xyz");
      const hands = b.hands("k");
      const running = await hands.takeOne("k");
      for (const id of others) assert.equal(value(await b.session.cancel(id)), "cancelled");
      await b.settle({ job: running, to: "failed", error: failure(running) });
      await enqueueKeys(b, "y");
      assert.deepEqual([(await hands.takeOne("k")).key, (await b.counts("k")).cancelled], ["y", 2]);
    }),
  );

  test(
    "a limit of two lets two run",
    bench(perKey({ concurrency: 2 }), async (b) => {
      await enqueueKeys(b, "xxxxx");
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [one, two] = await hands.take(2);
      await hands.nothing();
      await succeed(b, two as ClaimedJob);
      assert.deepEqual(payloads(await hands.take(1)), ["2"]);
      await hands.nothing();
      await succeed(b, one as ClaimedJob, at(hands.claimed, 2));
      assert.deepEqual(payloads(await hands.take(2)), ["3", "4"]);
    }),
  );

  test(
    "within a key the more urgent comes first, and what was blocked before what came later",
    bench(perKey({ concurrency: 1 }), async (b) => {
      await enqueueKeys(b, "xx");
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [first] = await hands.take(1);
      await hands.nothing();
      await b.enqueue({ name: "k", key: "x", payload: "2" }, { name: "k", key: "x", payload: "3", priority: 0 });
      const order: string[] = [];
      for (let job = first as ClaimedJob; order.length < 3; order.push(job.payload)) {
        await succeed(b, job);
        job = at(await hands.take(1), 0);
        await hands.nothing();
      }
      assert.deepEqual(order, ["3", "1", "2"]);
    }),
  );

  test(
    "the same key of another name, jobs without a key, and names without a policy are not limited by it",
    bench(perKey({ concurrency: 1 }), async (b) => {
      const free = { name: "k" };
      await b.enqueue({ name: "k", key: "x" }, { name: "l", key: "x" }, free, free, free);
      await b.enqueue({ name: "a", key: "x" }, { name: "a", key: "x" });
      const hands = b.hands("a", "k", "l");
      for (const name of ["a", "k", "l"]) hands.grant(name, 10);
      await hands.take(7);
    }),
  );

  test(
    "ten thousand jobs behind one key hold up nobody",
    bench(perKey({ concurrency: 1 }), async (b) => {
      await b.enqueue(...Array.from({ length: 10_000 }, () => ({ name: "k", key: "x" })));
      const hands = b.hands("k");
      hands.grant("k", 1_000);
      await hands.take(1);
      for (let round = 0; round < 20; round++) {
        const id = await b.enqueueOne({ name: "k", key: `y${round}`, priority: 9 });
        assert.equal(at(await hands.take(1), 0).id, id);
      }
      assert.equal((await b.counts("k")).ready, 9_999);
    }),
  );
}

/** Ways out of running: each gives the slot to the next of the key. */
function releaseCases(bench: WithBench): void {
  const ways: { readonly [way: string]: (b: StoreBench, job: ClaimedJob) => Promise<unknown> } = {
    failed: (b, job) => b.settle({ job, to: "failed", error: failure(job) }),
    cancelled: (b, job) => b.settle({ job, to: "cancelled" }),
    "retried later": (b, job) => b.settle({ job, to: "retry", runAt: b.now + 60_000, error: failure(job) }),
    snoozed: (b, job) => b.settle({ job, to: "snoozed", runAt: b.now + 60_000 }),
    waiting: (b, job) => b.settle({ job, to: "waiting", signal: "go" }),
  };
  for (const [way, settle] of Object.entries(ways)) {
    test(
      `a job that is ${way} gives up its key's slot`,
      bench(perKey({ concurrency: 1 }), async (b) => {
        await enqueueKeys(b, "xx");
        const hands = b.hands("k");
        hands.grant("k", 2);
        const [job] = await hands.take(1);
        await hands.nothing();
        await settle(b, job as ClaimedJob);
        assert.deepEqual(payloads(await hands.take(1)), ["1"]);
      }),
    );
  }

  test(
    "a job that is handed back gives up its key's slot, and is the first to get it again",
    bench(perKey({ concurrency: 1 }), async (b) => {
      await enqueueKeys(b, "xx");
      const hands = b.hands("k");
      const job = await hands.takeOne("k");
      await b.settle({ job, to: "released" });
      hands.grant("k", 2);
      assert.deepEqual(payloads(await hands.take(1)), ["0"]);
      await hands.nothing();
    }),
  );

  test(
    "after a crash the slots are free, the limit holds, and the blocked are not forgotten",
    bench(perKey({ concurrency: 1 }), async (b) => {
      await enqueueKeys(b, "xxyx");
      let hands = b.hands("k");
      hands.grant("k", 10);
      await hands.take(2);
      await hands.nothing();
      await b.reopen();
      hands = b.hands("k");
      hands.grant("k", 10);
      const jobs = await hands.take(2);
      assert.deepEqual(payloads(jobs), ["0", "2"]);
      await hands.nothing();
      await succeed(b, at(jobs, 0));
      const [second] = await hands.take(1);
      assert.equal(second?.payload, "1");
      await succeed(b, second);
      assert.deepEqual(payloads(await hands.take(1)), ["3"]);
    }),
  );

  test(
    "a blocked job that is cancelled leaves the way to the next, and a second settlement frees nothing twice",
    bench(perKey({ concurrency: 1 }), async (b) => {
      const ids = await enqueueKeys(b, "xxxx");
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [job] = await hands.take(1);
      await hands.nothing();
      await b.session.cancel(at(ids, 1)).then((answer) => assert.ok(answer.ok && answer.value === "cancelled"));
      await succeed(b, job as ClaimedJob);
      assert.deepEqual(payloads(await hands.take(1)), ["2"]);
      assert.deepEqual(await b.settle({ job: job as ClaimedJob, to: "succeeded" }), ["stale"]);
      await hands.nothing();
    }),
  );

  test(
    "the limit holds over many keys at any moment",
    bench(perKey({ concurrency: 2 }), async (b) => {
      const keys = Array.from({ length: 600 }, (_, index) => `k${(index * 7) % 11}`);
      await b.enqueue(...keys.map((key, index) => ({ name: "k", key, priority: index % 3 })));
      const hands = b.hands("k");
      hands.grant("k", 600);
      const running = new Map<string, number>();
      for (let done = 0; done < 600;) {
        const jobs = await hands.take(1 + (await more(hands)));
        for (const { key = "" } of jobs) {
          running.set(key, (running.get(key) ?? 0) + 1);
          assert.ok((running.get(key) ?? 0) <= 2, `three of ${key} run`);
        }
        for (const { key = "" } of jobs) running.set(key, (running.get(key) ?? 0) - 1);
        await succeed(b, ...jobs);
        done += jobs.length;
      }
    }),
  );
}

/** How many more have been handed over beside the next. */
async function more(hands: Hands): Promise<number> {
  await hands.quiet();
  return Math.max(0, hands.untaken - 1);
}

function rateCases(bench: WithBench): void {
  test(
    "a rate lets its limit start at once after a quiet period, then one after the other, for each key",
    bench(perKey({ rate: { limit: 3, periodMs: 3_000 } }), async (b) => {
      await enqueueKeys(b, "xxxxxyyyy");
      const hands = b.hands("k");
      hands.grant("k", 20);
      assert.deepEqual(payloads(await hands.take(6)), ["0", "1", "2", "5", "6", "7"]);
      await succeed(b, ...hands.claimed);
      await hands.nothing();
      await b.advance(999);
      await hands.nothing();
      await b.advance(1);
      assert.deepEqual(payloads(await hands.take(2)).toSorted(), ["3", "8"]);
      await hands.nothing();
      await b.advance(1_000);
      assert.deepEqual(payloads(await hands.take(1)), ["4"]);
    }),
  );

  test(
    "a job that comes alone while its key's rate holds it starts when it may, though nothing else happens",
    bench(perKey({ rate: { limit: 1, periodMs: 1_000 } }), async (b) => {
      const hands = b.hands("k");
      hands.grant("k", 10);
      await enqueueKeys(b, "x");
      await succeed(b, ...(await hands.take(1)));
      await hands.nothing();
      const id = await b.enqueueOne({ name: "k", key: "x" });
      // No sentinel here: that would be what else happens.
      await b.advance(500);
      assert.equal(await b.state(id), "ready");
      await b.advance(500);
      assert.deepEqual(
        (await hands.take(1)).map((job) => job.id),
        [id],
      );
    }),
  );

  test(
    "rates count starts: a retry is one more, and concurrency holds beside",
    bench(perKey({ rate: { limit: 2, periodMs: 2_000 }, concurrency: 1 }), async (b) => {
      await enqueueKeys(b, "xx");
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [first] = await hands.take(1);
      await hands.nothing();
      await b.settle({ job: first as ClaimedJob, to: "retry", runAt: b.now, error: failure(first as ClaimedJob) });
      const [second] = await hands.take(1);
      await succeed(b, second as ClaimedJob);
      await hands.nothing();
      await b.advance(1_000);
      const [third] = await hands.take(1);
      assert.notEqual(third?.id, second?.id);
    }),
  );
}
