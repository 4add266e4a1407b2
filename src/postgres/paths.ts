/**
 * Both ways of a job through the store, as one: plain jobs rest in blocks, everything else in rows, and a job of a block that does more than succeed becomes
 * a row. Whoever asks here does not see which.
 */
import { systemClock, youngArray } from "../core/index.ts";
import type {
  ClaimedJob,
  DependencyRecord,
  EnqueueReceipt,
  Fence,
  JobId,
  JobNote,
  JobPolicy,
  JobState,
  NewJob,
  Retention,
  Settlement,
  SettleReceipt,
} from "../jobs/index.ts";
import { BlockPath, type KeyGate, KeyGates, type OnLost, type Taking } from "./blocks/index.ts";
import type { Connection } from "./connection.ts";
import { JobSet } from "./job-set.ts";
import { isPlain, restsInBlocks } from "./plain.ts";
import { postgresLimits as limits } from "./limits.ts";
import { numberOf, Reads } from "./reads.ts";
import { RowPath } from "./rows/index.ts";
import { ownStates, sqlStateOf } from "./trouble.ts";
import { Untold } from "./untold.ts";
import { Turns, type PathTurn, type TurnCause } from "./turns.ts";

export interface PathConnections {
  /** Claims, whose commits wait for no disk. */
  readonly work: Connection;
  readonly settling: Connection;
  readonly intake: Connection;
  /** Reads, and what is seldom. */
  readonly desk: Connection;
}

export class Paths {
  readonly reads: Reads;
  readonly #rows: RowPath;
  /** For settlements alone: a claim does not wait for their commit. */
  readonly #settledRows: RowPath;
  readonly #blocks: BlockPath;
  readonly #running: KeyGates;
  readonly #intake: Connection;
  readonly #desk: Connection;
  readonly #policy: ((name: string) => JobPolicy | undefined) | undefined;
  readonly #blockNames = new Map<string, boolean>();
  readonly #turns: Turns;
  readonly #untold = new Untold();

  /** Who hears of it: see KeptClaims. */
  onLost: OnLost = () => undefined;

  /** @param attemptsOf How many a job of a name has. @param now Monotonic milliseconds. */
  constructor(
    connections: PathConnections,
    policy: ((name: string) => JobPolicy | undefined) | undefined,
    attemptsOf: (name: string) => number = () => Infinity,
    now: () => number = () => systemClock.monotonic(),
  ) {
    this.#running = new KeyGates(
      (name) => (this.#restsInBlocks(name) ? policy?.(name)?.perKey?.concurrency : undefined),
      attemptsOf,
      now,
    );
    this.#rows = new RowPath(connections.work, policy);
    this.#settledRows = new RowPath(connections.settling, policy);
    this.#blocks = new BlockPath(connections.work, connections.settling, this.#rows.names, this.#running, (...lost) =>
      this.onLost(...lost),
    );
    this.#turns = new Turns(this.#rows, this.#blocks, this.#running, this.#isPlainOf);
    this.#intake = connections.intake;
    this.#desk = connections.desk;
    this.#policy = policy;
    this.reads = new Reads(connections.desk, this.#rows);
  }

  /** Whether all of these can rest in blocks: a call goes one way as a whole, so that it is one commit. */
  arePlain(jobs: readonly NewJob[]): boolean {
    for (const job of jobs) if (!isPlain(job) || !this.#restsInBlocks(job.name)) return false;
    return true;
  }

  /** Whether what limits the jobs of this name can be kept in blocks: how many of a key run, and nothing else. */
  #restsInBlocks(name: string): boolean {
    let rests = this.#blockNames.get(name);
    if (rests === undefined) {
      rests = restsInBlocks(this.#policy?.(name));
      this.#blockNames.set(name, rests);
    }
    return rests;
  }

  /** Whether nothing but credit limits the jobs of this name. */
  readonly #isPlainOf = (name: string): boolean =>
    this.#restsInBlocks(name) && this.#policy?.(name)?.perKey === undefined;

  /** @param taking Asked for when the statement is sent: what this process runs itself, claimed in the same commit. */
  async enqueuePlain(
    jobs: readonly NewJob[],
    most: number | null,
    taking: () => Taking | undefined,
  ): Promise<
    Awaited<ReturnType<BlockPath["enqueue"]>> & {
      /** Those that may run now. */ readonly free: readonly ClaimedJob[];
    }
  > {
    await this.#count(jobs.length, most);
    if (!this.#rows.names.know(jobs)) await this.#rows.names.learn(jobs);
    const mine = taking();
    if (mine !== undefined && mine.chosen.size > 0)
      await this.#blocks.giveOverSlow(new Set([...mine.chosen.keys()].map((at) => jobs[at]?.name ?? "")));
    const enqueued = await this.#blocks.enqueue(this.#intake, jobs, mine);
    // Also where nothing limits them: another process may give the name a limit per key while they run.
    return { ...enqueued, free: this.#running.begin(enqueued.claimed, true) };
  }

  /** What this process has claimed of a name that is limited per key, and by nothing else; undefined: of another. */
  gateOf(name: string): KeyGate | undefined {
    return this.#running.limited(name);
  }

  /** The handlers of these have ended. Answers what may run now, of what was claimed ahead. */
  offered(settlements: readonly Settlement[]): readonly ClaimedJob[] {
    return this.#running.offered(settlements);
  }

  /** Jobs that were claimed ahead and are not handed over: one, all, or those of some names. They are to be settled. */
  takeHeld(id?: JobId, names?: readonly string[]): readonly ClaimedJob[] {
    return this.#running.takeHeld(id, names);
  }

  async enqueue(jobs: readonly NewJob[], most: number | null): Promise<readonly EnqueueReceipt[]> {
    await this.#count(jobs.length, most);
    return this.#rows.enqueue(jobs, null);
  }

  /** For a transaction of the caller: rows, since only a row can be seen whenever its transaction commits. */
  enqueueStatement(jobs: readonly NewJob[]): ReturnType<RowPath["enqueueStatement"]> {
    return this.#rows.enqueueStatement(jobs);
  }

  async seen(ids: readonly JobId[]): Promise<readonly JobId[]> {
    const rows = await this.#desk.run<{ id: number }>("SELECT id FROM tensile.job WHERE id = ANY($1::bigint[])", [ids]);
    return rows.map(({ id }) => String(id));
  }

  /** Throws an error with the SQLSTATE `queueFull` when more than `most` jobs would wait; null: not counted now. */
  async #count(jobs: number, most: number | null): Promise<void> {
    if (most !== null && (await this.reads.unstarted()) + jobs > most)
      throw Object.assign(new Error("more jobs would wait than may"), { code: ownStates.queueFull });
  }

  turn(fence: Fence, credit: ReadonlyMap<string, number>, cause: TurnCause): Promise<PathTurn> {
    return this.#turns.turn(fence, credit, cause);
  }

  /** The jobs of a claim whose answer was lost: nobody runs them. Their attempts are not counted. Answers what may run instead. */
  async handBack(fence: Fence): Promise<readonly ClaimedJob[]> {
    // It may be under way, or on its way, although nobody waits for it.
    await this.#desk.run("SELECT tensile.end_claim($1, $2)", [fence.epoch, fence.claim]);
    await this.#blocks.abandon([fence.epoch], fence.claim);
    const jobs = await this.#desk.run<{ id: number }>(
      "SELECT id FROM tensile.job WHERE state = 4 AND epoch = $1 AND claim = $2",
      [fence.epoch, fence.claim],
    );
    const free = this.#running.giveBack(fence);
    if (jobs.length === 0) return free;
    const lost = jobs.map(({ id }): Settlement => ({ job: { ...nobody, id: String(id), fence }, to: "released" }));
    await this.#rows.settle(
      lost,
      lost.map(() => false),
    );
    return free;
  }

  /** Whether nothing comes of this but that the job has succeeded: no key, limit or other job waits for it. */
  endsAlone(settlement: Settlement): boolean {
    const { job } = settlement;
    return (
      (job.key === undefined || this.#running.limited(job.name)?.isOwned === true) &&
      this.#blocks.succeeds(settlement) &&
      this.#blocks.holds(job)
    );
  }

  /** @param again Which of them may have been committed before without an answer. */
  async settle(
    epoch: number,
    settlements: readonly Settlement[],
    again: readonly boolean[],
  ): Promise<{
    readonly receipts: readonly SettleReceipt[];
    readonly ended: readonly JobId[];
    /** Whether rows were settled: then others may be ready now. */
    readonly stirred: boolean;
    /** Whether keys may be free now. */
    readonly freed: boolean;
    /** Whether others may wait for them. */
    readonly others: boolean;
  }> {
    const done = await this.#committed(settlements, again);
    const seen = new JobSet();
    const receipts: SettleReceipt[] = [];
    const plain = youngArray<Settlement>();
    const over: ClaimedJob[] = [];
    const inRows: number[] = [];
    for (let at = 0; at < settlements.length; at++) {
      const settlement = settlements[at] as Settlement;
      const { job } = settlement;
      const isFirst = seen.add(job.id);
      receipts.push("stale");
      if (this.#untold.take(settlement) || (done.size > 0 && done.has(job.id)))
        receipts[at] = isFirst ? "settled" : "stale";
      else if (!this.#blocks.holds(job)) inRows.push(at);
      else if (isFirst && this.#blocks.succeeds(settlement)) {
        plain.push(settlement);
        receipts[at] = "settled";
      } else if (isFirst) {
        over.push(job);
        inRows.push(at);
      }
    }
    // Both have ended before anything is said: one may be committed where the other is refused.
    const [succeeded, given] = await Promise.allSettled([this.#succeed(epoch, plain), this.#blocks.giveOver(over)]);
    if (succeeded.status === "rejected") throw succeeded.reason as Error;
    const { apart, stale } = succeeded.value;
    if (apart.length + stale.length > 0) {
      const places = new Map(settlements.map((settlement, at) => [settlement, at]));
      for (const settlement of stale) receipts[places.get(settlement) as number] = "stale";
      for (const settlement of apart) inRows.push(places.get(settlement) as number);
    }
    let ended: readonly JobId[] = [];
    if (inRows.length > 0) {
      const rest = inRows.map((at) => settlements[at] as Settlement);
      const doubted = inRows.map((at) => again[at] === true);
      try {
        if (given.status === "rejected") throw given.reason as Error;
        const answer = await this.#settledRows.settle(rest, doubted);
        for (const [index, at] of inRows.entries()) receipts[at] = answer.receipts[index] ?? "stale";
        ended = answer.ended;
      } catch (error) {
        this.#untold.add(plain, [...apart, ...stale]);
        throw error;
      }
    }
    return { receipts, ended, stirred: inRows.length > 0, ...this.#running.settled(settlements, this.#isPlainOf) };
  }

  /** Answers those that are to be settled as rows, and those of a lease that is over. */
  async #succeed(
    epoch: number,
    plain: readonly Settlement[],
  ): Promise<{ readonly apart: readonly Settlement[]; readonly stale: readonly Settlement[] }> {
    const lost: Settlement[] = [];
    let open = plain;
    for (;;) {
      const committed: Settlement[] = [];
      try {
        const moved = open.length === 0 ? [] : await this.#blocks.succeed(epoch, open, committed);
        // What is not held any more is not to be found among the rows either, where it is asked for.
        return { apart: [...lost, ...moved], stale: [] };
      } catch (error) {
        const state = sqlStateOf(error);
        if (state === ownStates.leaseOver) return { apart: [], stale: plain.filter((one) => !committed.includes(one)) };
        if (state !== ownStates.otherRun) {
          this.#untold.add(committed, []);
          throw error;
        }
        await this.#blocks.recheck();
        const done = new Set(committed);
        for (const one of open) if (!done.has(one) && !this.#blocks.holds(one.job)) lost.push(one);
        open = open.filter(({ job }) => this.#blocks.holds(job));
      }
    }
  }

  async #committed(settlements: readonly Settlement[], again: readonly boolean[]): Promise<ReadonlySet<JobId>> {
    if (!again.includes(true)) return nothing;
    const doubted = settlements.filter(({ job }, index) => again[index] === true && this.#blocks.holds(job));
    return doubted.length === 0 ? nothing : this.#blocks.committed(doubted.map(({ job }) => job));
  }

  /** @param epoch It is over. */
  lose(epoch: number): void {
    this.#untold.clear();
    this.#blocks.lose(epoch);
  }

  async rescue(epochs: readonly number[], maxAttempts: (name: string) => number): ReturnType<RowPath["rescue"]> {
    await this.#blocks.abandon(epochs);
    return this.#rows.rescue(epochs, maxAttempts);
  }

  async cancel(id: JobId): ReturnType<RowPath["cancel"]> {
    return (
      (await this.#inRows(id, async () => {
        const done = await this.#rows.cancel(id);
        return done.state === undefined ? undefined : done;
      })) ?? { state: await this.#stateInBlocks(id), epoch: undefined, ended: [] }
    );
  }

  async retry(id: JobId): Promise<JobState | undefined> {
    // What is in neither was in a block when the rows were asked, and is one of them now.
    return (await this.#rows.retry(id)) ?? (await this.#stateInBlocks(id)) ?? this.#rows.retry(id);
  }

  occurrences(): Promise<ReadonlyMap<string, number>> {
    return this.#rows.occurrences();
  }

  async note(job: ClaimedJob, notes: readonly JobNote[], progress: string | undefined): Promise<SettleReceipt> {
    if (this.#blocks.holds(job)) await this.#blocks.giveOver([job]);
    return this.#rows.note(job, notes, progress);
  }

  notes(id: JobId): Promise<readonly JobNote[]> {
    return this.#rows.notes(id);
  }

  signal(id: JobId, name: string, value: string): Promise<JobState | undefined> {
    return this.#inRows(id, () => this.#rows.signal(id, name, value));
  }

  dependencies(id: JobId): Promise<readonly DependencyRecord[]> {
    return this.#rows.dependencies(id);
  }

  pause(names: readonly string[], paused: boolean): Promise<void> {
    return this.#rows.pause(names, paused);
  }

  paused(): Promise<readonly string[]> {
    return this.#rows.paused();
  }

  /** All of retention, in bounded steps. */
  async retain(keep: Retention): Promise<number> {
    let removed = 0;
    for (let step: number = limits.pruneStep; step >= limits.pruneStep; removed += step)
      step = await this.prune(keep, limits.pruneStep);
    await this.rotate(keep);
    await this.#rows.sweep();
    return removed;
  }

  /** One bounded step of retention. Call again while it answers `limit` or more. */
  async prune(keep: Retention, limit: number): Promise<number> {
    const removed = await this.#rows.prune(keep, limit);
    const { ageMs, count } = keep.succeeded;
    const [row] = await this.#desk.run<{ removed: number }>("SELECT tensile.prune_succeeded($1, $2, $3) AS removed", [
      Math.ceil(Math.min(ageMs, Number.MAX_SAFE_INTEGER)),
      Math.ceil(Math.min(count, Number.MAX_SAFE_INTEGER)),
      limit,
    ]);
    return removed + (row?.removed ?? 0);
  }

  async rotate(keep: Retention): Promise<void> {
    await this.#rows.rotate(keep);
    await this.#desk.run("SELECT tensile.blocks_rotate($1, $2)", [limits.slotBlocks, limits.slotMs]);
  }

  fold(): Promise<void> {
    return this.#rows.fold();
  }

  /** Milliseconds since 1970, by the clock of the database. */
  async now(): Promise<number> {
    const rows = await this.#desk.run<{ now: number }>("SELECT tensile.now() AS now");
    return (rows as readonly [{ readonly now: number }])[0].now;
  }

  /** Asks the rows; a job that rests in a block is brought there and asked for again. */
  async #inRows<T>(id: JobId, act: () => Promise<T | undefined>): Promise<T | undefined> {
    const first = await act();
    if (first !== undefined || numberOf(id) === undefined) return first;
    // Also where it brought nothing: what was in a block when the rows were asked may have become one of them meanwhile.
    await this.#blocks.takeOut([id]);
    return act();
  }

  async #stateInBlocks(id: JobId): Promise<JobState | undefined> {
    return (await this.reads.inBlocks([id]))[0]?.state;
  }
}

const nothing: ReadonlySet<JobId> = new Set();

/** For a settlement that gives back a job of which nothing but its id is known. */
const nobody = { name: "", priority: 5, payload: "", attempt: 1, enqueuedAt: 0 };
