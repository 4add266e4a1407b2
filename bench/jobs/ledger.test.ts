/** The book of the `jobs` benchmark, with queues that are simple enough to be known: it must see what it is there to see. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ledger } from "./ledger.ts";
import { type Payload, payloadOf } from "./protocol.ts";

const order = { ms: 40, batch: 1, unacknowledged: 20, waiting: 30 };

test("every acknowledged job that ran is accounted for, and the backlog stays bounded", async () => {
  const book = ledger();
  const run = (payloads: readonly Payload[]): void => {
    for (const payload of payloads) setImmediate(() => book.ran(payload));
  };
  const report = await book.run(async (payloads) => run(payloads), { ...order, ms: 500 });
  await book.untilAllRan(1000);
  const { acknowledged, neverRan, ranAgain, wrong } = book.verdict();
  assert.ok(report.ran > 0 && report.acknowledged > 0 && report.pickupP99Us >= report.pickupP50Us);
  assert.ok(acknowledged >= report.acknowledged && report.backlog <= 50, `a backlog of ${report.backlog}`);
  assert.deepEqual([neverRan, ranAgain, wrong], [0, 0, []]);
});

test("a preloaded backlog is worked off, from its first job on", async () => {
  const book = ledger();
  const waiting: Payload[] = [];
  const keep = async (payloads: readonly Payload[]): Promise<void> => void waiting.push(...payloads);
  const filled = await book.preload(keep, { jobs: 250, batch: 100, unacknowledged: 200 });
  assert.equal(waiting.length, 250);
  const drained = book.drain(1_000);
  for (const payload of waiting) setImmediate(() => book.ran(payload));
  const report = await drained;
  assert.ok(filled.seconds > 0 && report.seconds > 0);
  assert.equal(report.ran, 250);
  assert.deepEqual(book.verdict(), { acknowledged: 250, neverRan: 0, ranAgain: 0, wrong: [] });
});

test("a lost job, a job that ran twice and a refusal are told", async () => {
  const book = ledger();
  const queue = async (payloads: readonly Payload[]): Promise<void> => {
    for (const payload of payloads) {
      if (payload.n === 3) throw new Error("full");
      if (payload.n === 1) book.ran(payload);
      if (payload.n !== 2) book.ran(payload);
    }
  };
  await book.run(queue, { ...order, ratePerSecond: 200 });
  const { neverRan, ranAgain, wrong } = book.verdict();
  assert.deepEqual([neverRan, ranAgain, wrong], [1, 1, ["an enqueue was refused: Error: full"]]);
});

test("a payload is about 160 bytes", () => {
  const bytes = JSON.stringify(payloadOf(123_456, 1_234_567.891)).length;
  assert.ok(bytes >= 150 && bytes <= 170, `${bytes} bytes`);
});
