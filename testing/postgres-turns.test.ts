/** How often a session on PostgreSQL asks for work. Counted, not timed: what can be had only after somebody does something is not asked for again and again until then. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../src/core/index.ts";
import type { NewJob, StoreOpenOptions } from "../src/jobs/index.ts";
import { Life } from "../src/postgres/life.ts";
import { Session } from "../src/postgres/session.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";
import { giveBack, openDatabase } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";
import { until } from "./worker-place.ts";

const options: StoreOpenOptions = {
  clock: systemClock,
  retention: keepMany,
  maxWaiting: 1_000,
  maxAttempts: () => 3,
};
const plain: NewJob = { name: "a", priority: 5, payload: '"plain"' };
const row: NewJob = { ...plain, payload: '"row"', uniqueKey: "u" };

for (const kind of postgresKinds())
  describe(`turns on PostgreSQL (${kind})`, () => {
    for (const [title, jobs] of [
      ["a row behind a block", [plain, row]],
      ["a block behind a row", [row, plain]],
      ["a more urgent row before a block", [plain, { ...row, priority: 1 }]],
    ] as const)
      test(`a paused name with ${title} is asked a few times, and goes on when it is resumed`, async () => {
        const url = await openDatabase(kind);
        const life = new Life({ target: { url }, direct: undefined, schema: "tensile", pooled: false }, options);
        await life.begin();
        let turns = 0;
        const turn = life.paths.turn.bind(life.paths);
        life.paths.turn = (...given) => {
          turns++;
          return turn(...given);
        };
        const session = new Session(life, options);
        const claimed: string[] = [];
        const consumer = session.consume({
          names: ["a"],
          onClaimed: (all) => claimed.push(...all.map(({ payload }) => payload)),
          onCancelRequested: () => undefined,
          onTrouble: () => undefined,
        });
        try {
          value(await session.pause(["a"]));
          consumer.grant("a", 10);
          for (const job of jobs) value(await session.enqueue([job]));
          const before = turns;
          // A turn is two or three of such round trips: asked without end, there would be a hundred of them.
          for (let round = 0; round < 300; round++) value(await session.paused());
          assert.ok(turns - before <= 20, `${turns - before} turns while it was paused`);
          assert.deepEqual(claimed, []);
          value(await session.resume(["a"]));
          await until(() => claimed.length === 2);
        } finally {
          await consumer.stop();
          await session.close();
        }
        await giveBack(kind, url);
      });
  });
