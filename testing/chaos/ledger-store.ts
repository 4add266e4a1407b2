/**
 * A store that writes down what passes its door, in a file of this process's own, one line an event, before the event goes on: what the process knew is on
 * file when it is killed. The lines are the history that the simulation's checker reads; their time is the machine's monotonic clock, which all processes
 * share and no step of the wall clock moves.
 */
import { openSync, writeSync } from "node:fs";
import { ok } from "../../src/core/index.ts";
import type { Store, StoreResult, StoreSession } from "../../src/jobs/index.ts";
import type { Asked, Done, HistoryEvent, Verb } from "../simulation/history.ts";

type Told = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never;

export type Write = (event: Told) => void;

export function ledgerFile(path: string): Write {
  const file = openSync(path, "a");
  return (event) =>
    void writeSync(file, `${JSON.stringify({ at: Number(process.hrtime.bigint() / 1_000n), ...event })}\n`);
}

export function ledgerStore(inner: Store, worker: string, write: Write): Store {
  return {
    kind: inner.kind,
    async open(options) {
      const opened = await inner.open(options);
      return opened.ok ? ok(watched(opened.value, worker, write)) : opened;
    },
  };
}

function watched(session: StoreSession, worker: string, write: Write): StoreSession {
  let calls = 0;
  /** Calls of all processes are one series in the end, so each has numbers of its own. */
  const base = process.pid * 1_000_000;
  async function call<T>(
    verb: Verb,
    asked: Asked,
    act: () => StoreResult<T>,
    told: (value: T) => Done,
  ): StoreResult<T> {
    const number = base + ++calls;
    write({ kind: "call", call: number, worker, verb, asked });
    const result = await act();
    if (result.ok) write({ kind: "done", call: number, done: told(result.value) });
    write({ kind: "answered", call: number, ok: result.ok });
    return result;
  }
  const own: Partial<StoreSession> = {
    enqueue: (jobs) =>
      call(
        "enqueue",
        {
          jobs: jobs.map(({ name, key, uniqueKey }) => ({
            name,
            ...(key !== undefined && { key }),
            ...(uniqueKey !== undefined && { uniqueKey }),
          })),
        },
        () => session.enqueue(jobs),
        (ids) => ({ ids }),
      ),
    settle: (settlements) =>
      call(
        "settle",
        { settlements: settlements.map(({ job, to }) => ({ id: job.id, fence: job.fence, attempt: job.attempt, to })) },
        () => session.settle(settlements),
        (receipts) => ({ receipts }),
      ),
    cancel: (id) =>
      call(
        "cancel",
        { id },
        () => session.cancel(id),
        (state) => ({ state }),
      ),
    consume: (options) =>
      session.consume({
        ...options,
        onClaimed: (jobs) => {
          write({
            kind: "claimed",
            worker,
            claims: jobs.map(({ id, name, key, attempt, fence }) => ({ id, name, key, attempt, fence })),
          });
          options.onClaimed(jobs);
        },
        onLost: (ids) => {
          write({ kind: "lost", worker, why: `the store took back ${ids.length} jobs` });
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
