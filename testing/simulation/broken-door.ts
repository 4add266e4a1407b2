/** The door that a broken store gets one thing wrong at: a right store's verbs, claims, policies and deaths, changed. */
import { ok } from "../../src/core/index.ts";
import type {
  ClaimedJob,
  ConsumeOptions,
  NewJob,
  Store,
  StoreOpenOptions,
  StoreSession,
} from "../../src/jobs/index.ts";
import type { SimulatedPlace } from "./simulate.ts";
import type { Rule } from "./violation.ts";

export interface BrokenStore {
  readonly name: string;
  /** The rule that has to catch it; others may as well. */
  readonly breaks: Rule;
  /** Where it shows: one process after another, or three at a time. Default: memory. */
  readonly on?: "memory" | "fleet";
  break(place: SimulatedPlace): SimulatedPlace;
}

export interface Wrapping {
  /** Jobs that the store no longer knows. */
  readonly hidden?: ReadonlySet<string>;
  readonly session: (session: StoreSession, options: StoreOpenOptions) => Partial<StoreSession>;
  readonly killed?: (options: StoreOpenOptions) => void;
  /** Before anything is asked of the opened store. */
  readonly opened?: (session: StoreSession) => Promise<unknown>;
}

export function wrapped(
  place: SimulatedPlace,
  { hidden, session: change, killed, opened: first }: Wrapping,
): SimulatedPlace {
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
          await first?.(result.value);
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

export function onClaims(options: ConsumeOptions, see: (jobs: readonly ClaimedJob[]) => void): ConsumeOptions {
  return {
    ...options,
    onClaimed: (jobs) => {
      see(jobs);
      options.onClaimed(jobs);
    },
  };
}

/** Every job is changed on its way in. */
export function enqueuing(change: (job: NewJob) => NewJob): (place: SimulatedPlace) => SimulatedPlace {
  return (place) =>
    wrapped(place, { session: (session) => ({ enqueue: (jobs) => session.enqueue(jobs.map(change)) }) });
}

export type Policy = NonNullable<ReturnType<NonNullable<StoreOpenOptions["policy"]>>>;

export function withPolicy(place: SimulatedPlace, change: (policy: Policy) => Policy): SimulatedPlace {
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
            return own && change(own);
          },
        });
      };
      return inner;
    },
  };
}
