/** Stores with one mistake each, which the simulation has to catch by the rule that is there for it: a checker that catches nothing proves nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
// Not by the front door: some of the mistakes are made in here.
import { Journal } from "../../src/sqlite/core.ts";
import type { ToWriter } from "../../src/sqlite/protocol.ts";
import { Writer } from "../../src/sqlite/writer.ts";
import { brokenLimits } from "./broken-limits.ts";
import { brokenStores } from "./broken-stores.ts";
import { fleetPlace, memoryPlace } from "./places.ts";
import { simulate, type SimulatedPlace } from "./simulate.ts";
import { sqlitePlace } from "./sqlite-place.ts";
import { type Rule, rules } from "./violation.ts";

/** Where each mistake has to have shown itself; nearly all do within twenty. */
const enough = 400;

async function assertCaught(place: () => SimulatedPlace, by: Rule, within: number): Promise<void> {
  for (let seed = 1; seed <= within; seed++)
    if ((await simulate(seed, place())).violations.some(({ rule }) => rule === by)) return;
  assert.fail(`${within} seeds went by.`);
}

test("an SQLite store that loses with its process what it committed last is caught", async () =>
  assertCaught(() => sqlitePlace({ lazy: true }), "lost", 60));

test("an SQLite store that does not take back in memory what a failed commit did is caught", async (context) => {
  context.mock.method(Journal.prototype, "rollBack", function (this: Journal) {
    this.clear();
  });
  await assertCaught(sqlitePlace, "finished", 60);
});

test("an SQLite store whose writer throws is caught", async (context) => {
  const { receive } = Writer.prototype;
  let messages = 0;
  context.mock.method(Writer.prototype, "receive", function (this: Writer, message: ToWriter) {
    if (++messages % 50 === 0) throw new TypeError("a mistake");
    receive.call(this, message);
  });
  await assertCaught(sqlitePlace, "defect", 10);
});

for (const { name, breaks, on = "memory", break: broken } of [...brokenStores, ...brokenLimits])
  test(`a store that ${name} is caught`, async () =>
    assertCaught(() => broken(on === "fleet" ? fleetPlace() : memoryPlace()), breaks, enough));

test("every rule has caught a mistake", () => {
  const caught = new Set<Rule>([...brokenStores, ...brokenLimits].map(({ breaks }) => breaks));
  assert.deepEqual([...caught, "defect"].toSorted(), [...rules].toSorted());
});
