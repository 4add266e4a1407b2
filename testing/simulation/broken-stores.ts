/**
 * Stores with one mistake each, of the kinds that stores of jobs have had. They are a right store behind a door that gets one thing wrong. The simulation
 * has to catch every one of them within some hundred seeds: a checker that catches nothing proves nothing.
 */
import { ok } from "../../src/core/index.ts";
import type {
  ClaimedJob,
  ConsumeOptions,
  NewJob,
  Settlement,
  Store,
  StoreOpenOptions,
  StoreSession,
} from "../../src/jobs/index.ts";
import type { SimulatedPlace } from "./simulate.ts";
import type { Feature } from "./workload.ts";

export interface BrokenStore {
  readonly name: string;
  /** What the store has to be able to do for the mistake to show. */
  readonly needs?: Feature;
  break(place: SimulatedPlace): SimulatedPlace;
}

export const brokenStores: readonly BrokenStore[] = [
  {
    name: "acknowledges before the commit",
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
    break: (place) =>
      wrapped(place, { session: (session) => ({ enqueue: changed(session, (job) => without(job, "uniqueKey")) }) }),
  },
  {
    name: "does not count attempts that crashed",
    break: (place) => {
      let deaths = 0;
      return wrapped(place, {
        session: (session) => ({
          consume: (options) =>
            session.consume({
              ...options,
              onClaimed: (jobs) =>
                options.onClaimed(
                  jobs.map((job) => ({ ...job, payload: job.payload, attempt: Math.max(1, job.attempt - deaths) })),
                ),
            }),
        }),
        killed: () => void deaths++,
      });
    },
  },
  {
    name: "confirms settlements that it does not keep",
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
    name: "does not keep the order of a key",
    needs: "keys",
    break: (place) => withPolicy(place, (perKey) => without(perKey, "ordered")),
  },
  {
    name: "lets one more of a key run",
    needs: "keys",
    break: (place) =>
      withPolicy(place, ({ concurrency, ...perKey }) => ({
        ...perKey,
        ...(concurrency !== undefined && { concurrency: concurrency + 1 }),
      })),
  },
  {
    name: "does not wait for dependencies",
    needs: "dependencies",
    break: (place) =>
      wrapped(place, { session: (session) => ({ enqueue: changed(session, (job) => without(job, "after")) }) }),
  },
];

interface Wrapping {
  /** Jobs that the store no longer knows. */
  readonly hidden?: ReadonlySet<string>;
  readonly session: (session: StoreSession, options: StoreOpenOptions) => Partial<StoreSession>;
  readonly killed?: (options: StoreOpenOptions) => void;
}

function wrapped(place: SimulatedPlace, { hidden, session: change, killed }: Wrapping): SimulatedPlace {
  const opened = new Map<Store, { readonly inner: Store; options?: StoreOpenOptions }>();
  return {
    ...place,
    store(life) {
      const inner = place.store(life);
      const store: Store = {
        kind: inner.kind,
        async open(options) {
          const result = await inner.open(options);
          if (!result.ok) return result;
          opened.set(store, { inner, options });
          const session = hidden === undefined ? result.value : hiding(result.value, hidden);
          return ok(overlaid(session, change(session, options)));
        },
      };
      opened.set(store, { inner });
      return store;
    },
    freeze: (store) => place.freeze?.(opened.get(store)?.inner ?? store),
    thaw: (store) => place.thaw?.(opened.get(store)?.inner ?? store),
    kill(store) {
      const { inner, options } = opened.get(store) ?? { inner: store };
      if (options !== undefined) killed?.(options);
      place.kill(inner);
    },
  };
}

/** A session with some verbs of its own. */
function overlaid(session: StoreSession, verbs: Partial<StoreSession>): StoreSession {
  return new Proxy(session, {
    get(target, name) {
      const verb: unknown = Reflect.get(verbs, name) ?? Reflect.get(target, name);
      if (typeof verb !== "function" || name in verbs) return verb;
      return (...rest: unknown[]) => Reflect.apply(verb, target, rest) as unknown;
    },
  });
}

function hiding(session: StoreSession, hidden: ReadonlySet<string>): StoreSession {
  const seen = ({ id }: { readonly id: string }): boolean => !hidden.has(id);
  return overlaid(session, {
    consume: (options) => session.consume({ ...options, onClaimed: (jobs) => options.onClaimed(jobs.filter(seen)) }),
    list: async (filter) => {
      const result = await session.list(filter);
      return result.ok ? ok(result.value.filter(seen)) : result;
    },
  });
}

function onClaims(options: ConsumeOptions, see: (jobs: readonly ClaimedJob[]) => void): ConsumeOptions {
  return {
    ...options,
    onClaimed: (jobs) => {
      see(jobs);
      options.onClaimed(jobs);
    },
  };
}

function changed(session: StoreSession, change: (job: NewJob) => NewJob): StoreSession["enqueue"] {
  return (jobs) => session.enqueue(jobs.map(change));
}

function without<T extends object>(value: T, name: keyof T): T {
  const copy = { ...value };
  Reflect.deleteProperty(copy, name);
  return copy;
}

type PerKey = NonNullable<NonNullable<ReturnType<NonNullable<StoreOpenOptions["policy"]>>>["perKey"]>;

function withPolicy(place: SimulatedPlace, change: (perKey: PerKey) => PerKey): SimulatedPlace {
  return {
    ...place,
    store(life) {
      const inner = place.store(life);
      const { open } = inner;
      // The same store, so that it can be killed by its own name.
      inner.open = (options) => {
        const { policy } = options;
        if (policy === undefined) return open.call(inner, options);
        return open.call(inner, {
          ...options,
          policy: (name) => {
            const own = policy(name);
            return own?.perKey === undefined ? own : { ...own, perKey: change(own.perKey) };
          },
        });
      };
      return inner;
    },
  };
}
