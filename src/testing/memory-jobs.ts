/**
 * What a memory store holds while no session is open: the jobs and every book about them. Each change of a job's state goes through `move`, which
 * keeps all of them.
 */
import {
  CrashTally,
  isFinished,
  type Backlog,
  type JobMove,
  type JobPolicy,
  type NewJob,
  type Retention,
  type StoreOpenOptions,
} from "../jobs/index.ts";
import { abandoned, MemoryDependencies } from "./memory-dependencies.ts";
import { MemoryJob } from "./memory-job.ts";
import { MemoryGates, MemoryKeys } from "./memory-limits.ts";
import { leave, ReadySet } from "./memory-ready.ts";
import { MemoryUnique } from "./memory-unique.ts";

/** A session on these jobs: told what happened, also by another. */
export interface MemoryPeer {
  readonly epoch: number;
  changed(): void;
  jobFinished(job: MemoryJob): void;
  cancelAsked(id: string): void;
  lost(ids: readonly string[]): void;
}

/** Who takes over what the dead have left: by its clock and rules, and it is told. */
export type Rescuer = Pick<StoreOpenOptions, "clock" | "maxAttempts" | "onCrashed">;

export class MemoryJobs {
  readonly byId = new Map<string, MemoryJob>();
  readonly occurrences = new Map<string, number>();
  readonly paused = new Set<string>();
  readonly peers = new Set<MemoryPeer>();
  readonly gates = new MemoryGates();
  readonly unique = new MemoryUnique();
  readonly dependencies = new MemoryDependencies((id) => this.byId.get(id));
  readonly keys = new MemoryKeys(
    (name) => this.policy(name),
    (name) => this.#readyOf(name),
  );
  policy: (name: string) => JobPolicy | undefined = () => undefined;
  epoch = 0;
  /** Of all sessions. */
  claims = 0;
  /** How many are scheduled, waiting or ready. */
  unstarted = 0;
  /** They, by name. */
  readonly #unstarted = new Map<string, Set<MemoryJob>>();
  readonly #ready = new Map<string, ReadySet>();
  /** Scheduled jobs, and those that wait until a time. */
  readonly #timed = new Set<MemoryJob>();
  /** Finished jobs by state, in the order in which they finished. */
  readonly #finished = {
    succeeded: new Set<MemoryJob>(),
    failed: new Set<MemoryJob>(),
    cancelled: new Set<MemoryJob>(),
  };
  #lastId = 0;
  #lastPlace = 0;

  /** `ids`: of the jobs enqueued before it in the same call. */
  add(record: NewJob, ids: readonly string[], now: number): MemoryJob {
    const job = new MemoryJob(String(++this.#lastId), record, now);
    this.byId.set(job.id, job);
    this.keys.add(job);
    this.unique.hold(job, now);
    const verdict = this.dependencies.add(job, ids);
    this.#enter(job, now, false);
    if (verdict === "unblock") this.#unblock(job, now);
    if (verdict === "abandon") this.#abandon(job, this.dependencies.of(job).find(failed)?.id ?? "", now);
    return job;
  }

  /** `back`: it was claimed and comes back to where it stood. */
  move(job: MemoryJob, move: JobMove, now: number, back = false): void {
    const ended = [this.#step(job, move, now, back)];
    // Each end may end others; a loop, because a chain may be long.
    for (let next = ended.pop(); next !== undefined; next = ended.pop()) {
      if (!isFinished(next.state)) continue;
      for (const [dependent, verdict] of this.dependencies.end(next)) {
        if (verdict === "unblock") this.#unblock(dependent, now);
        if (verdict !== "abandon") continue;
        dependent.addError(abandoned(dependent, next.id, now));
        ended.push(this.#step(dependent, "abandon", now, false));
      }
    }
  }

  #step(job: MemoryJob, move: JobMove, now: number, back: boolean): MemoryJob {
    const from = job.state;
    job.move(move, now);
    if (from === "ready") leave(job);
    if (from === "waiting") this.dependencies.leave(job);
    if (from === "running") {
      this.gates.leave(job);
      this.keys.leave(job, now);
    }
    if (isFinished(from)) {
      for (const finished of Object.values(this.#finished)) finished.delete(job);
      this.keys.add(job);
      this.unique.hold(job, now);
    }
    this.#enter(job, now, back);
    return job;
  }

  /** The books of the state that it is in now. */
  #enter(job: MemoryJob, now: number, back: boolean): void {
    const { state } = job;
    if (state === "ready") {
      if (!back || job.place === 0) job.place = ++this.#lastPlace;
      job.readySince = now;
      this.#readyOf(job.job.name).add(job);
    } else if (state === "running") {
      this.gates.enter(job, this.policy(job.job.name), now);
      this.keys.enter(job, now);
    } else if (state === "succeeded" || state === "failed" || state === "cancelled") {
      this.#finished[state].add(job);
      this.keys.finish(job, now);
      this.unique.release(job, now);
      for (const peer of this.peers) peer.jobFinished(job);
    }
    this.watch(job);
    this.#count(job);
    for (const peer of this.peers) peer.changed();
  }

  #count(job: MemoryJob): void {
    const { name } = job.job;
    const jobs = this.#unstarted.get(name) ?? new Set();
    this.#unstarted.set(name, jobs);
    const before = jobs.size;
    if (job.state === "running" || isFinished(job.state)) jobs.delete(job);
    else jobs.add(job);
    this.unstarted += jobs.size - before;
  }

  /** Time may move it. Called again where its time was set after its move. */
  watch(job: MemoryJob): void {
    if (job.state === "scheduled" || job.awaits?.until !== undefined) this.#timed.add(job);
    else this.#timed.delete(job);
  }

  #unblock(job: MemoryJob, now: number): void {
    this.#step(job, job.runAt === undefined || job.runAt <= now ? "unblock" : "defer", now, false);
  }

  #abandon(job: MemoryJob, dependency: string, now: number): void {
    job.addError(abandoned(job, dependency, now));
    this.move(job, "abandon", now);
  }

  /** Makes ready what is due, in the order of its times; answers when the next is, or Infinity. */
  promote(now: number): number {
    const due: MemoryJob[] = [];
    let next = Infinity;
    for (const job of this.#timed) {
      const at = job.dueAt ?? now;
      if (at <= now) due.push(job);
      else next = Math.min(next, at);
    }
    due.sort((one, two) => (one.dueAt ?? 0) - (two.dueAt ?? 0));
    for (const job of due) this.move(job, job.state === "scheduled" ? "promote" : "unblock", now);
    return next;
  }

  /** The job of a name whose turn it is, as far as keys let it. */
  next(name: string, now: number): MemoryJob | undefined {
    const set = this.#ready.get(name);
    if (set === undefined) return undefined;
    const ageing = this.policy(name)?.ageingMs;
    for (;;) {
      const job = set.next(now, ageing);
      if (job === undefined || this.keys.admits(job, now)) return job;
    }
  }

  claim(job: MemoryJob, now: number): void {
    this.#ready.get(job.job.name)?.take(job);
    job.attempt++;
    job.started = true;
    this.move(job, "claim", now);
  }

  /** What processes that are no more left running: its attempt counts. Answers which jobs those are. */
  rescue(dead: (epoch: number) => boolean, { clock, maxAttempts, onCrashed }: Rescuer): string[] {
    const now = clock.now();
    const tally = new CrashTally();
    const rescued: string[] = [];
    for (const job of this.byId.values()) {
      if (job.state !== "running" || job.fence === undefined || !dead(job.fence.epoch)) continue;
      job.addError({
        attempt: job.attempt,
        at: now,
        code: "CRASHED",
        message: "The process ended during the attempt.",
      });
      const failed = job.attempt >= maxAttempts(job.job.name);
      this.move(job, failed ? "crash_out" : "crash", now, true);
      tally.add(job.job.name, failed ? "failed" : "again");
      rescued.push(job.id);
    }
    const crashed = tally.take();
    if (crashed.length > 0) onCrashed?.(crashed);
    return rescued;
  }

  /** Removes what retention no longer keeps; the oldest first. */
  prune(retention: Retention, now: number): number {
    let removed = 0;
    for (const state of ["succeeded", "failed", "cancelled"] as const) {
      const { ageMs, count } = retention[state];
      const finished = this.#finished[state];
      for (const job of finished) {
        if (finished.size <= count && now - (job.finishedAt ?? now) < ageMs) break;
        finished.delete(job);
        this.dependencies.forget(job);
        this.byId.delete(job.id);
        removed++;
      }
    }
    return removed;
  }

  backlog(names: readonly string[]): Backlog {
    let unstarted = 0;
    let ready = 0;
    let readySince: number | undefined;
    for (const name of new Set(names)) {
      for (const job of this.#unstarted.get(name) ?? []) {
        unstarted++;
        if (job.state !== "ready") continue;
        ready++;
        readySince = Math.min(readySince ?? Infinity, job.readySince);
      }
    }
    return { unstarted, ready, readySince };
  }

  #readyOf(name: string): ReadySet {
    const set = this.#ready.get(name) ?? new ReadySet();
    this.#ready.set(name, set);
    return set;
  }
}

function failed({ state }: { readonly state: string }): boolean {
  return state === "failed" || state === "cancelled";
}
