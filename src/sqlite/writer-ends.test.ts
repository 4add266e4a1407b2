/** A writer thread that ends at any moment, without an error of its own: whoever waits for an answer gets one, and the store goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { manualClock } from "../core/index.ts";
import type { NewJob, StoreResult, StoreSession } from "../jobs/index.ts";
import { inFolder } from "../../tools/test-folder.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { startThread, type WriterThread } from "./link.ts";
import { sqliteOn } from "./store.ts";

const kept = { ageMs: 86_400_000, count: 1_000 };
const job: NewJob = { name: "a", priority: 5, payload: "1" };

/** Real threads, which the test can end. */
class Threads {
  readonly started: Worker[] = [];
  readonly clock = manualClock();
  readonly #file: string;
  readonly #onStart: (worker: Worker) => void;

  constructor(file: string, onStart: (worker: Worker) => void = () => undefined) {
    this.#file = file;
    this.#onStart = onStart;
  }

  get last(): Worker {
    const worker = this.started.at(-1);
    assert.ok(worker);
    return worker;
  }

  open(): ReturnType<ReturnType<typeof sqliteOn>["open"]> {
    const start = (options: Parameters<typeof startThread>[0]): WriterThread => {
      const worker = startThread(options);
      assert.ok(worker instanceof Worker);
      this.started.push(worker);
      this.#onStart(worker);
      return worker;
    };
    return sqliteOn(start, this.#file, {}).open({
      clock: this.clock,
      retention: { succeeded: kept, failed: kept, cancelled: kept },
      maxWaiting: 1_000,
      maxAttempts: () => 5,
    });
  }

  async session(): Promise<StoreSession> {
    const opened = await this.open();
    assert.ok(opened.ok, opened.ok ? "" : String(opened.fault));
    return opened.value;
  }

  /** The next writer takes calls. */
  async again(session: StoreSession): Promise<void> {
    const before = this.started.length;
    await this.clock.advance(limits.troubleRetryMs);
    assert.equal(this.started.length, before + 1, "another thread is started");
    while (!(await session.counts()).ok) await new Promise((resolve) => this.last.once("message", resolve));
  }
}

/** Every kind of call that waits for the writer. None has been sent yet when this returns. */
function callEverything(session: StoreSession): StoreResult<unknown>[] {
  return [
    session.enqueue([job]),
    session.enqueue([job, { ...job, after: { jobs: [0], on: "succeeded" } }]),
    session.get("1"),
    session.list({ limit: 1 }),
    session.counts(),
    session.backlog(["a"]),
    session.occurrences(),
    session.paused(),
    session.pause(["a"]),
    session.resume(["a"]),
    session.cancel("1"),
    session.retry("1"),
    session.signal("1", "s", "1"),
    session.notes("1"),
    session.dependencies("1"),
    session.prune(),
  ];
}

const ends: readonly (readonly [when: string, end: (worker: Worker) => unknown])[] = [
  ["before the calls are sent", (worker) => worker.terminate()],
  ["just when the calls have been sent", (worker) => setImmediate(() => void worker.terminate())],
  ["with an answer that cannot be read", (worker) => setImmediate(() => worker.emit("messageerror", new Error("no")))],
];
for (const [when, end] of ends) {
  test(`a writer that ends ${when} leaves no call without an answer, and the next one takes calls`, () =>
    inFolder(async (file) => {
      const threads = new Threads(file);
      const session = await threads.session();
      const ended = new Promise((resolve) => threads.last.once("exit", resolve));
      const calls = callEverything(session);
      end(threads.last);
      for (const answer of await Promise.all(calls)) assert.ok(answer.ok || answer.fault.code === "STORE_UNAVAILABLE");
      await ended;
      assert.equal((await session.enqueue([job])).ok, false, "down until the next one is there");
      await threads.again(session);
      assert.ok((await session.enqueue([job])).ok);
      await session.close();
    }));
}

test("new objects of the writer have little room, so that full collections do not take the place of short ones", () =>
  inFolder(async (file) => {
    const threads = new Threads(file);
    const session = await threads.session();
    assert.equal(threads.last.resourceLimits?.maxYoungGenerationSizeMb, limits.youngMB);
    await session.close();
  }));

test("a writer that ends while it opens the file is an open that is refused, and the file is free afterwards", () =>
  inFolder(async (file) => {
    const opened = await new Threads(file, (worker) => void worker.terminate()).open();
    assert.ok(!opened.ok && /ended with code/.test(opened.fault.message));
    await (await new Threads(file).session()).close();
  }));

test("a writer that ends while it closes the file holds up nobody", () =>
  inFolder(async (file) => {
    const threads = new Threads(file);
    const session = await threads.session();
    const closed = session.close();
    void threads.last.terminate();
    await closed;
    assert.equal((await session.counts()).ok, false);
    assert.equal(threads.started.length, 1, "no other is started");
  }));
