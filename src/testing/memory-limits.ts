/** What holds ready jobs back in the memory store: gates that names share, and the limits and the order of keys. */
import type { JobPolicy, Rate } from "../jobs/index.ts";
import type { MemoryJob } from "./memory-job.ts";
import { leave, ReadySet } from "./memory-ready.ts";

/** How many run, and the theoretical arrival time of GCRA: when a quiet period is over. */
interface Use {
  running: number;
  arrival: number;
}

interface Limits {
  readonly concurrency?: number | undefined;
  readonly rate?: Rate | undefined;
}

/** When one more may start: now or before, at a time, or (Infinity) when one that runs has ended. */
function opensAt(use: Use, { concurrency, rate }: Limits, now: number): number {
  if (concurrency !== undefined && use.running >= concurrency) return Infinity;
  if (rate === undefined) return now;
  const interval = rate.periodMs / rate.limit;
  // A wall clock that was put back locks nobody out for longer than the period.
  use.arrival = Math.min(use.arrival, now + rate.periodMs);
  // Intervals need not be whole milliseconds, and their sums are rounded.
  return use.arrival - rate.periodMs + interval - 1e-3;
}

function start(use: Use, { rate }: Limits, now: number): void {
  use.running++;
  if (rate !== undefined) use.arrival = Math.max(use.arrival, now) + rate.periodMs / rate.limit;
}

export class MemoryGates {
  readonly #uses = new Map<string, Use>();

  opensAt(policy: JobPolicy | undefined, now: number): number {
    let latest = now;
    for (const gate of policy?.gates ?? []) latest = Math.max(latest, opensAt(this.#use(gate.id), gate, now));
    return latest;
  }

  enter(job: MemoryJob, policy: JobPolicy | undefined, now: number): void {
    job.gates = (policy?.gates ?? []).map(({ id }) => id);
    for (const gate of policy?.gates ?? []) start(this.#use(gate.id), gate, now);
  }

  leave(job: MemoryJob): void {
    for (const id of job.gates) this.#use(id).running--;
    job.gates = [];
  }

  #use(id: string): Use {
    const use = this.#uses.get(id) ?? { running: 0, arrival: -Infinity };
    this.#uses.set(id, use);
    return use;
  }
}

class Key implements Use {
  running = 0;
  arrival = -Infinity;
  /** In the order of their enqueueing. */
  unfinished = new Set<MemoryJob>();
  youngest = 0;
  /** Ready jobs that may not start now: out of the way of other keys. */
  readonly parked = new ReadySet();

  get oldest(): MemoryJob | undefined {
    return this.unfinished.values().next().value;
  }
}

export class MemoryKeys {
  readonly #keys = new Map<string, Key>();
  /** Keys that a rate holds back: time alone opens them. */
  readonly #timed = new Set<Key>();
  readonly #policy: (name: string) => JobPolicy | undefined;
  readonly #ready: (name: string) => ReadySet;

  constructor(policy: (name: string) => JobPolicy | undefined, ready: (name: string) => ReadySet) {
    this.#policy = policy;
    this.#ready = ready;
  }

  /** A job of a key is new, or unfinished again. */
  add(job: MemoryJob): void {
    const key = this.#of(job);
    if (key === undefined) return;
    key.unfinished.add(job);
    // One that was redriven stands where it stood.
    if (Number(job.id) < key.youngest)
      key.unfinished = new Set([...key.unfinished].toSorted((one, two) => Number(one.id) - Number(two.id)));
    key.youngest = Math.max(key.youngest, Number(job.id));
  }

  /** When the job may start as far as its key goes. One that may not now is parked. */
  admits(job: MemoryJob, now: number): boolean {
    const key = this.#of(job);
    if (key === undefined) return true;
    const at = this.#opensAt(key, job, now);
    if (at <= now) return true;
    leave(job);
    key.parked.add(job);
    if (at !== Infinity) this.#timed.add(key);
    return false;
  }

  enter(job: MemoryJob, now: number): void {
    const key = this.#of(job);
    if (key === undefined) return;
    start(key, this.#policy(job.job.name)?.perKey ?? {}, now);
    this.#open(key, job.job.name, now);
  }

  leave(job: MemoryJob, now: number): void {
    const key = this.#of(job);
    if (key === undefined) return;
    key.running--;
    this.#open(key, job.job.name, now);
  }

  finish(job: MemoryJob, now: number): void {
    const key = this.#of(job);
    if (key === undefined) return;
    key.unfinished.delete(job);
    if (key.unfinished.size === 0 && key.arrival <= now) this.#keys.delete(idOf(job) as string);
    else this.#open(key, job.job.name, now);
  }

  /** Lets out of the park what time has opened; the next such time, or Infinity. */
  tick(now: number): number {
    let next = Infinity;
    for (const key of this.#timed) {
      const name = key.oldest?.job.name;
      const at = name === undefined ? Infinity : this.#open(key, name, now);
      if (at > now && at !== Infinity) next = Math.min(next, at);
      else this.#timed.delete(key);
    }
    return next;
  }

  /** Policies may have changed. */
  openAll(now: number): void {
    for (const key of this.#keys.values()) if (key.oldest !== undefined) this.#open(key, key.oldest.job.name, now);
  }

  /** The one parked job whose turn it is leaves the park if it may start; the next follows when that one has started. */
  #open(key: Key, name: string, now: number): number {
    const policy = this.#policy(name);
    const ordered = policy?.perKey?.ordered === true;
    const job = ordered ? key.oldest : key.parked.next(now, policy?.ageingMs);
    if (job?.state !== "ready" || job.entry === undefined) return Infinity;
    const at = this.#opensAt(key, job, now);
    if (at > now) {
      if (at !== Infinity) this.#timed.add(key);
      return at;
    }
    leave(job);
    this.#ready(name).add(job);
    return at;
  }

  #opensAt(key: Key, job: MemoryJob, now: number): number {
    const policy = this.#policy(job.job.name)?.perKey;
    if (policy === undefined) return now;
    if (policy.ordered === true && (key.oldest !== job || key.running > 0)) return Infinity;
    return opensAt(key, policy, now);
  }

  #of(job: MemoryJob): Key | undefined {
    const id = idOf(job);
    if (id === undefined) return undefined;
    const key = this.#keys.get(id) ?? new Key();
    this.#keys.set(id, key);
    return key;
  }
}

function idOf({ job }: MemoryJob): string | undefined {
  return job.key === undefined ? undefined : `${job.name}\n${job.key}`;
}
