import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, NewJob } from "../jobs/index.ts";
import { Delivery } from "./delivery.ts";

const fence = { epoch: 1, claim: 1 };
const claimedOf = (id: string, name = "a"): ClaimedJob => {
  return { id, name, priority: 5, payload: "{}", attempt: 1, enqueuedAt: 0, fence };
};
const job = (name = "a"): NewJob => ({ name, priority: 5, payload: "{}" });

function consumer(): { delivery: Delivery; handed: string[]; lost: string[] } {
  const handed: string[] = [];
  const lost: string[] = [];
  const delivery = new Delivery({
    names: ["a", "b"],
    onClaimed: (jobs) => void handed.push(...jobs.map(({ id }) => id)),
    onCancelRequested: () => undefined,
    onTrouble: () => undefined,
    onLost: (ids) => void lost.push(...ids),
  });
  delivery.grant("a", 10);
  delivery.grant("b", 10);
  // One turn that finds nothing: now it is known that nothing waits.
  delivery.endTurn(delivery.takeForTurn(), [], ["a", "b"]);
  return { delivery, handed, lost };
}

test("what is enqueued while a turn brings older jobs of the name is claimed with it, and handed over behind them", () => {
  const { delivery, handed } = consumer();
  // Too much for an enqueue that took its room before: one waits.
  delivery.endEnqueue(new Map(), [job()], []);
  const turn = delivery.takeForTurn();
  assert.deepEqual([...turn], [["a", 1]]);
  const ofA = delivery.takeForEnqueue([job()]) ?? new Map<string, number>();
  assert.deepEqual([...ofA], [["a", 1]]);
  delivery.endEnqueue(ofA, [job()], [claimedOf("younger")]);
  const ofB = delivery.takeForEnqueue([job("b")]) ?? new Map<string, number>();
  delivery.endEnqueue(ofB, [job("b")], [claimedOf("another", "b")]);
  assert.deepEqual(handed, ["another"]);
  delivery.endTurn(turn, [claimedOf("older")], ["a"]);
  assert.deepEqual(handed, ["another", "older", "younger"]);
  assert.equal(delivery.wants, false);
});

test("of the credit an enqueue leaves what waits and is not in the turn", () => {
  const { delivery } = consumer();
  delivery.endEnqueue(
    new Map(),
    Array.from({ length: 4 }, () => job()),
    [],
  );
  const turn = delivery.takeForTurn();
  assert.deepEqual([...turn], [["a", 4]]);
  delivery.endEnqueue(new Map(), [job(), job()], []);
  // Ten, four of them in the turn, two for those that came since.
  const room = delivery.takeForEnqueue(Array.from({ length: 9 }, () => job()));
  assert.deepEqual([...(room ?? [])], [["a", 4]]);
});

test("a turn that fails, and a lease that is over, keep nothing back", () => {
  const { delivery, handed, lost } = consumer();
  const claimedMeanwhile = (id: string): Delivery => {
    delivery.endEnqueue(new Map(), [job()], []);
    delivery.takeForTurn();
    const room = delivery.takeForEnqueue([job()]) ?? new Map<string, number>();
    delivery.endEnqueue(room, [job()], [claimedOf(id)]);
    return delivery;
  };
  claimedMeanwhile("one").lose(["one"]);
  assert.deepEqual([handed, lost], [["one"], ["one"]]);
  delivery.endTurn(new Map(), [], []);
  claimedMeanwhile("two").endTurn(new Map(), [], []);
  assert.deepEqual(handed, ["one", "two"]);
});
