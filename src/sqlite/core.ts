/**
 * What the writer thread holds in memory: names, lanes, blocks with waiting or running jobs, open claims, counts. It is changed while a
 * transaction is being built, and each change leaves its undo in the journal, so that a failed commit puts everything back exactly.
 */
import { must } from "./must.ts";
import type { DatabaseSync } from "node:sqlite";
import { Deque } from "./deque.ts";
import type { PlaceQueue } from "./place-queue.ts";
import { jobStates, type CrashTally, type JobState, type Retention } from "../jobs/index.ts";
import type { Tables } from "./tables.ts";

export class Journal {
  readonly #undo: (() => void)[] = [];

  add(undo: () => void): void {
    this.#undo.push(undo);
  }

  mark(): number {
    return this.#undo.length;
  }

  rollBack(mark = 0): void {
    while (this.#undo.length > mark) must(this.#undo.pop())();
  }

  clear(): void {
    this.#undo.length = 0;
  }
}

/** States of a place in a block. */
export const waiting = 0;
export const running = 1;
export const gone = 2;

/** Sets the states of neighbours; mostly there are few, where limits hold some back. */
export function setPlaces(places: Uint8Array, state: number, lo: number, hi: number): void {
  if (hi - lo > 16) places.fill(state, lo, hi);
  else for (let place = lo; place < hi; place++) places[place] = state;
}

export interface Block {
  readonly seq: number;
  readonly lane: Lane;
  readonly n: number;
  readonly at: number;
  readonly flags: number;
  /** Dropped when every job was claimed. */
  body: Buffer | undefined;
  readonly size: number;
  readonly places: Uint8Array;
  /** Ids of jobs that have moved here. */
  readonly ids: Float64Array | undefined;
  /** Jobs that are waiting or running. */
  left: number;
  /** Whether rows of `outcome` exist, and whether some of them keep successes. */
  outcomes: boolean;
  kept: boolean;
  /** Others may wait for one of its jobs. */
  awaited: boolean;
  /** One of its jobs may have notes. */
  noted: boolean;
  /** The next place to claim, and where it starts. */
  next: number;
  offset: number;
  /** Whose limits its jobs count against, once their lane has handed them to the turns. */
  keys: (Key | undefined)[] | undefined;
  turns: (Turn | undefined)[] | undefined;
  /** What it takes of `routedBytes`: it has left its lane, and the turns know its places. */
  routed: number;
  /** Its body while it is among `Routing.bodies`. */
  opened: OpenBody | undefined;
}

/** Jobs of one lane that take turns with those of other tenants; a lane without tenants has one. */
export interface Turn {
  readonly lane: Lane;
  /** Places whose jobs may start as far as is known: their keys are looked at when their turn comes. */
  readonly queue: PlaceQueue<Block>;
  /** Keys with jobs that were held back and may start now. */
  readonly open: Deque<Key>;
  /** Stands in the lane's line. */
  listed: boolean;
}

export interface Turns {
  readonly nobody: Turn;
  readonly byTenant: Map<string, Turn>;
  readonly line: Deque<Turn>;
  /** Blocks that have left the lane, and what they take. */
  readonly blocks: Set<Block>;
  routed: number;
}

/** Jobs of one name and key. */
export interface Key {
  readonly name: JobName;
  /** The UTF-8 bytes of the key, each as a character. */
  readonly text: string;
  running: number;
  /** The theoretical arrival time of GCRA. */
  arrival: number;
  /** Places that are held back, by priority; of an ordered key all in the first, by id. */
  readonly queues: (PlaceQueue<Block> | undefined)[];
  parked: number;
  /** In which turns' `open` it stands: one bit per queue. */
  listed: number;
  /** Stands in `touched`, or among the timers. */
  touched: boolean;
  timed: boolean;
}

/** GCRA: how far apart starts are, and how much sooner than that they may come after a quiet period. */
export interface Pace {
  readonly intervalMs: number;
  readonly slackMs: number;
  readonly periodMs: number;
}

export interface Gate {
  concurrency: number;
  pace: Pace | undefined;
  running: number;
  arrival: number;
}

/** What the policy of a name says, and what it is about. */
export interface NameLimits {
  readonly gates: readonly Gate[];
  readonly perKey:
    | { readonly concurrency: number; readonly pace: Pace | undefined; readonly ordered: boolean }
    | undefined;
  readonly ageingMs: number | undefined;
  readonly keys: Map<string, Key>;
  /** Keys met lately, each where the hash of its bytes says: found without a text of it. */
  recent: (Key | undefined)[];
  /** Keys that may have become free. */
  touched: Key[];
}

/** What limits and turns hold in memory. */
export interface Routing {
  readonly gates: Map<string, Gate>;
  readonly timers: Timers;
  readonly paused: Set<string>;
  /** Bodies of blocks that have left their lane, the last used last. */
  readonly bodies: Set<Block>;
  bodyBytes: number;
  /** What the places take that the turns know. */
  bytes: number;
  /** Keys and tenants in memory, and how many there may be before the idle ones go. */
  keys: number;
  keysMost: number;
}

export interface OpenBody {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}

/** Keys by the time at which they may start again. */
export interface Timers {
  /** Infinity: nothing waits. */
  readonly next: number;
  add(at: number, key: Key): void;
  take(): Key;
}

export interface Lane {
  /** `name id * 10 + priority` */
  readonly number: number;
  readonly name: JobName;
  readonly priority: number;
  readonly blocks: Deque<Block>;
  bytes: number;
  /** Whether every live block of the lane is in memory; otherwise those after `loadedTo` are on disk only. */
  complete: boolean;
  loadedTo: number;
  /** Some job of it has had a tenant: they take turns. */
  tenanted: boolean;
  turns: Turns | undefined;
}

export interface JobName {
  readonly id: number;
  readonly name: string;
  /** The calling thread's number, -1 before it told one. */
  local: number;
  readonly counts: Float64Array;
  readonly lanes: (Lane | undefined)[];
  credit: number;
  limits: NameLimits | undefined;
}

export interface Claim {
  readonly id: number;
  readonly ranges: { readonly block: Block; readonly lo: number; hi: number; readonly slot: number }[];
  size: number;
  left: number;
}

export interface Core {
  readonly db: DatabaseSync;
  readonly sql: Tables;
  readonly journal: Journal;
  readonly retention: Retention;
  epoch: number;
  now: number;
  readonly names: Map<string, JobName>;
  readonly namesById: Map<number, JobName>;
  readonly namesByLocal: Map<number, JobName>;
  readonly blocks: Map<number, Block>;
  readonly claims: Map<number, Claim>;
  /** Bytes of waiting jobs in memory. */
  bytes: number;
  nextSeq: number;
  /** Sequence numbers below this are reserved on disk. */
  reservedTo: number;
  /** Places before all others, for jobs handed back; counts down. */
  frontSeq: number;
  nextClaim: number;
  /** History rows up to this one keep nothing any more. */
  prunedTo: number;
  totals: Float64Array;
  readonly routing: Routing;
  readonly flow: Flow;
}

/** Whether tables that many programs leave empty may hold something: only then are they asked. A doubt is a yes. */
export interface Flow {
  dependencies: boolean;
  notes: boolean;
  /** Keys that are held by time. */
  windows: boolean;
  /** Some job's end has not reached all that wait for it. */
  untold: boolean;
  /** Jobs that were cancelled in the commit under way because one that they depend on failed. */
  abandoned: number[];
  /** What was found in it that processes ran which are gone. */
  readonly crashed: CrashTally;
}

export const stateNumber = Object.fromEntries(jobStates.map((state, index) => [state, index])) as {
  readonly [S in JobState]: number;
};

export function count(core: Core, name: JobName, state: JobState, delta: number): void {
  if (delta === 0) return;
  const index = stateNumber[state];
  const totals = core.totals;
  shift(name.counts, index, delta);
  shift(totals, index, delta);
  core.journal.add(() => {
    shift(name.counts, index, -delta);
    shift(totals, index, -delta);
  });
}

function shift(counts: Float64Array, index: number, delta: number): void {
  counts[index] = (counts[index] ?? 0) + delta;
}

/** How many jobs of all names are in a state. */
export function total(core: Core, state: JobState): number {
  return core.totals[stateNumber[state]] ?? 0;
}

/** How many jobs have not begun: what `maxWaiting` bounds. */
export function unstarted(core: Core): number {
  return total(core, "waiting") + total(core, "scheduled") + total(core, "ready");
}

export function moveCount(core: Core, name: JobName, from: JobState, to: JobState, n: number): void {
  count(core, name, from, -n);
  count(core, name, to, n);
}

export function makeName(id: number, name: string): JobName {
  return {
    id,
    name,
    local: -1,
    counts: new Float64Array(jobStates.length),
    lanes: Array.from({ length: 10 }, () => undefined),
    credit: 0,
    limits: undefined,
  };
}

/** The lane of a name and priority; `complete` says that nothing of it is on disk only. */
export function laneOf(name: JobName, priority: number, complete = true): Lane {
  return (name.lanes[priority] ??= {
    number: name.id * 10 + priority,
    name,
    priority,
    blocks: new Deque(),
    bytes: 0,
    complete,
    loadedTo: Number.MIN_SAFE_INTEGER,
    tenanted: false,
    turns: undefined,
  });
}

export function laneOfNumber(core: Core, number: number): Lane {
  return laneOf(must(core.namesById.get(Math.floor(number / 10))), number % 10);
}
