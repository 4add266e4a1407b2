import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, job } from "../contract/index.ts";
import { manualClock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { compileJobs } from "./job-codec.ts";
import { jobLimits } from "./limits.ts";
import { newJob } from "./new-job.ts";
import { policyOf } from "./policy.ts";
import type { NewJob } from "./store.ts";

const input = { account: t.string(), n: t.int() };

test("a queue's limits and a job's own become gates, and names without limits have no policy", () => {
  const mail = job("mail", { input, queue: "out", globalConcurrency: 3, rate: { limit: 10, per: "1m" } });
  const push = job("push", { input, queue: "out", ageing: "30s" });
  const plain = job("plain", { input });
  const made = contract("x.v1", { mail, push, plain }, { queues: { out: { rate: { limit: 600, per: "1h" } } } });
  const policy = policyOf(made);
  const out = { id: "queue:out", rate: { limit: 600, periodMs: 3_600_000 } };
  assert.deepEqual(policy("mail"), {
    gates: [out, { id: "job:mail", concurrency: 3, rate: { limit: 10, periodMs: 60_000 } }],
  });
  assert.deepEqual(policy("push"), { gates: [out], ageingMs: 30_000 });
  assert.equal(policy("plain"), undefined);
  assert.equal(policy("unknown"), undefined);
});

test("limits per key are the job's, and only those that were given", () => {
  const one = job("one", { input, key: ({ account }) => account, perKey: { ordered: true } });
  const two = job("two", {
    input,
    key: ({ account }) => account,
    perKey: { concurrency: 2, rate: { limit: 1, per: 500 } },
  });
  const policy = policyOf(contract("x.v1", { one, two }));
  assert.deepEqual(policy("one"), { perKey: { ordered: true } });
  assert.deepEqual(policy("two"), { perKey: { concurrency: 2, rate: { limit: 1, periodMs: 500 } } });
});

function record(made: ReturnType<typeof job>, options?: Parameters<typeof newJob>[2]): NewJob {
  const codec = compileJobs(contract("x.v1", { [made.name]: made }), jobLimits.payloadBytes).get(made.name);
  assert.ok(codec !== undefined);
  const result = newJob(codec, { account: "acme", n: 1 }, options, manualClock(0), jobLimits);
  assert.ok("ok" in result && result.ok);
  return { ...result.value };
}

const payload = '{"account":"acme","n":1}';

test("a record carries the key, the tenant and the unique key that its job makes of the input, and nothing else", () => {
  assert.deepEqual(record(job("work", { input })), { name: "work", priority: 5, payload });
  const full = job("work", {
    input,
    queue: "out",
    key: ({ account }) => account,
    perKey: { concurrency: 1 },
    tenant: ({ account }) => `t-${account}`,
    unique: { key: ({ n }) => `#${n}`, scope: "queue", until: "started", window: "1h" },
  });
  assert.deepEqual(record(full as never), {
    name: "work",
    priority: 5,
    payload,
    key: "acme",
    tenant: "t-acme",
    uniqueKey: "#1",
    unique: { scope: "queue:out", until: "started", windowMs: 3_600_000 },
  });
});

test("what an enqueue says comes before what the job says", () => {
  const keyed = job("work", { input, key: ({ account }) => account, perKey: { ordered: true }, unique: true });
  const given = record(keyed, {
    key: "other",
    tenant: "someone",
    uniqueKey: "mine",
    after: ["4"],
    on: "finished",
  });
  assert.deepEqual(given, {
    name: "work",
    priority: 5,
    payload,
    after: { jobs: ["4"], on: "finished" },
    key: "other",
    tenant: "someone",
    uniqueKey: "mine",
  });
  // A key of a job that has no limits per key would only cost.
  assert.equal(record(job("work", { input }), { key: "other" }).key, undefined);
});

test("declarations that cannot be meant are a TypeError that says what to write", () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => job("a", { input, key: () => "x" }), /key without perKey changes nothing. Add perKey/],
    [() => job("a", { input, perKey: { ordered: true } }), /perKey needs a key. Add key/],
    [() => job("a", { input, key: () => "x", perKey: {} }), /perKey is empty/],
    [() => job("a", { input, globalConcurrency: 0 }), /globalConcurrency is a whole number from 1 to 100000, not 0/],
    [
      () => job("a", { input, rate: { limit: 1.5, per: "1m" } }),
      /rate.limit is a whole number from 1 to 1000000, not 1.5/,
    ],
    [() => job("a", { input, rate: { limit: 1, per: "31d" } }), /rate.per is from 1 ms to 30 days/],
    [() => job("a", { input, ageing: 0 }), /ageing is from 1 ms to 30 days, not 0 ms/],
    [() => job("a", { input, queue: "no spaces" }), /a queue's name is letters, digits/],
    [() => job("a", { input, unique: { scope: "world" as never } }), /unique.scope is "job" or "queue", not "world"/],
    [() => job("a", { input, signals: { "not a name": {} } }), /job\("a"\): signal/],
    [
      () => contract("x.v1", { a: job("a", { input, queue: "mail" }) }, { queues: { mial: {} } }),
      /queue "mial" has no jobs. Write queue: "mial" in a job's options; queues with jobs: "mail"/,
    ],
    [() => record(job("a", { input, tenant: () => 7 as never }) as never), /tenant returns a string, not number/],
    [() => record(job("a", { input, tenant: () => "x".repeat(1_025) }) as never), /at most 1024 UTF-8 bytes/],
    [() => record(job("a", { input }), { after: ["1"], on: "whenever" as never }), /on is "succeeded" or "finished"/],
  ];
  for (const [act, message] of wrong) assert.throws(act, message);
});
