/**
 * Deterministic simulation of the job engine: thousands of runs with crashes, lost answers, doubled messages, standstills and clock steps, each out of one
 * seed; and stores with a mistake, which it has to catch. `npm run simulate -- --seeds 100000` is the long form.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
// Not by the front door: one of its mistakes is made in here.
import { Journal } from "../../src/sqlite/core.ts";
import { brokenStores } from "./broken-stores.ts";
import { fleetPlace, memoryPlace } from "./places.ts";
import { simulate, type SimulatedPlace } from "./simulate.ts";
import { sqlitePlace } from "./sqlite-place.ts";
import { traceOf } from "./trace.ts";

const seeds = Number(process.env["SIMULATION_SEEDS"] ?? 1_000);
/** Where each mistake has to have shown itself. */
const enough = 400;

test(`${seeds} seeds on the store in memory keep every promise`, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const run = await simulate(seed, memoryPlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

test(`${seeds / 2} seeds on three processes with leases keep every promise`, async () => {
  for (let seed = 1; seed <= seeds / 2; seed++) {
    const run = await simulate(seed, fleetPlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

test(`${seeds / 10} seeds on SQLite, whose process dies between statements and whose disk fails, keep every promise`, async () => {
  for (let seed = 1; seed <= seeds / 10; seed++) {
    const run = await simulate(seed, sqlitePlace());
    assert.deepEqual(run.violations, [], traceOf(run));
  }
});

async function assertCaught(place: () => SimulatedPlace, within: number): Promise<void> {
  for (let seed = 1; seed <= within; seed++) if ((await simulate(seed, place())).violations.length > 0) return;
  assert.fail(`${within} seeds went by.`);
}

test("an SQLite store that loses with its process what it committed last is caught", async () =>
  assertCaught(() => sqlitePlace({ lazy: true }), 60));

test("an SQLite store that does not take back in memory what a failed commit did is caught", async (context) => {
  context.mock.method(Journal.prototype, "rollBack", function (this: Journal) {
    this.clear();
  });
  await assertCaught(sqlitePlace, 60);
});

test("in a fleet a store that ignores the fence is caught", async () => {
  const ignores = brokenStores.find(({ name }) => name === "ignores the fence");
  assert.ok(ignores);
  for (let seed = 1; seed <= enough; seed++)
    if ((await simulate(seed, ignores.break(fleetPlace()))).violations.length > 0) return;
  assert.fail(`${enough} seeds went by.`);
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
  }
  for (const kind of [
    /never arrives/,
    /answer to .* is lost/,
    /arrives again/,
    /dies before the commit/,
    /dies after the commit/,
    /stands still/,
    /clock steps/,
    /is killed/,
  ])
    assert.ok(
      [...seen].some((what) => kind.test(what)),
      `${kind} was never drawn: ${[...seen].join("; ")}`,
    );
});

for (const broken of brokenStores) {
  const { needs } = broken;
  if (needs !== undefined && !memoryPlace().features.has(needs)) continue;
  test(`a store that ${broken.name} is caught`, async () => {
    for (let seed = 1; seed <= enough; seed++) {
      const run = await simulate(seed, broken.break(memoryPlace()));
      if (run.violations.length > 0) return;
    }
    assert.fail(`${enough} seeds went by.`);
  });
}
