/** The store as a thread sees it, over a real port, without a server: what becomes of faults, of mistakes, and of waits that end early. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { manualClock } from "../../core/index.ts";
import type { StoreSession } from "../../jobs/index.ts";
import { memoryStore } from "../../testing/index.ts";
import { ThreadCalls } from "./calls.ts";
import { MainLink } from "./main-link.ts";
import { threadLimits } from "./options.ts";
import type { ToMain } from "./protocol.ts";
import { remoteStore } from "./remote-session.ts";

const job = { name: "a", priority: 5, payload: "1" };
const kept = { ageMs: 86_400_000, count: 1_000 };
const options = {
  clock: manualClock(),
  retention: { succeeded: kept, failed: kept, cancelled: kept },
  maxWaiting: 2,
  maxAttempts: () => 3,
};

/** The main thread answers nothing while it is `deaf`, and has no store while none is `open`. */
async function pair(context: TestContext) {
  const store = memoryStore();
  const opened = await store.open(options);
  assert.ok(opened.ok);
  const main: StoreSession = opened.value;
  const state = { deaf: false, open: true };
  const { port1, port2 } = new MessageChannel();
  context.after(() => port1.close());
  const calls = new ThreadCalls(
    { session: () => (state.open ? main : undefined), store, snapshots: async () => [], stop: () => undefined },
    1,
    (id, answer) => port1.postMessage({ kind: "answer", id, answer }),
  );

  port1.on("message", (message: ToMain) => {
    if (message.kind === "call" && !state.deaf) void calls.answer(message);
    else if (message.kind === "abort") calls.abort(message.id);
  });
  const nothing = (): void => undefined;
  const orders = { listen: nothing, drain: nothing, cut: nothing, snapshot: nothing, reload: nothing };
  const link = new MainLink({ index: 1, count: 1, port: port2, share: {} as never }, orders);
  const remote = await remoteStore(store, link).open(options);
  assert.ok(remote.ok);
  return { store, main, remote: remote.value, calls, state };
}

test("a fault of the store reaches the thread with its code and data, and a mistake as the TypeError that it is", async (context) => {
  const { store, remote, state } = await pair(context);
  assert.ok((await remote.enqueue([job, job])).ok);
  const full = await remote.enqueue([job]);
  assert.ok(!full.ok);
  assert.deepEqual([full.fault.code, full.fault.kind], ["QUEUE_FULL", "resource_exhausted"]);
  store.breakDown("the disk is full");
  const broken = await remote.counts();
  assert.ok(!broken.ok && broken.fault.code === "STORE_UNAVAILABLE");
  assert.match(broken.fault.data.reason, /disk is full/);
  state.open = false;
  await assert.rejects(remote.counts(), new TypeError("No store is open."));
});

test("a wait that its caller gives up ends, and so do those of a thread that dies", async (context) => {
  const { remote, calls } = await pair(context);
  const [one] = await ids(remote);
  const giveUp = new AbortController();
  const first = remote.finished(one, giveUp.signal);
  giveUp.abort();
  await assert.rejects(first, /aborted/);
  await assert.rejects(remote.finished(one, AbortSignal.abort()), /aborted/);
  const second = remote.finished(one);
  // It has arrived: messages come in their order.
  void (await remote.counts());
  calls.end();
  await assert.rejects(second, /aborted/);
});

test("a job that ends in the main thread ends the wait in the other one", async (context) => {
  const { remote } = await pair(context);
  const [one] = await ids(remote);
  const wait = remote.finished(one);
  assert.deepEqual(await remote.cancel(one).then((result) => result.ok && result.value), "cancelled");
  const found = await wait;
  assert.equal(found.ok && found.value?.state, "cancelled");
});

test("what only the main thread does is a mistake or a refusal, and a close leaves the store open", async (context) => {
  const { main, remote } = await pair(context);
  const inMain = /run in the main thread/;
  const nothing = (): void => undefined;
  const consume = { names: ["a"], onClaimed: nothing, onCancelRequested: nothing, onTrouble: nothing };
  assert.throws(() => remote.consume(consume), inMain);
  assert.throws(() => remote.settle([]), inMain);
  assert.throws(() => remote.notes("1"), inMain);
  for (const refused of [await remote.prune(), await remote.occurrences()])
    assert.ok(!refused.ok && refused.fault.code === "STORE_UNAVAILABLE");
  await remote.close();
  assert.ok((await main.enqueue([job])).ok);
});

test("a main thread that answers nothing is given so many calls and no more", async (context) => {
  const { remote, state } = await pair(context);
  state.deaf = true;
  for (let call = 0; call < threadLimits.pendingCalls; call++) void remote.paused();
  const refused = await remote.paused();
  assert.ok(!refused.ok && refused.fault.code === "STORE_UNAVAILABLE");
  assert.match(refused.fault.data.reason, /10000 calls of this thread wait/);
});

async function ids(session: StoreSession): Promise<[string]> {
  const made = await session.enqueue([job]);
  assert.ok(made.ok);
  return [String(made.value[0]?.id)];
}
