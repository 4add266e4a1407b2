/**
 * Runs claimed jobs: the most urgent first, never more of a name than its concurrency, never more in all than the worker's.
 *
 *   claimed -> lane (waits for a slot) -> attempt -> settler
 *
 * Everything happens in turns of the event loop. A turn runs jobs for about a millisecond, sends the outcomes as one batch, grants new
 * credit, and lets the sockets have their turn before it goes on. Between turns nothing is running that the user did not write.
 */
import { NumberTable, Timeouts, type Clock, type Fault } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { Attempt } from "./attempt.ts";
import type { Lane } from "./lane.ts";
import type { JobLimits } from "./limits.ts";
import { nextTurn } from "./next-turn.ts";
import type { Settler } from "./settler.ts";
import { StallWatch } from "./stall-watch.ts";
import type { ClaimedJob, Consumer, JobId, Settlement } from "./store.ts";

/** Jobs of one lane before the others are looked at again. */
const runOfOneLane = 32;

export interface DispatcherOptions {
  readonly lanes: readonly Lane[];
  readonly settler: Settler;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  /** What attempts see of the end of the process. */
  readonly drain: { began: boolean; over: boolean };
}

/** What came for one name. */
interface Delivery {
  readonly name: string;
  readonly lane: Lane | undefined;
  count: number;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #order: readonly Lane[];
  readonly #runawayTimeouts: Timeouts;
  readonly #watch: StallWatch;
  /** Begun and not ended, by their numbers. */
  readonly #attempts = new NumberTable<Attempt>();
  /** Begun and not ended, and no longer this process's. The same job may run here again meanwhile. */
  readonly #lost = new Set<Attempt>();
  /** Asked to stop while they wait for a slot. */
  readonly #cancelled = new Set<JobId>();
  #consumer: Consumer | undefined;
  #phase: "idle" | "running" | "draining" = "idle";
  #scheduled = false;
  #lastNumber = 0;
  /** Slots in use. */
  #running = 0;
  #runaways = 0;
  #released = 0;
  /** Where the search for the most urgent lane begins: lanes of equal urgency take turns. */
  #first = 0;
  /** Monotonic time of the last look at the clock. */
  #now = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#order = options.lanes;
    this.#lanes = new Map(options.lanes.map((lane) => [lane.name, lane]));
    this.#watch = new StallWatch(options, () => this.#attempts.size > 0);
    this.#runawayTimeouts = new Timeouts(options.clock, options.limits.runawayMs);
  }

  /** Attempts that have begun and not ended. */
  get active(): number {
    return this.#attempts.size + this.#lost.size;
  }

  /** Jobs handed back without having begun. */
  get released(): number {
    return this.#released;
  }

  start(consumer: Consumer): void {
    this.#consumer = consumer;
    this.#phase = "running";
    this.#schedule();
  }

  /** The store hands over jobs. They begin in the next turn. */
  claimed(jobs: readonly ClaimedJob[]): void {
    const deliveries = new Map<string, Delivery>();
    let last: Delivery = { name: "", lane: undefined, count: 0 };
    for (const job of jobs) {
      // Neighbours mostly have the same name.
      const { name } = job;
      if (name !== last.name) {
        last = deliveries.get(name) ?? { name, lane: this.#lanes.get(name), count: 0 };
        deliveries.set(name, last);
      }
      if (last.lane === undefined || this.#phase === "draining") {
        this.#release(job);
        continue;
      }
      last.lane.push(job);
      last.count++;
    }
    const now = this.#options.clock.monotonic();
    for (const { lane, count } of deliveries.values()) if (count > 0) lane?.delivered(count, now);
    this.#schedule();
  }

  /** A job was asked to stop, wherever it is now. One that has just succeeded or failed for good is left alone. */
  cancel(id: JobId): void {
    const attempt = this.#attempts.values.find(({ job }) => job.id === id);
    if (attempt !== undefined) attempt.abort("cancelled");
    else if (this.#order.some((lane) => lane.has(id))) this.#cancelled.add(id);
    else this.#options.settler.cancel(id);
  }

  /** The claims of these are gone. What has not begun never does, what runs is told to end, and nothing of it is settled. */
  lost(ids: readonly JobId[]): void {
    const gone = new Set(ids);
    for (const lane of this.#order) lane.drop(gone);
    for (const id of gone) this.#cancelled.delete(id);
    for (const attempt of this.#attempts.values) {
      if (!gone.has(attempt.job.id)) continue;
      this.#attempts.delete(attempt.number);
      this.#lost.add(attempt);
      attempt.lose();
    }
    this.#schedule();
  }

  /** Begins nothing more, hands back what has not begun, and lets what has steps end at the next of them. */
  async stopClaims(): Promise<void> {
    this.#phase = "draining";
    this.#options.drain.began = true;
    for (const attempt of this.#attempts.values) attempt.flow?.drain();
    for (const lane of this.#order) {
      for (let job = lane.take(); job !== undefined; job = lane.take()) this.#release(job);
    }
    this.#schedule();
    await this.#consumer?.stop();
  }

  /** Aborts the signal of every running attempt. */
  abortAll(): void {
    for (const attempt of this.#attempts.values) attempt.abort("shutdown");
  }

  /** There is room for outcomes again. */
  readonly resume = (): void => this.#schedule();

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#now = this.#options.clock.monotonic();
    const more = this.#phase === "running" && this.#runSlice();
    this.#options.settler.flush();
    if (this.#phase === "running") this.#grantCredit();
    if (more) this.#schedule();
  };

  /** True when the slice ended before the work. */
  #runSlice(): boolean {
    const { clock, limits } = this.#options;
    const end = this.#now + limits.sliceMs;
    while (this.#hasRoom()) {
      const lane = this.#mostUrgent();
      if (lane === undefined) return false;
      const priority = lane.headPriority;
      for (let left = runOfOneLane; left > 0 && lane.headPriority === priority; left--) {
        if (lane.freeSlots <= 0 || !this.#hasRoom()) break;
        const job = lane.take();
        if (job === undefined) break;
        this.#begin(lane, job);
        const before = this.#now;
        this.#now = clock.monotonic();
        if (this.#now - before >= limits.stallMs) this.#watch.stalled(this.#now - before, lane.name);
        if (this.#now >= end) return true;
      }
    }
    return false;
  }

  #hasRoom(): boolean {
    const { limits, settler } = this.#options;
    return this.#running < limits.concurrency && settler.unsettled < limits.unsettled;
  }

  #mostUrgent(): Lane | undefined {
    const lanes = this.#order;
    let best: Lane | undefined;
    let bestAt = 0;
    for (let step = 0; step < lanes.length; step++) {
      const at = (this.#first + step) % lanes.length;
      const lane = lanes[at] as Lane;
      if (lane.queued === 0 || lane.freeSlots <= 0) continue;
      if (best === undefined || lane.headPriority < best.headPriority) {
        best = lane;
        bestAt = at;
      }
    }
    if (best !== undefined) this.#first = bestAt + 1;
    return best;
  }

  #begin(lane: Lane, job: ClaimedJob): void {
    const startedAt = this.#now;
    const attempt = new Attempt(job, lane.maxAttempts, lane.runner.tools, startedAt);
    if (this.#cancelled.size > 0 && this.#cancelled.delete(job.id)) {
      this.#settle({ job, to: "cancelled" }, undefined, startedAt);
      return;
    }
    const settlement = lane.runner.run(attempt);
    if ("to" in settlement) {
      lane.ended();
      this.#settle(settlement, attempt.fault, startedAt);
      return;
    }
    lane.running++;
    this.#running++;
    attempt.number = ++this.#lastNumber;
    this.#attempts.set(attempt.number, attempt);
    this.#watch.begun();
    void settlement.then((settled) => this.#ended(lane, attempt, settled, startedAt));
  }

  #ended(lane: Lane, attempt: Attempt, settlement: Settlement, startedAt: number): void {
    lane.ended();
    if (!this.#lost.delete(attempt)) this.#attempts.delete(attempt.number);
    if (!attempt.lost) this.#settle(settlement, attempt.fault, startedAt);
    if (attempt.abandoned === undefined) this.#freeSlot(lane);
    else this.#holdSlot(lane, attempt, attempt.abandoned);
    if (attempt.lost) this.#options.settler.nothing();
    this.#schedule();
  }

  #freeSlot(lane: Lane): void {
    lane.running--;
    this.#running--;
    this.#schedule();
  }

  /**
   * The deadline has answered for a handler that still runs. It keeps its slot, so that concurrency stays what was asked for, until it
   * ends or the grace is over. So many may go on without a slot; after that slots are lost until handlers end.
   */
  #holdSlot(lane: Lane, attempt: Attempt, ended: Promise<unknown>): void {
    const { events, limits } = this.#options;
    const { id, name, attempt: number } = attempt.job;
    let state: "held" | "given up" | "over" = "held";
    const grace = this.#runawayTimeouts.add(() => {
      const freed = this.#runaways < limits.runaways;
      events.emit("job.runaway", { id, name, attempt: number, slotFreed: freed });
      if (!freed) return;
      state = "given up";
      this.#runaways++;
      this.#freeSlot(lane);
    });
    void ended.then(() => {
      grace.cancel();
      if (state === "given up") this.#runaways--;
      else this.#freeSlot(lane);
      state = "over";
    });
  }

  #release(job: ClaimedJob): void {
    this.#released++;
    this.#cancelled.delete(job.id);
    this.#settle({ job, to: "released" }, undefined, this.#now);
  }

  #settle(settlement: Settlement, fault: Fault | undefined, startedAt: number): void {
    const { settler, events } = this.#options;
    settler.add(settlement);
    const { to } = settlement;
    if (events.heard("job.attempt")) this.#announce(settlement, fault, startedAt);
    if ((to === "retry" || to === "failed") && events.heard("job.faulted")) {
      const { id, name, attempt } = settlement.job;
      events.emit("job.faulted", { id, name, attempt, to, fault: described(fault) });
    }
  }

  #announce({ job, to }: Settlement, fault: Fault | undefined, startedAt: number): void {
    const { events, clock } = this.#options;
    const { id, name, attempt } = job;
    const durationMs = clock.monotonic() - startedAt;
    const said = described(fault);
    events.emit("job.attempt", { id, name, attempt, durationMs, to, ...(said !== undefined && { fault: said }) });
  }

  /** Asks the store for as much as there will be room for. */
  #grantCredit(): void {
    const { limits } = this.#options;
    const lanes = this.#order;
    const free = limits.concurrency - this.#running;
    const share = Math.ceil(free / lanes.length);
    let held = 0;
    let bytes = limits.prefetchBytes;
    for (const lane of lanes) {
      held += lane.credit + lane.queued;
      bytes -= lane.queuedBytes;
    }
    let room = limits.prefetchJobs + limits.concurrency - held;
    let short = false;
    for (const lane of lanes) {
      lane.measure(this.#now);
      const wanted = lane.wanted(Math.max(0, Math.min(lane.freeSlots, share)), bytes);
      // A lane that has nothing may always ask for one: no name waits for ever because others fill the room.
      const had = lane.credit + lane.queued;
      const missing = Math.min(wanted - had, Math.max(room, had <= 0 ? 1 - had : 0));
      short ||= missing < wanted - had;
      // Small corrections of a large window are not worth a message; to a lane that has nothing none is small.
      if (missing <= 0 || (had > 0 && missing * 4 < wanted)) continue;
      lane.granted(missing, this.#now);
      room -= missing;
      this.#consumer?.grant(lane.name, missing);
    }
    if (short) this.#reclaim(share);
  }

  /** What was granted to lanes that have nothing to do is room for those that have, from the next turn on. */
  #reclaim(share: number): void {
    for (const lane of this.#order) {
      const count = lane.yield(Math.min(lane.freeSlots, share), this.#now);
      if (count > 0) this.#consumer?.grant(lane.name, -count);
    }
  }
}

function described(fault: Fault | undefined): { readonly code: string; readonly message: string } | undefined {
  return fault === undefined ? undefined : { code: fault.code, message: fault.message };
}
