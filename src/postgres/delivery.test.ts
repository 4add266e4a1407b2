import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, NewJob } from "../jobs/index.ts";
import { KeyGates } from "./blocks/index.ts";
import { Delivery, type Share } from "./delivery.ts";

const fence = { epoch: 1, claim: 1 };
const claimedOf = (id: string, name = "a"): ClaimedJob => {
  return { id, name, priority: 5, payload: "{}", attempt: 1, enqueuedAt: 0, fence };
};
const job = (name = "a"): NewJob => ({ name, priority: 5, payload: "{}" });
const jobs = (count: number): NewJob[] => Array.from({ length: count }, () => job());
const all = (...claimed: ClaimedJob[]): Parameters<Delivery["endEnqueue"]>[2] => {
  return { claimed, free: claimed, refused: new Set() };
};
const nothing = all();
const creditOf = (share: Share | undefined): (readonly [string, number])[] => [...(share?.credit ?? [])];

function consumer(): { delivery: Delivery; handed: string[]; lost: string[] } {
  const handed: string[] = [];
  const lost: string[] = [];
  const delivery = new Delivery(
    {
      names: ["a", "b"],
      onClaimed: (jobs) => void handed.push(...jobs.map(({ id }) => id)),
      onCancelRequested: () => undefined,
      onTrouble: () => undefined,
      onLost: (ids) => void lost.push(...ids),
    },
    () => undefined,
  );
  delivery.grant("a", 10);
  delivery.grant("b", 10);
  // One turn that finds nothing: now it is known that nothing waits.
  delivery.endTurn(delivery.takeForTurn(), [], [], ["a", "b"]);
  return { delivery, handed, lost };
}

test("what is enqueued while a turn brings older jobs of the name is claimed with it, and handed over behind them", () => {
  const { delivery, handed } = consumer();
  // Too much for an enqueue that took its room before: one waits.
  delivery.endEnqueue(undefined, [job()], nothing);
  const turn = delivery.takeForTurn();
  assert.deepEqual([...turn], [["a", 1]]);
  const ofA = delivery.takeForEnqueue([job()]);
  assert.deepEqual(creditOf(ofA), [["a", 1]]);
  delivery.endEnqueue(ofA, [job()], all(claimedOf("younger")));
  const ofB = delivery.takeForEnqueue([job("b")]);
  delivery.endEnqueue(ofB, [job("b")], all(claimedOf("another", "b")));
  assert.deepEqual(handed, ["another"]);
  delivery.endTurn(turn, [claimedOf("older")], [claimedOf("older")], ["a"]);
  assert.deepEqual(handed, ["another", "older", "younger"]);
  assert.equal(delivery.wants, false);
});

test("of the credit an enqueue leaves what waits and is not in the turn", () => {
  const { delivery } = consumer();
  delivery.endEnqueue(undefined, jobs(4), nothing);
  const turn = delivery.takeForTurn();
  assert.deepEqual([...turn], [["a", 4]]);
  delivery.endEnqueue(undefined, [job(), job()], nothing);
  // Ten, four of them in the turn, two for those that came since.
  const room = delivery.takeForEnqueue(jobs(9));
  assert.deepEqual(creditOf(room), [["a", 4]]);
});

test("a look that nobody called for keeps enqueues from nothing, and makes what is known doubtful only where it finds more than it has credit for", () => {
  const { delivery, handed } = consumer();
  delivery.doubt();
  assert.equal(delivery.wants, true);
  const look = delivery.takeForTurn();
  assert.deepEqual(
    [...look],
    [
      ["a", 5],
      ["b", 5],
    ],
  );
  const ofA = delivery.takeForEnqueue(Array.from({ length: 9 }, () => job()));
  assert.deepEqual(creditOf(ofA), [["a", 5]]);
  delivery.endEnqueue(ofA, [job()], all(claimedOf("new")));
  assert.deepEqual(handed, ["new"]);
  const others = ["1", "2", "3", "4", "5"].map((id) => claimedOf(id, "b"));
  delivery.endTurn(look, others, others, ["a"]);
  assert.deepEqual(handed, ["new", "1", "2", "3", "4", "5"]);
  // Nothing else waits of the one; of the other the rest of the credit is a turn's.
  assert.deepEqual(creditOf(delivery.takeForEnqueue([job(), job("b")])), [["a", 1]]);
  assert.deepEqual([...delivery.takeForTurn()], [["b", 5]]);
});

test("a look without credit for a name is owed to it", () => {
  const { delivery } = consumer();
  const all10 = delivery.takeForEnqueue(Array.from({ length: 10 }, () => job()));
  delivery.doubt();
  assert.deepEqual([...delivery.takeForTurn()], [["b", 5]]);
  delivery.endTurn(new Map([["b", 5]]), [], [], ["b"]);
  assert.equal(delivery.wants, false);
  delivery.giveBack(all10 as Share, []);
  assert.equal(delivery.wants, true);
  assert.deepEqual([...delivery.takeForTurn()], [["a", 5]]);
});

test("a turn that fails, and a lease that is over, keep nothing back", () => {
  const { delivery, handed, lost } = consumer();
  const claimedMeanwhile = (id: string): Delivery => {
    delivery.endEnqueue(undefined, [job()], nothing);
    delivery.takeForTurn();
    const room = delivery.takeForEnqueue([job()]);
    delivery.endEnqueue(room, [job()], all(claimedOf(id)));
    return delivery;
  };
  claimedMeanwhile("512").lose(["512"]);
  assert.deepEqual([handed, lost], [["512"], ["512"]]);
  delivery.endTurn(new Map(), [], [], []);
  claimedMeanwhile("1024").endTurn(new Map(), [], [], []);
  assert.deepEqual(handed, ["512", "1024"]);
});

test("of a name with limits per key what may run and has no credit waits for the next, the most urgent first", () => {
  const handed: string[] = [];
  const gates = new KeyGates(
    () => 1,
    () => 10,
    () => 0,
  );
  const delivery = new Delivery(
    {
      names: ["a"],
      onClaimed: (jobs) => void handed.push(...jobs.map(({ id }) => id)),
      onCancelRequested: () => undefined,
      onTrouble: () => undefined,
    },
    () => gates.limited("a"),
  );
  delivery.grant("a", 1);
  const turn = delivery.takeForTurn();
  const claimed = ["1", "2", "3", "4"].map((id) => ({
    ...claimedOf(id),
    key: id,
    priority: id === "3" ? 1 : 5,
  }));
  delivery.endTurn(turn, claimed, gates.begin(claimed, true), []);
  assert.deepEqual([handed, gates.of("a").due], [["1"], 3]);
  delivery.grant("a", 2);
  assert.deepEqual(handed, ["1", "3", "2"]);
  // Cancelled before it begins; and after the stop nothing is claimed ahead.
  assert.equal(delivery.takeDue(({ id }) => id === "4").length, 1);
  delivery.stop();
  assert.equal(delivery.takeForEnqueue([{ ...job(), key: "new" }]), undefined);
  delivery.grant("a", 5);
  assert.deepEqual([handed.length, gates.of("a").due], [3, 0]);
});

test("credit that is taken back is not used again, and what a statement used of it counts against the next", () => {
  const { delivery, handed } = consumer();
  delivery.grant("a", -6);
  delivery.endEnqueue(undefined, jobs(9), nothing);
  const turn = delivery.takeForTurn();
  assert.deepEqual([...turn], [["a", 4]]);
  delivery.grant("a", -3);
  assert.deepEqual([...delivery.takeForTurn()], []);
  const claimed = ["1", "2", "3"].map((id) => claimedOf(id));
  delivery.endTurn(turn, claimed, claimed, []);
  assert.deepEqual(handed, ["1", "2", "3"]);
  delivery.grant("a", 2);
  assert.equal(delivery.has("a"), false);
  delivery.grant("a", 1);
  assert.deepEqual([...delivery.takeForTurn()], [["a", 1]]);
});
