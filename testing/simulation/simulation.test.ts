/**
 * Deterministic simulation of the job engine: thousands of runs with crashes, lost answers, doubled messages, standstills and clock steps, each out of one
 * seed. `broken-stores.test.ts` shows what it catches. `npm run simulate -- --seeds 100000` is the long form.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fleetPlace, memoryPlace } from "./places.ts";
import { simulate } from "./simulate.ts";
import { sqlitePlace } from "./sqlite-place.ts";
import { traceOf } from "./trace.ts";

const seeds = Number(process.env["SIMULATION_SEEDS"] ?? 1_500);
test(`${seeds} seeds on the store in memory keep every promise`, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const run = await simulate(seed, memoryPlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

test(`${Math.ceil(seeds / 3)} seeds on three processes with leases keep every promise`, async () => {
  for (let seed = 1; seed <= seeds / 3; seed++) {
    const run = await simulate(seed, fleetPlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

test(`${Math.ceil(seeds / 25)} seeds on SQLite, whose process dies between statements and whose disk fails, keep every promise`, async () => {
  for (let seed = 1; seed <= seeds / 25; seed++) {
    const run = await simulate(seed, sqlitePlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

test("the same seed is the same run, event by event", async () => {
  for (const place of [memoryPlace, fleetPlace, sqlitePlace]) {
    for (const seed of [3, 5, 8, 13]) {
      const [one, other] = [await simulate(seed, place()), await simulate(seed, place())];
      assert.deepEqual(one.history, other.history);
      assert.ok(one.history.length > 20);
    }
  }
});

test("runs see every kind of fault", async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const run = await simulate(seed, memoryPlace());
    for (const event of run.history)
      if (event.kind === "fault") seen.add(event.what.replaceAll(/-?\d+|w\d\.\d+/g, "#"));
      else if (event.kind === "clock") seen.add(event.by < 0 ? "the clock is put back" : "the clock is put forward");
  }
  for (const kind of [
    /never arrives/,
    /answer to .* is lost/,
    /arrives again/,
    /dies before the commit/,
    /dies after the commit/,
    /stands still/,
    /clock is put back/,
    /clock is put forward/,
    /is killed/,
  ])
    assert.ok(
      [...seen].some((what) => kind.test(what)),
      `${kind} was never drawn: ${[...seen].join("; ")}`,
    );
});
