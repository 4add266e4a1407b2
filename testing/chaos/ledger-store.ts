/**
 * A store that writes down what passes its door, in a file of this process's own, one line an event, before the event goes on: what the process knew is on
 * file when it is killed. The lines are the history that the simulation's checker reads; their time is the machine's monotonic clock, which all processes
 * share and no step of the wall clock moves.
 */
import { openSync, writeSync } from "node:fs";
import { ok } from "../../src/core/index.ts";
import type { Store, StoreSession } from "../../src/jobs/index.ts";
import type { HistoryEvent } from "../simulation/history.ts";
import { askedOf, byHand, claimOf, noteOf, settledOf, without, type Call } from "../simulation/told.ts";

type Told = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never;

export type Write = (event: Told) => void;

/** Milliseconds of the machine's monotonic clock. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export function ledgerFile(path: string): Write {
  const file = openSync(path, "a");
  return (event) => void writeSync(file, `${JSON.stringify({ at: now() * 1_000, ...event })}\n`);
}

/** `timed`: the store's clock runs as this machine's does, so that what it says of times can be judged. */
export function ledgerStore(inner: Store, worker: string, write: Write, timed: boolean): Store {
  return {
    kind: inner.kind,
    async open(options) {
      const opened = await inner.open(options);
      return opened.ok ? ok(watched(opened.value, worker, write, timed)) : opened;
    },
  };
}

function watched(session: StoreSession, worker: string, write: Write, timed: boolean): StoreSession {
  let calls = 0;
  /** Calls of all processes are one series in the end, so each life has numbers of its own: it is `w1.17`. */
  const base = Number(worker.split(".").at(-1)) * 1_000_000_000;
  const wall = (): { wall?: number } => (timed ? { wall: now() } : {});
  const call: Call = async (verb, asked, act, told) => {
    const number = base + ++calls;
    write({ kind: "call", call: number, worker, verb, ...wall(), asked });
    const result = await act();
    if (result.ok) write({ kind: "done", call: number, done: told(result.value) });
    write({ kind: "answered", call: number, ok: result.ok });
    return result;
  };
  const own: Partial<StoreSession> = {
    enqueue: (jobs) =>
      call(
        "enqueue",
        { jobs: jobs.map(askedOf) },
        () => session.enqueue(jobs),
        (ids) => ({ ids }),
      ),
    settle: (settlements) =>
      call(
        "settle",
        // Times of a retry are by this process's wall clock, which may be moved: nobody else can judge them.
        { settlements: settlements.map((each) => without(settledOf(each), "runAt")) },
        () => session.settle(settlements),
        (receipts) => ({ receipts }),
      ),
    note: (job, notes, progress) =>
      call(
        "note",
        { id: job.id, fence: job.fence, names: notes.map(noteOf) },
        () => session.note(job, notes, progress),
        (receipt) => ({ receipts: [receipt] }),
      ),
    signal: (id, name, value) =>
      call(
        "signal",
        { id, names: [name], value },
        () => session.signal(id, name, value),
        (state) => ({ state }),
      ),
    ...byHand(session, call),
    consume: (options) =>
      session.consume({
        ...options,
        onClaimed: (jobs) => {
          write({
            kind: "claimed",
            worker,
            ...wall(),
            claims: jobs.map(claimOf),
          });
          options.onClaimed(jobs);
        },
        onLost: (ids) => {
          write({ kind: "lost", worker, ids, why: `the store took back ${ids.length} jobs` });
          options.onLost?.(ids);
        },
      }),
  };
  return new Proxy(session, {
    get(target, name) {
      if (name in own) return Reflect.get(own, name) as unknown;
      const verb: unknown = Reflect.get(target, name);
      return typeof verb === "function" ? (...rest: unknown[]) => Reflect.apply(verb, target, rest) as unknown : verb;
    },
  });
}
