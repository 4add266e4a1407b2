/** Conformance: get, list, counts, retention. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jobStates, type JobFilter, type JobState } from "../jobs/index.ts";
import { at, failure, keepMany, value, type StoreBench, type WithBench } from "./store-harness.ts";

/** Jobs of two names, five in each of the states; returns the ids by payload. */
async function populate(b: StoreBench, states: readonly JobState[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  const hands = b.hands("a", "b");
  for (const name of ["a", "b"]) {
    for (let index = 0; index < 5; index++) {
      for (const state of states) {
        const payload = `"${name} ${state} ${index}"`;
        const runAt = state === "scheduled" ? { runAt: b.clock.now() + 1_000 + index } : {};
        ids.set(payload, await b.enqueueOne({ name, payload, priority: state === "ready" ? 9 : 5, ...runAt }));
        if (state === "scheduled" || state === "ready") continue;
        const job = await hands.takeOne(name);
        assert.equal(job.payload, payload);
        if (state === "succeeded") await b.settle({ job, to: "succeeded", result: payload });
        if (state === "failed") await b.settle({ job, to: "failed", error: failure(job) });
        if (state === "cancelled") await b.settle({ job, to: "cancelled" });
        if (state === "waiting") await b.settle({ job, to: "waiting", signal: "go" });
      }
    }
  }
  return ids;
}

async function listAll(b: StoreBench, filter: JobFilter): Promise<string[]> {
  const payloads: string[] = [];
  for (let after: string | undefined; ;) {
    const page = value(await b.session.list({ ...filter, ...(after === undefined ? undefined : { after }) }));
    payloads.push(...page.map((record) => record.payload));
    after = page.at(-1)?.id;
    if (after === undefined) return payloads;
  }
}

export function readCases(bench: WithBench): void {
  test(
    "a job that is due reads as ready, also where nobody has claimed since",
    bench({}, async (b) => {
      const hands = b.hands("b");
      const timed = await b.enqueueOne({ name: "a", payload: "1", runAt: b.clock.now() + 1_000 });
      const waits = await b.enqueueOne({ name: "b", payload: "2" });
      await b.settle({ job: await hands.takeOne("b"), to: "waiting", signal: "go", until: b.clock.now() + 1_000 });
      const both = { scheduled: 1, waiting: 1, ready: 0 };
      assert.deepEqual(await seen(b), { ...both, states: ["scheduled", "waiting"], listed: [] });
      await b.clock.advance(1_000);
      const due = { scheduled: 0, waiting: 0, ready: 2 };
      assert.deepEqual(await seen(b), { ...due, states: ["ready", "ready"], listed: ["1", "2"] });
      assert.equal(value(await b.session.signal(waits, "other", "1")), "ready");
      assert.equal(value(await b.session.backlog(["a", "b"])).ready, 2);

      async function seen({ session }: StoreBench): Promise<object> {
        const { scheduled, waiting, ready } = await b.counts();
        const states = await Promise.all([timed, waits].map(async (id) => value(await session.get(id))?.state));
        return { scheduled, waiting, ready, states, listed: await listAll(b, { state: "ready" }) };
      }
    }),
  );
  test(
    "list gives every job once, by state and name, page by page, in the order of ids",
    bench({}, async (b) => {
      const ids = await populate(b, jobStates);
      for (const state of [undefined, ...jobStates]) {
        for (const name of [undefined, "a", "b", "never"]) {
          const expected = [...ids]
            .filter(
              ([payload]) =>
                (state === undefined || payload.includes(state)) &&
                (name === undefined || payload.startsWith(`"${name}`)),
            )
            .toSorted((one, two) => Number(one[1]) - Number(two[1]))
            .map(([payload]) => payload);
          const filter = {
            ...(state === undefined ? undefined : { state }),
            ...(name === undefined ? undefined : { name }),
          };
          assert.deepEqual(await listAll(b, { ...filter, limit: 3 }), expected, `${state} ${name}`);
          assert.deepEqual(await listAll(b, filter), expected);
        }
      }
    }),
  );

  test(
    "a record of a list is what get gives",
    bench({}, async (b) => {
      await populate(b, jobStates);
      for (const record of value(await b.session.list({ limit: 1_000 }))) {
        assert.deepEqual(value(await b.session.get(record.id)), record);
        assert.ok(record.payload.includes(record.state));
        assert.equal(record.attempt, ["scheduled", "ready", "waiting"].includes(record.state) ? 0 : 1);
        assert.equal(
          "finishedAt" in record,
          record.state === "succeeded" || record.state === "failed" || record.state === "cancelled",
        );
        assert.equal(record.result, record.state === "succeeded" ? record.payload : undefined);
      }
    }),
  );

  test(
    "a page has at most as many records as asked, and never more than 1,000",
    bench({}, async (b) => {
      await b.enqueue(...Array.from({ length: 1_500 }, () => ({ name: "a" })));
      assert.equal(value(await b.session.list({})).length, 100);
      assert.equal(value(await b.session.list({ limit: 7 })).length, 7);
      assert.equal(value(await b.session.list({ limit: 5_000 })).length, 1_000);
      assert.equal(value(await b.session.list({ limit: 0 })).length, 1);
    }),
  );

  test(
    "counts agree with the list, by name and in all, before and after a restart",
    bench({}, async (b) => {
      await populate(b, jobStates);
      for (const name of ["a", "b"]) {
        assert.deepEqual(await b.counts(name), {
          waiting: 5,
          scheduled: 5,
          ready: 5,
          running: 5,
          succeeded: 5,
          failed: 5,
          cancelled: 5,
        });
      }
      assert.deepEqual(await b.counts("never"), {
        waiting: 0,
        scheduled: 0,
        ready: 0,
        running: 0,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
      });
      await b.reopen();
      assert.deepEqual(await b.counts(), {
        waiting: 10,
        scheduled: 10,
        ready: 20,
        running: 0,
        succeeded: 10,
        failed: 10,
        cancelled: 10,
      });
    }),
  );

  test(
    "results of jobs that finish in any order go to the right jobs",
    bench({}, async (b) => {
      const receipts = await b.enqueue(
        ...Array.from({ length: 700 }, (_, index) => ({ name: "a", payload: String(index) })),
      );
      const hands = b.hands("a");
      hands.grant("a", 700);
      const jobs = await hands.take(700);
      const shuffled = jobs.toSorted(
        (one, two) => ((Number(one.payload) * 7_919) % 701) - ((Number(two.payload) * 7_919) % 701),
      );
      for (let from = 0; from < 700; from += 50) {
        await b.settle(
          ...shuffled.slice(from, from + 50).map((job) => ({
            job,
            to: "succeeded" as const,
            ...(Number(job.payload) % 3 === 0 ? undefined : { result: `"r${job.payload}"` }),
          })),
        );
      }
      await b.reopen();
      const records = await Promise.all(receipts.map(({ id }) => b.record(id)));
      for (const [index, record] of records.entries()) {
        assert.equal(record.state, "succeeded");
        assert.equal(record.payload, String(index));
        assert.equal(record.result, index % 3 === 0 ? undefined : `"r${index}"`);
      }
    }),
  );

  for (const state of ["succeeded", "failed", "cancelled"] as const) {
    const few = { ...keepMany, [state]: { ageMs: 86_400_000, count: 3 } };
    test(
      `of the ${state}, the newest stay when there are more than retention counts`,
      bench({ retention: few }, async (b) => {
        const ids = await finish(b, state, 10);
        value(await b.session.prune());
        assert.equal((await b.counts())[state], 3);
        for (const [index, id] of ids.entries()) assert.equal(await b.state(id), index < 7 ? undefined : state);
        await b.reopen();
        assert.equal((await b.counts())[state], 3);
        assert.deepEqual(
          value(await b.session.list({})).map((record) => record.id),
          ids.slice(7),
        );
      }),
    );

    const short = { ...keepMany, [state]: { ageMs: 60_000, count: 1_000 } };
    test(
      `the ${state} go when they are older than retention keeps`,
      bench({ retention: short }, async (b) => {
        const ids = await finish(b, state, 3);
        await b.clock.advance(30_000);
        const later = await finish(b, state, 2);
        await b.clock.advance(30_000);
        value(await b.session.prune());
        for (const id of ids) assert.equal(await b.state(id), undefined);
        for (const id of later) assert.equal(await b.state(id), state);
        assert.equal((await b.counts())[state], 2);
      }),
    );

    const none = { ...keepMany, [state]: { ageMs: 0, count: 0 } };
    test(
      `nothing of the ${state} stays when retention keeps none`,
      bench({ retention: none }, async (b) => {
        const id = at(await finish(b, state, 3), 0);
        value(await b.session.prune());
        assert.deepEqual(value(await b.session.list({})), []);
        assert.equal(await b.state(id), undefined);
      }),
    );
  }

  test(
    "retention counts what has succeeded as one, with keys and without, in the order of its end",
    bench({ retention: { ...keepMany, succeeded: { ageMs: 86_400_000, count: 3 } } }, async (b) => {
      const hands = b.hands("a");
      for (const [index, key] of ["k", undefined, "k", "k", undefined, undefined, "k"].entries()) {
        await b.enqueue({ name: "a", payload: String(index), ...(key !== undefined && { key }) });
        hands.grant("a", 1);
        await b.settle({ job: at(await hands.take(1), 0), to: "succeeded" });
      }
      value(await b.session.prune());
      assert.equal((await b.counts()).succeeded, 3);
      assert.deepEqual(
        value(await b.session.list({})).map((record) => record.payload),
        ["4", "5", "6"],
      );
    }),
  );

  test(
    "retention removes by itself what is too old",
    bench({ retention: { ...keepMany, failed: { ageMs: 1_000, count: 10 } } }, async (b) => {
      const id = at(await finish(b, "failed", 1), 0);
      // The tick that removes goes to the writer by itself; every call afterwards sees what it did.
      await b.clock.advance(60_000);
      await b.clock.advance(0);
      assert.equal(await b.state(id), undefined);
    }),
  );

  test(
    "a job that is jobStates stays whole when its neighbours are removed",
    bench({ retention: { ...keepMany, succeeded: { ageMs: 86_400_000, count: 2 } } }, async (b) => {
      await b.enqueue(...Array.from({ length: 6 }, (_, index) => ({ name: "a", payload: String(index) })));
      const hands = b.hands("a");
      hands.grant("a", 6);
      const jobs = await hands.take(6);
      await b.settle(...jobs.slice(0, 5).map((job) => ({ job, to: "succeeded" as const, result: job.payload })));
      value(await b.session.prune());
      assert.deepEqual(
        value(await b.session.list({})).map((record) => [record.payload, record.state, record.result]),
        [
          ["3", "succeeded", "3"],
          ["4", "succeeded", "4"],
          ["5", "running", undefined],
        ],
      );
      await b.settle({ job: at(jobs, 5), to: "succeeded", result: "5" });
      value(await b.session.prune());
      assert.deepEqual(
        value(await b.session.list({})).map((record) => record.payload),
        ["4", "5"],
      );
    }),
  );
}

/** Finishes new jobs in a state, oldest first. */
async function finish(b: StoreBench, state: "succeeded" | "failed" | "cancelled", count: number): Promise<string[]> {
  const receipts = await b.enqueue(...Array.from({ length: count }, () => ({ name: "a" })));
  if (state === "cancelled") {
    for (const { id } of receipts) assert.equal(value(await b.session.cancel(id)), "cancelled");
  } else {
    const hands = b.hands("a");
    hands.grant("a", count);
    for (const job of await hands.take(count)) {
      await b.settle(state === "succeeded" ? { job, to: "succeeded" } : { job, to: "failed", error: failure(job) });
    }
    await hands.stop();
  }
  return receipts.map(({ id }) => id);
}
