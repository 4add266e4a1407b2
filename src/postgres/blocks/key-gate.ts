/**
 * The jobs of one name that this process has claimed, by key: those that run, and those that were claimed ahead of their turn and are held until one before them
 * has ended. So of a key never more than its limit run here, whatever was claimed; that others' claims count all of it is the database's matter.
 *
 *   claimed -> held -> running -> offered (its settlement; the next one may run) -> settled
 *
 * And what is known of the name: whether this process owns it (see keyed.ts), and the keys of jobs that wait. While both are known, a job whose key is free is
 * claimed in the commit that enqueues it.
 */
import { NumberTable } from "../../core/index.ts";
import type { ClaimedJob, Fence, JobId } from "../../jobs/index.ts";
import { postgresLimits as limits } from "../limits.ts";
import { hasSeparator } from "./drafts.ts";
import { blockJobs } from "./holdings.ts";
import { Tempo } from "./tempo.ts";
import { WaitingKeys } from "./waiting-keys.ts";

/** Room for so many at least, before a claim takes whatever comes without a look at its keys. */
const leastSweep = 64;
/** Milliseconds of work that such a claim brings beyond the credit. */
const sweepMs = 25;
/** Keys of which nothing is here and that are kept nevertheless: most come again. */
const keptKeys = 4_096;
/** Blocks between two looks for the oldest job that runs; so many later it becomes a row, so that the window of blocks stays small. */
const lookBlocks = 64;
const slowBlocks = 512;

/** A class for the sake of V8 (see block-job.ts). */
class Entry {
  readonly job: ClaimedJob;
  readonly key: Key;
  state: "held" | "running" | "offered";
  /** Whether it rests in a block. */
  inBlock: boolean;

  constructor(job: ClaimedJob, key: Key, state: Entry["state"], inBlock: boolean) {
    this.job = job;
    this.key = key;
    this.state = state;
    this.inBlock = inBlock;
  }
}

interface Key {
  readonly name: string;
  /** Handed over, and its settlement is not offered. */
  running: number;
  /** Being claimed by an enqueue under way. */
  coming: number;
  /** In the order in which they are to run. */
  readonly held: Entry[];
}

export class KeyGate {
  /** Of a key at most so many run; Infinity: there is no such limit, or it is not kept here. */
  readonly most: number;
  readonly waitingKeys = new WaitingKeys();
  /** Jobs that may run, and wait for credit. */
  due = 0;
  /** Whether anything may be claimed ahead. */
  readonly #ahead: boolean;
  readonly #jobs = new NumberTable<Entry>();
  readonly #keys = new Map<string, Key>();
  readonly #tempo: Tempo;
  #running = 0;
  #held = 0;
  #heldChars = 0;
  /** Taken by enqueues under way, to be held. */
  #coming = 0;
  /** Keys of which as many are held as may be. */
  #full = 0;
  #owned = false;
  /** The newest job of a block that was claimed. */
  #last = 0;
  #lookedAt = 0;

  /** @param attempts How many a job has: what has one alone is not claimed ahead, since a crash would cost it that. @param now Monotonic milliseconds. */
  constructor(most: number | undefined, attempts: number, now: () => number) {
    this.most = most ?? Infinity;
    this.#ahead = attempts > 1;
    this.#tempo = new Tempo(now);
  }

  /** These were claimed. Answers those that may run. */
  begin(jobs: readonly ClaimedJob[], inBlocks: boolean): readonly ClaimedJob[] {
    const free: ClaimedJob[] = [];
    for (const job of jobs) {
      if (job.key === undefined) {
        free.push(job);
        continue;
      }
      const key = this.#keyOf(job.key);
      // Also of rows, for which the database has counted what else runs: what an enqueue has claimed behind them may be known here first.
      const runs = key.running < this.most && key.held.length === 0;
      const entry = new Entry(job, key, runs ? "running" : "held", inBlocks);
      this.#jobs.set(Number(job.id), entry);
      if (inBlocks) this.#last = Math.max(this.#last, Number(job.id));
      if (runs) {
        key.running++;
        this.#running++;
        free.push(job);
      } else this.#hold(entry);
    }
    if (this.#running > 0) this.#tempo.start();
    return free;
  }

  #hold(entry: Entry): void {
    const { job, key } = entry;
    let at = key.held.length;
    while (at > 0 && (key.held[at - 1] as Entry).job.priority > job.priority) at--;
    key.held.splice(at, 0, entry);
    if (key.held.length === limits.aheadOfKey) this.#full++;
    this.#held++;
    this.#heldChars += job.payload.length;
  }

  #unhold(entry: Entry): void {
    const { job, key } = entry;
    if (key.held.length === limits.aheadOfKey) this.#full--;
    if (key.held[0] === entry) key.held.shift();
    else key.held.splice(key.held.indexOf(entry), 1);
    this.#held--;
    this.#heldChars -= job.payload.length;
  }

  /** The settlement of this one is offered: its handler has ended. Answers the job that may run now. */
  offered({ id, fence }: ClaimedJob): ClaimedJob | undefined {
    const entry = this.#jobs.get(Number(id));
    if (entry?.state !== "running" || !isSame(entry.job.fence, fence)) return undefined;
    entry.state = "offered";
    this.#tempo.count();
    return this.#leave(entry.key);
  }

  #leave(key: Key): ClaimedJob | undefined {
    key.running--;
    const next = key.running < this.most ? key.held[0] : undefined;
    if (next === undefined) {
      this.#running--;
      if (this.#running === 0) this.#tempo.stop();
      this.#tidy(key);
      return undefined;
    }
    this.#unhold(next);
    key.running++;
    next.state = "running";
    return next.job;
  }

  /** Its settlement was answered. Nothing where the job runs here once more, under a later claim. */
  end({ id, fence }: ClaimedJob): void {
    const entry = this.#jobs.get(Number(id));
    if (entry !== undefined && isSame(entry.job.fence, fence)) this.#jobs.delete(Number(id));
  }

  /** It rests in a row from now on. */
  moved(id: JobId): void {
    const entry = this.#jobs.get(Number(id));
    if (entry !== undefined) entry.inBlock = false;
  }

  /** A job that is held, or all of them: nobody will hand them over. They are settled from outside. */
  takeHeld(id?: JobId): readonly ClaimedJob[] {
    if (this.#held === 0) return [];
    const taken: ClaimedJob[] = [];
    const all = id === undefined ? [...this.#keys.values()].flatMap(({ held }) => held) : [this.#jobs.get(Number(id))];
    for (const entry of all) {
      if (entry?.state !== "held") continue;
      this.#drop(entry);
      entry.state = "offered";
      taken.push(entry.job);
    }
    return taken;
  }

  /** These are not claimed any more: what was heard of them runs nowhere. Answers what may run instead. */
  giveBack(which: (job: ClaimedJob) => boolean): readonly ClaimedJob[] {
    const lost = this.#jobs.values.filter(({ job }) => which(job));
    for (const entry of lost) if (entry.state === "held") this.#drop(entry);
    const next: (ClaimedJob | undefined)[] = [];
    for (const { job, key, state } of lost) {
      if (state === "running") next.push(this.#leave(key));
      this.#jobs.delete(Number(job.id));
    }
    return next.filter((job) => job !== undefined);
  }

  /** The lease is gone: they are others' to look for. */
  clear(): void {
    this.#jobs.clear();
    // An enqueue may be under way that counts in its key.
    for (const key of this.#keys.values()) {
      key.running = key.held.length = 0;
      this.#tidy(key);
    }
    this.#held = this.#heldChars = this.#full = this.#running = 0;
    this.#tempo.stop();
    this.refused();
    this.waitingKeys.forget();
  }

  /** The keys of all that is claimed and not settled, as blocks keep them; a key that no block can hold is left out. */
  unsettled(epoch: number): readonly string[] {
    const keys: string[] = [];
    for (const { job, key } of this.#jobs.values)
      if (job.fence.epoch === epoch && !hasSeparator(key.name)) keys.push(`=${key.name}`);
    return keys;
  }

  /** How many more may be claimed than may run. */
  get aheadRoom(): number {
    if (!this.#ahead || this.#heldChars >= limits.aheadChars) return 0;
    const most = Math.min(limits.aheadJobs, Math.floor(this.#tempo.perMs * limits.aheadMs));
    return Math.max(0, most - this.#held - this.#coming - this.due);
  }

  /**
   * How many a claim may take of whatever comes, without a look at the keys; 0: it has to look. More than there is credit for, since some will be held; what may
   * run and has no credit waits for the next one, while the next claim is under way.
   */
  sweep(credit: number): number {
    const room = this.aheadRoom;
    if (!this.#sweeps || room < leastSweep) return 0;
    return Math.min(room, credit + Math.max(leastSweep, Math.floor(this.#tempo.perMs * sweepMs)));
  }

  /** Nothing need be claimed now: enough is here, of keys of which nothing waits in rows. */
  get isFull(): boolean {
    return this.#sweeps && this.#held + this.due >= leastSweep && this.aheadRoom < leastSweep;
  }

  /** Whether jobs are here that were not handed over. */
  get isHolding(): boolean {
    return this.#held + this.due > 0;
  }

  get #sweeps(): boolean {
    return this.#owned && this.#full === 0 && this.waitingKeys.noRows;
  }

  /** Whether this process alone claims of the name, so that nobody else waits for a settlement. */
  get isOwned(): boolean {
    return this.#owned;
  }

  /** What a turn has told. @param waiting All keys of jobs that wait in blocks; undefined: others may as well. */
  told(owned: boolean | undefined, waiting: readonly string[] | undefined): void {
    if (owned !== undefined) this.#owned = owned;
    this.waitingKeys.told(waiting);
  }

  /** It was to be claimed when it was enqueued, and was not: another process claims of this name. */
  refused(): void {
    this.#owned = false;
    this.waitingKeys.lose();
  }

  /**
   * Whether a new job is claimed in the commit of its enqueueing; it counts from here on, until `came`. `start`: it may run at once, and needs credit; `ahead`: it
   * waits here.
   */
  take(name: string | undefined, credit: boolean): "start" | "ahead" | undefined {
    if (!this.#owned || this.waitingKeys.mayWait(name)) return undefined;
    if (name === undefined) return credit ? "start" : undefined;
    const key = this.#keyOf(name);
    const before = key.running + key.coming + key.held.length;
    const ahead = key.held.length + key.coming < limits.aheadOfKey && this.aheadRoom > 0;
    const way = before < this.most && credit ? "start" : ahead ? "ahead" : undefined;
    if (way === undefined) this.#tidy(key);
    else key.coming++;
    if (way === "ahead") this.#coming++;
    return way;
  }

  /** The enqueue of a job that was taken is over. */
  came(name: string | undefined, way: "start" | "ahead"): void {
    if (name === undefined) return;
    if (way === "ahead") this.#coming--;
    const key = this.#keyOf(name);
    key.coming--;
    this.#tidy(key);
  }

  /** Those that run for so long that they should become rows; where it is time to look. */
  lookBack(): readonly ClaimedJob[] {
    if (this.#last - this.#lookedAt < lookBlocks * blockJobs) return [];
    this.#lookedAt = this.#last;
    const oldest = this.#last - slowBlocks * blockJobs;
    const slow: ClaimedJob[] = [];
    for (const { job, inBlock } of this.#jobs.values) if (inBlock && Number(job.id) < oldest) slow.push(job);
    return slow;
  }

  #keyOf(name: string): Key {
    let key = this.#keys.get(name);
    if (key === undefined) this.#keys.set(name, (key = { name, running: 0, coming: 0, held: [] }));
    return key;
  }

  #tidy({ name, running, coming, held }: Key): void {
    if (running === 0 && coming === 0 && held.length === 0 && this.#keys.size > keptKeys) this.#keys.delete(name);
  }

  #drop(entry: Entry): void {
    this.#unhold(entry);
    this.#tidy(entry.key);
  }
}

export function isSame(one: Fence, two: Fence): boolean {
  return one.claim === two.claim && one.epoch === two.epoch;
}
