/**
 * A session between an engine and a store, with everything on the way that can go wrong, by lot: messages take their time and overtake each other, a call is
 * refused before the store sees it, or its answer is lost after the store has done it, a settlement arrives twice, and the process dies before or after a
 * commit. Writes down what really happened.
 */
import { err } from "../../src/core/index.ts";
import {
  StoreUnavailable,
  type ConsumeOptions,
  type Consumer,
  type Fence,
  type StoreResult,
  type StoreSession,
} from "../../src/jobs/index.ts";
import type { Asked, Done, HistoryEvent, Verb, WorkerLife } from "./history.ts";
import { askedOf, byHand, claimOf, noteOf, settledOf } from "./told.ts";
import type { World } from "./world.ts";

/** How often what happens, as shares of calls; all 0 when the run heals. */
export interface FaultRates {
  readonly refused: number;
  readonly answerLost: number;
  readonly duplicated: number;
  readonly crashBefore: number;
  readonly crashAfter: number;
  readonly slowestMs: number;
  /** Of statements, where the store has a disk. */
  readonly statementFails: number;
  /** Of lives. */
  readonly diesInStatement: number;
}

export const noFaults: FaultRates = {
  refused: 0,
  answerLost: 0,
  duplicated: 0,
  crashBefore: 0,
  crashAfter: 0,
  slowestMs: 2,
  statementFails: 0,
  diesInStatement: 0,
};

export interface Door {
  readonly world: World;
  readonly worker: WorkerLife;
  readonly rates: () => FaultRates;
  readonly write: (event: Event) => void;
  /** The process of this session dies now. */
  readonly crash: () => void;
  readonly nextCall: () => number;
  /** By which wall clock the claim was made. */
  readonly claimedAt: (fence: Fence) => number;
}

type Event = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never;

export function faultySession(inner: StoreSession, door: Door): StoreSession {
  const { world, worker, write } = door;

  /** The way of one call: there, perhaps done, and back. */
  async function call<T>(
    verb: Verb,
    asked: Asked,
    act: () => StoreResult<T>,
    told: (value: T) => Done,
  ): StoreResult<T> {
    const number = door.nextCall();
    write({ kind: "call", call: number, worker, verb, wall: world.clock.now(), asked });
    const rates = door.rates();
    const answer = (ok: boolean): void => write({ kind: "answered", call: number, ok });
    await world.hop(worker, rates.slowestMs);
    if (world.chance(rates.crashBefore)) return dies(`before the commit of ${verb} ${number}`);
    if (world.chance(rates.refused)) {
      write({ kind: "fault", what: `${verb} ${number} of ${worker} never arrives` });
      await world.hop(worker, rates.slowestMs);
      answer(false);
      return err(StoreUnavailable({ reason: "the connection broke" }));
    }
    if (verb === "settle" && world.chance(rates.duplicated)) again(number, asked, act, told);
    const result = await act();
    if (result.ok) write({ kind: "done", call: number, done: told(result.value) });
    if (world.chance(rates.crashAfter)) return dies(`after the commit of ${verb} ${number}`);
    const lost = result.ok && world.chance(rates.answerLost);
    if (lost) write({ kind: "fault", what: `the answer to ${verb} ${number} of ${worker} is lost` });
    await world.hop(worker, rates.slowestMs);
    answer(result.ok && !lost);
    return lost ? err(StoreUnavailable({ reason: "the connection broke" })) : result;
  }

  /** The same message a second time, later; nobody waits for what it does. */
  function again<T>(first: number, asked: Asked, act: () => StoreResult<T>, told: (value: T) => Done): void {
    world.later(worker, world.random.int(200), () => {
      const number = door.nextCall();
      write({ kind: "fault", what: `settle ${first} of ${worker} arrives again, as ${number}` });
      write({ kind: "call", call: number, worker, verb: "settle", asked });
      void act().then((result) => result.ok && write({ kind: "done", call: number, done: told(result.value) }));
    });
  }

  function dies(when: string): Promise<never> {
    write({ kind: "fault", what: `${worker} dies ${when}` });
    door.crash();
    return new Promise(() => undefined);
  }

  return {
    enqueue: (jobs) =>
      call(
        "enqueue",
        { jobs: jobs.map(askedOf) },
        () => inner.enqueue(jobs),
        (ids) => ({ ids }),
      ),
    settle: (settlements) =>
      call(
        "settle",
        { settlements: settlements.map(settledOf) },
        () => inner.settle(settlements),
        (receipts) => ({ receipts }),
      ),
    ...byHand(inner, call),
    consume: (options) => consume(inner, options, door),
    get: (id) => inner.get(id),
    finished: (id, abort) => inner.finished(id, abort),
    list: (filter) => inner.list(filter),
    counts: (name) => inner.counts(name),
    occurrences: () => inner.occurrences(),
    prune: () => inner.prune(),
    close: () => inner.close(),
    note: (job, kept, progress) =>
      call(
        "note",
        { id: job.id, fence: job.fence, names: kept.map(noteOf) },
        () => inner.note(job, kept, progress),
        (receipt) => ({ receipts: [receipt] }),
      ),
    signal: (id, name, value) =>
      call(
        "signal",
        { id, names: [name], value },
        () => inner.signal(id, name, value),
        (state) => ({ state }),
      ),
    notes: (id) => inner.notes(id),
    dependencies: (id) => inner.dependencies(id),
    pause: (paused) =>
      call(
        "pause",
        { names: paused },
        () => inner.pause(paused),
        () => ({}),
      ),
    resume: (resumed) =>
      call(
        "resume",
        { names: resumed },
        () => inner.resume(resumed),
        () => ({}),
      ),
    paused: () => inner.paused(),
    backlog: (names) => inner.backlog(names),
  };
}

/** Claims are written down when the store makes them, and arrive later; in its order, because it calls back in its own process. */
function consume(
  inner: StoreSession,
  options: ConsumeOptions,
  { world, worker, rates, write, claimedAt }: Door,
): Consumer {
  const told: (() => void)[] = [];
  const tell = (what: () => void): void => {
    told.push(what);
    void world.hop(worker, rates().slowestMs).then(() => told.shift()?.());
  };
  return inner.consume({
    ...options,
    onClaimed(jobs) {
      write({
        kind: "claimed",
        worker,
        wall: jobs[0] === undefined ? 0 : claimedAt(jobs[0].fence),
        claims: jobs.map(claimOf),
      });
      tell(() => options.onClaimed(jobs));
    },
    onCancelRequested: (id) => tell(() => options.onCancelRequested(id)),
    onLost: (ids) => {
      write({ kind: "lost", worker, why: `the store told ${worker} that it has lost ${ids.join(", ")}` });
      tell(() => options.onLost?.(ids));
    },
  });
}
