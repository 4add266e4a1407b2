/**
 * One run: workers with real engines on one store, producers, and faults, all drawn from one seed; then everything heals, the work comes to its end, and the
 * history is judged.
 */
import { seededRandom } from "../../src/core/index.ts";
import { bind } from "../../src/contract/index.ts";
import {
  attemptsOf,
  createJobEngine,
  createJobs,
  type Fence,
  type JobRecord,
  type Store,
  type StoreSession,
} from "../../src/jobs/index.ts";
import { Events } from "../../src/telemetry/index.ts";
import { checkHistory, type CheckOptions } from "./check.ts";
import { type FaultRates, faultySession, noFaults } from "./faulty-session.ts";
import type { HistoryEvent, WorkerLife } from "./history.ts";
import type { Violation } from "./violation.ts";
import { appOf, drawJobs, names, policyOf, promisedOf } from "./workload.ts";
import { World } from "./world.ts";

/** Where the jobs of a run are kept. */
export interface SimulatedPlace {
  /** How many workers may have it open at once; one more life begins when one has died. */
  readonly workers: number;
  /** How long a process may stand still before its claims are taken from it; undefined: for ever, since nobody else could take them. */
  readonly leaseMs?: number;
  /** A store for one life of one worker. */
  store(life: SimulatedLife): Store;
  /** The life that opened this store dies: nothing more of it arrives. */
  kill(store: Store): void;
  /** The life stands still, and goes on: nothing is handed over to it meanwhile. */
  freeze?(store: Store): void;
  thaw?(store: Store): void;
  /** By which wall clock the store made this claim, where that is not the time at which it is handed over. */
  claimedAt?(fence: Fence): number | undefined;
  /** What a call came to whose process died over it: a store in memory tells it, a disk may have it. */
  readonly unheard?: CheckOptions["unheard"];
  readonly rates?: CheckOptions["rates"];
  /** The run is over. */
  end?(): void;
}

/** One life of a worker, as a store sees it that fails in its own ways. */
export interface SimulatedLife {
  readonly world: World;
  readonly name: WorkerLife;
  readonly rates: () => FaultRates;
  /** The process dies, now. */
  readonly die: (how: string) => void;
  /** A mistake came to light. */
  readonly defect: (thrown: unknown) => void;
}

export interface Run {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly history: readonly HistoryEvent[];
  readonly steps: number;
}

interface Life {
  readonly name: WorkerLife;
  readonly store: Store;
  session: StoreSession;
}

const hourMs = 3_600_000;
const kept = { ageMs: Infinity, count: 1_000_000 };

export async function simulate(seed: number, place: SimulatedPlace): Promise<Run> {
  const run = new Simulation(seed, place);
  try {
    await run.play();
  } finally {
    place.end?.();
  }
  const violations = checkHistory(run.history, promisedOf, {
    unheard: place.unheard ?? "not done",
    rates: place.rates ?? "kept",
  });
  return { seed, violations, history: run.history, steps: run.world.steps };
}

class Simulation {
  readonly world: World;
  readonly history: HistoryEvent[] = [];
  readonly place: SimulatedPlace;
  readonly #rates: FaultRates;
  #healed = false;
  readonly #lives = new Map<string, Life>();
  readonly #known: string[] = [];
  /** Jobs that wait for a signal, and those that were told to go on. */
  readonly #waits: string[] = [];
  readonly #signalled = new Set<string>();
  #calls = 0;
  #payloads = 0;
  #producing: number;
  readonly #longestGapMs: number;
  #lifeCount = 0;
  #trouble: string | undefined;

  constructor(seed: number, place: SimulatedPlace) {
    const world = (this.world = new World(seed));
    this.place = place;
    // Each run has a character of its own: some are calm, some see one kind of fault often.
    const often = (most: number): number => (world.chance(0.5) ? 0 : world.random.next() * most);
    this.#rates = {
      refused: often(0.1),
      answerLost: often(0.1),
      duplicated: often(0.3),
      crashBefore: often(0.03),
      crashAfter: often(0.03),
      statementFails: often(0.01),
      diesInStatement: often(0.8),
      slowestMs: world.chance(0.5) ? 0 : world.random.int(40),
    };
    this.#producing = world.between(3, 25);
    this.#longestGapMs = world.chance(0.3) ? 900 : 120;
  }

  async play(): Promise<void> {
    const { world, place } = this;
    for (let i = 1; i <= place.workers; i++) this.#startSoon(`w${i}`, 0);
    world.later("world", 0, () => this.#produce());
    world.later("world", world.random.int(100), () => this.#disturb());
    await world.run(() => this.#producing === 0, hourMs);
    this.#healed = true;
    this.#write({ kind: "fault", what: "everything heals" });
    let records: readonly JobRecord[] | undefined;
    const look = (): void => {
      void this.#read().then((read) => {
        if (read !== undefined && read.every(({ state }) => isOver(state))) records = read;
        else {
          this.#release(read ?? []);
          world.later("world", 500, look);
        }
      });
    };
    world.later("world", 1_000, look);
    const came = await world.run(
      () => records !== undefined || this.#trouble !== undefined,
      world.elapsed + 10 * 60_000,
    );
    if (!came) {
      // What stands still for ten minutes without faults is stuck; the checker names it.
      void this.#read().then((read) => (records = read));
      await world.run(() => records !== undefined, world.elapsed + 10_000);
    }
    if (this.#trouble !== undefined) this.#write({ kind: "fault", what: this.#trouble });
    if (records !== undefined) this.#write({ kind: "final", records });
    for (const life of this.#lives.values()) this.#end(life);
  }

  #write(event: HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never): void {
    this.history.push({ at: this.world.elapsed, ...event });
  }

  #startSoon(worker: string, ms: number): void {
    this.world.later("world", ms, () => void this.#start(worker));
  }

  async #start(worker: string): Promise<void> {
    const { world, place } = this;
    const name = `${worker}.${++this.#lifeCount}`;
    const rates = (): FaultRates => (this.#healed ? noFaults : this.#rates);
    const store = place.store({
      world,
      name,
      rates,
      die: (how) => {
        this.#write({ kind: "fault", what: `${name} dies ${how}` });
        this.#crash(worker, { name, store });
      },
      defect: (thrown) =>
        this.#write({ kind: "defect", what: thrown instanceof Error ? `${thrown.stack}` : `${thrown}` }),
    });
    const app = appOf(world.clock, {
      began: (id, attempt) => this.#write({ kind: "began", worker: name, id, attempt }),
      step: (id, step) => this.#write({ kind: "step", worker: name, id, name: step }),
      heard: (id, signal, value) => this.#write({ kind: "heard", worker: name, id, name: signal, value }),
    });
    const opened = await world.as(name, () =>
      store.open({
        clock: world.clock,
        retention: { succeeded: kept, failed: kept, cancelled: kept },
        maxWaiting: 1_000_000,
        maxAttempts: attemptsOf(app.contract),
        policy: policyOf,
      }),
    );
    if (!opened.ok) {
      // A process that cannot open its store ends, and is started again.
      this.#write({ kind: "fault", what: `${name} could not open the store: ${opened.fault.message}` });
      return this.#crash(worker, { name, store });
    }
    const life: Life = { name, store, session: opened.value };
    const session = faultySession(opened.value, {
      world,
      worker: name,
      rates,
      write: (event) => this.#write(event),
      crash: () => this.#crash(worker, { name, store }),
      nextCall: () => ++this.#calls,
      claimedAt: (fence) => place.claimedAt?.(fence) ?? world.clock.now(),
    });
    life.session = session;
    this.#lives.set(worker, life);
    const events = new Events();
    const jobs = createJobs({ contract: app.contract, session, clock: world.clock, events, limits: {} });
    const bound = bind(app, {
      clock: world.clock,
      events,
      jobs,
      shutdown: new AbortController().signal,
      newId: () => `incident-${++this.#calls}`,
    });
    const limits = { concurrency: 8, prefetchJobs: 16 };
    await world.as(name, () =>
      createJobEngine({ bound, session, clock: world.clock, events, random: seededRandom(1), limits }).start(),
    );
  }

  #end({ name, store }: Omit<Life, "session">): void {
    this.world.end(name);
    this.place.kill(store);
  }

  #crash(worker: string, life: Omit<Life, "session">): void {
    if (this.world.isGone(life.name)) return;
    this.#write({ kind: "lost", worker: life.name, why: "it died" });
    this.#end(life);
    this.#lives.delete(worker);
    this.#startSoon(worker, this.world.random.int(500));
  }

  /** A producer calls through a worker's session, as a request to its API would. */
  #produce(): void {
    const { world } = this;
    if (this.#producing === 0) return;
    const life = this.#anyLife();
    if (life !== undefined) {
      this.#producing--;
      if (world.chance(0.75) || this.#known.length === 0) this.#enqueue(life);
      else world.as(life.name, () => this.#meddle(life, this.#known[world.random.int(this.#known.length)] as string));
    }
    world.later("world", world.chance(0.5) ? 0 : world.random.int(this.#longestGapMs), () => this.#produce());
  }

  /** What is done by hand. */
  #meddle({ session }: Life, id: string): void {
    const { world } = this;
    const name = names[world.random.int(names.length)] ?? "plain";
    const what = world.random.int(6);
    if (what < 2) void session.cancel(id);
    else if (what === 2) void session.retry(id);
    else if (what === 3) void session.pause([name]);
    else if (what === 4) void session.resume([name]);
    else {
      const waits = this.#waits[world.random.int(Math.max(1, this.#waits.length))];
      // Now and then one of another kind, which waits for nothing; and now and then a second one, which counts for nothing.
      const again = world.chance(0.5);
      void this.#signal(session, waits ?? id).then(() => (again ? this.#signal(session, waits ?? id) : undefined));
    }
  }

  async #signal(session: StoreSession, id: string): Promise<void> {
    const told = await session.signal(id, "go", JSON.stringify({ v: this.#payloads++ }));
    if (told.ok && told.value !== undefined) this.#signalled.add(id);
  }

  /** Nothing stays paused, and who waits for a signal that never came is given it. */
  #release(records: readonly JobRecord[]): void {
    const life = this.#anyLife();
    if (life === undefined) return;
    this.world.as(life.name, () => {
      void life.session.paused().then((paused) => {
        if (paused.ok && paused.value.length > 0) void life.session.resume(paused.value);
      });
      for (const { id, name, state } of records)
        if (name === "waits" && state === "waiting" && !this.#signalled.has(id)) void this.#signal(life.session, id);
    });
  }

  #enqueue({ name, session }: Life): void {
    const { world } = this;
    const jobs = drawJobs(world, this.#known, () => this.#payloads++);
    world.as(name, () => {
      void session.enqueue(jobs).then((result) => {
        if (!result.ok) return;
        for (const [index, { id, duplicate }] of result.value.entries()) {
          if (duplicate) continue;
          this.#known.push(id);
          if (jobs[index]?.name === "waits") this.#waits.push(id);
        }
      });
    });
  }

  /** Crashes, standstills and clock steps, now and then until everything heals. */
  #disturb(): void {
    if (this.#healed) return;
    const { world, place } = this;
    const lives = [...this.#lives];
    const [worker, life] = lives[world.random.int(Math.max(1, lives.length))] ?? [];
    const what = world.random.int(4);
    if (worker !== undefined && life !== undefined && what === 0) {
      this.#write({ kind: "fault", what: `${life.name} is killed` });
      this.#crash(worker, life);
    } else if (life !== undefined && what === 1) {
      const ms = world.random.int(2 * (place.leaseMs ?? 5_000));
      this.#write({ kind: "fault", what: `${life.name} stands still for ${ms} ms` });
      if (place.leaseMs !== undefined && ms >= place.leaseMs / 2)
        this.#write({ kind: "lost", worker: life.name, why: "it stood still for long" });
      world.freeze(life.name, ms);
      place.freeze?.(life.store);
      world.later(life.name, 0, () => {
        place.thaw?.(life.store);
        // What it had asked for before may arrive only now.
        if (place.leaseMs !== undefined) this.#write({ kind: "lost", worker: life.name, why: "it goes on" });
      });
    } else if (what === 2) {
      // A fleet's leases are by that clock: put forward by more, it would end those of processes that live.
      const ms = world.between(-60_000, place.leaseMs === undefined ? 60_000 : place.leaseMs / 4);
      this.#write({ kind: "clock", by: ms });
      world.stepWall(ms);
    }
    world.later("world", world.between(50, 1_500), () => this.#disturb());
  }

  #anyLife(): Life | undefined {
    const lives = [...this.#lives.values()].filter(({ name }) => !this.world.isFrozen(name));
    return lives[this.world.random.int(Math.max(1, lives.length))];
  }

  /** All jobs; undefined while nobody can say. */
  async #read(): Promise<JobRecord[] | undefined> {
    const life = this.#anyLife();
    if (life === undefined) return undefined;
    const all: JobRecord[] = [];
    for (let after: string | undefined; ;) {
      const page = await life.session.list({ limit: 1_000, ...(after !== undefined && { after }) });
      if (!page.ok) return undefined;
      all.push(...page.value);
      after = page.value.at(-1)?.id;
      if (page.value.length < 1_000) return all;
    }
  }
}

function isOver(state: string): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
