/**
 * Stores with one mistake each, of the kinds that stores of jobs have had, in what becomes of a job. They are a right store behind a door that gets one thing
 * wrong. The simulation has to catch every one of them within some hundred seeds, by the rule that is there for it: a checker that catches nothing proves
 * nothing. `broken-limits.ts` has those that get wrong what jobs share.
 */
import { ok } from "../../src/core/index.ts";
import type { ClaimedJob, Settlement, StoreSession } from "../../src/jobs/index.ts";
import { type BrokenStore, enqueuing, onClaims, wrapped } from "./broken-door.ts";
import { without } from "./told.ts";

export const brokenStores: readonly BrokenStore[] = [
  {
    name: "acknowledges before the commit",
    breaks: "lost",
    break: (place) => {
      const fresh = new Map<string, number>();
      const hidden = new Set<string>();
      return wrapped(place, {
        hidden,
        session: (session, { clock }) => ({
          enqueue: async (jobs) => {
            const result = await session.enqueue(jobs);
            if (result.ok)
              for (const { id, duplicate } of result.value) if (!duplicate) fresh.set(id, clock.monotonic());
            return result;
          },
          consume: (options) =>
            session.consume(onClaims(options, (jobs) => jobs.forEach(({ id }) => fresh.delete(id)))),
        }),
        // The log had not been written yet when the process died.
        killed: ({ clock }) => {
          for (const [id, at] of fresh) if (clock.monotonic() - at < 100) hidden.add(id);
          fresh.clear();
        },
      });
    },
  },
  {
    name: "ignores the fence",
    breaks: "stale settlement",
    on: "fleet",
    break: (place) => {
      const latest = new Map<string, ClaimedJob>();
      return wrapped(place, {
        session: (session) => ({
          consume: (options) =>
            session.consume(onClaims(options, (jobs) => jobs.forEach((job) => latest.set(job.id, job)))),
          settle: (settlements) =>
            session.settle(settlements.map((each) => ({ ...each, job: latest.get(each.job.id) ?? each.job }))),
        }),
      });
    },
  },
  {
    name: "loses what runs when the process dies",
    breaks: "lost",
    break: (place) => {
      const running = new Set<string>();
      const hidden = new Set<string>();
      return wrapped(place, {
        hidden,
        session: (session) => ({
          consume: (options) => session.consume(onClaims(options, (jobs) => jobs.forEach(({ id }) => running.add(id)))),
          settle: (settlements) => {
            for (const { job } of settlements) running.delete(job.id);
            return session.settle(settlements);
          },
        }),
        killed: () => {
          for (const id of running) hidden.add(id);
          running.clear();
        },
      });
    },
  },
  {
    name: "hands a job over twice",
    breaks: "double claim",
    break: (place) =>
      wrapped(place, {
        session: (session, { clock }) => ({
          consume: (options) =>
            session.consume({
              ...options,
              onClaimed: (jobs) => {
                options.onClaimed(jobs);
                const [again] = jobs;
                if (again !== undefined && Number(again.id) % 7 === 0)
                  clock.setTimer(20, () => options.onClaimed([again]));
              },
            }),
        }),
      }),
  },
  {
    name: "forgets unique keys",
    breaks: "unique",
    break: enqueuing((job) => without(job, "uniqueKey")),
  },
  {
    name: "does not count attempts that crashed",
    breaks: "attempts",
    break: (place) => {
      let deaths = 0;
      return wrapped(place, {
        session: (session) => ({
          consume: (options) =>
            session.consume({
              ...options,
              onClaimed: (jobs) =>
                options.onClaimed(jobs.map((job) => ({ ...copied(job), attempt: Math.max(1, job.attempt - deaths) }))),
            }),
        }),
        killed: () => void deaths++,
      });
    },
  },
  {
    name: "confirms settlements that it does not keep",
    breaks: "finished",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          settle: async (settlements) => {
            const dropped = (each: Settlement): boolean => each.to === "succeeded" && Number(each.job.id) % 5 === 0;
            const result = await session.settle(settlements.filter((each) => !dropped(each)));
            if (!result.ok) return result;
            const receipts = [...result.value];
            return ok(settlements.map((each) => (dropped(each) ? "settled" : (receipts.shift() ?? "stale"))));
          },
        }),
      }),
  },
  {
    name: "makes up the end of a job",
    breaks: "unexplained",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          settle: (settlements) =>
            session.settle(
              settlements.map((each) => (each.to === "retry" ? { job: each.job, to: "succeeded" } : each)),
            ),
        }),
      }),
  },
  {
    name: "makes two of one job",
    breaks: "invented",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          enqueue: async (jobs) => {
            const [first] = jobs;
            const twice = first !== undefined && first.name === "plain" && first.uniqueKey === undefined;
            const result = await session.enqueue(twice ? [...jobs, first] : jobs);
            return result.ok && twice ? ok(result.value.slice(0, -1)) : result;
          },
        }),
      }),
  },
  {
    name: "runs a job again that has succeeded",
    breaks: "once",
    break: (place) => {
      const again = new Set<string>();
      const error = { attempt: 1, at: 0, code: "FORGOTTEN", message: "" };
      return wrapped(place, {
        session: (session) => ({
          settle: (settlements) =>
            session.settle(
              settlements.map((each) => {
                if (each.to !== "succeeded" || each.job.attempt > 1 || again.has(each.job.id)) return each;
                again.add(each.job.id);
                return { job: each.job, to: "retry", runAt: 0, error };
              }),
            ),
        }),
      });
    },
  },
  {
    name: "confirms a cancel that it does not do",
    breaks: "cancelled",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          cancel: async (id) => {
            const found = await session.get(id);
            if (!found.ok) return found;
            const state = found.value?.state;
            return state === "scheduled" || state === "ready" ? ok("cancelled") : session.cancel(id);
          },
        }),
      }),
  },
  {
    name: "starts at once what is scheduled",
    breaks: "early",
    break: enqueuing((job) => without(without(job, "runAt"), "delayMs")),
  },
  {
    name: "starts the next attempt at once",
    breaks: "early",
    break: (place) => wrapped(place, { session: (session) => settling(session, (each) => retryAt(each, 0)) }),
  },
  {
    name: "counts an attempt for a snooze",
    breaks: "attempts",
    break: (place) =>
      wrapped(place, {
        session: (session) =>
          settling(session, (each) => {
            if (each.to !== "snoozed") return each;
            const error = { attempt: each.job.attempt, at: 0, code: "SNOOZED", message: "" };
            return { job: each.job, to: "retry", runAt: each.runAt, error };
          }),
      }),
  },
  {
    name: "counts an attempt for a wait",
    breaks: "attempts",
    break: (place) =>
      wrapped(place, {
        session: (session, { clock }) =>
          settling(session, (each) => {
            if (each.to !== "waiting" || each.until === undefined) return each;
            const error = { attempt: each.job.attempt, at: 0, code: "WAITED", message: "" };
            return { job: each.job, to: "retry", runAt: Math.min(each.until, clock.now() + 500), error };
          }),
      }),
  },
];

function settling(session: StoreSession, change: (settlement: Settlement) => Settlement): Partial<StoreSession> {
  return { settle: (settlements) => session.settle(settlements.map(change)) };
}

function retryAt(each: Settlement, runAt: number): Settlement {
  return each.to === "retry" ? { ...each, runAt } : each;
}

/** A store's job may read itself from bytes when it is asked: spread into another it would lack what it has. */
function copied(job: ClaimedJob): ClaimedJob {
  return JSON.parse(JSON.stringify(job)) as ClaimedJob;
}
