/** The producer of the `jobs` benchmark: what it brings in one turn of the event loop must not be what everything else in the process waits for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { payloadOf } from "./protocol.ts";
import { Producer } from "./producer.ts";

test("a producer that is behind sends as few jobs in a turn as one that is not", async () => {
  let made = 0;
  const producer = new Producer({
    make: (count) => Array.from({ length: count }, () => payloadOf(made++, 0)),
    acknowledged: () => undefined,
    refused: assert.fail,
    waiting: () => 0,
    isBroken: () => false,
  });
  // Turns of two milliseconds: each of them finds the timer of the producer due.
  const busy = async (): Promise<void> => {
    for (const until = performance.now() + 2; performance.now() < until;);
  };
  const most: number[] = [];
  producer.start(busy, { ms: 0, batch: 1, unacknowledged: 1_000, waiting: 1_000 });
  for (let turn = 0; turn < 20; turn++) {
    const before = made;
    await new Promise((next) => setImmediate(next));
    most.push(made - before);
  }
  await producer.stop();
  assert.ok(made > 0 && Math.max(...most) <= 10, `jobs by turn: ${most.join(", ")}`);
});
