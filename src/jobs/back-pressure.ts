/**
 * Back pressure from a job's backlog to those who enqueue: over the depth or the age that the job allows, `enqueue` answers `QUEUE_FULL`, which an
 * operation that declares it passes on as 429 with Retry-After.
 *
 * The store is not asked at each enqueue. A reading holds for a quarter of a second; what this process has enqueued since is added to it, and where that
 * would fill the queue it is read anew rather than refused, because jobs have run meanwhile. So a process never lets in more than there is room for
 * at a reading; several together may let in as much each.
 */
import { Err, type Clock } from "../core/index.ts";
import { QueueFull, type BackPressureSettings, type Job } from "../contract/index.ts";
import type { Backlog, StoreSession } from "./store.ts";

type Refusal = Err<ReturnType<typeof QueueFull>> | undefined;

/** Milliseconds for which a reading holds. */
const freshMs = 250;
/** Milliseconds between two readings, whatever is enqueued. */
const shortestMs = 5;
const shortestRetryMs = 1_000;
const longestRetryMs = 60_000;
/** Weight of a new measurement of the rate at which jobs begin. */
const weight = 0.3;

export class BackPressure {
  readonly #session: StoreSession;
  readonly #clock: Clock;
  readonly #gauges = new Map<string, Gauge>();

  constructor(session: StoreSession, clock: Clock, jobs: readonly Job[]) {
    this.#session = session;
    this.#clock = clock;
    for (const { name, settings } of jobs) {
      if (settings.backPressure !== undefined) this.#gauges.set(name, new Gauge(name, settings.backPressure));
    }
  }

  /** Undefined: there is room. Several jobs of one call come in together, or not at all. */
  admit(name: string, count: number): Refusal | Promise<Refusal> {
    const gauge = this.#gauges.get(name);
    if (gauge === undefined) return undefined;
    const now = this.#clock.monotonic();
    if (gauge.isFresh(now)) return gauge.decide(count, this.#clock.now());
    return this.#read(gauge).then(() => gauge.decide(count, this.#clock.now()));
  }

  /** Jobs of several names that are enqueued together: there is room in the queue of each, or none comes in. */
  async admitAll(counts: ReadonlyMap<string, number>): Promise<Refusal> {
    const asked = [...counts].flatMap(([name, count]) => {
      const gauge = this.#gauges.get(name);
      return gauge === undefined ? [] : [{ gauge, count }];
    });
    if (asked.length === 0) return undefined;
    const now = this.#clock.monotonic();
    await Promise.all(asked.filter(({ gauge }) => !gauge.isFresh(now)).map(({ gauge }) => this.#read(gauge)));
    for (const { gauge } of asked) {
      const refused = gauge.refusal(this.#clock.now());
      if (refused !== undefined) return refused;
    }
    for (const { gauge, count } of asked) gauge.admitted += count;
    return undefined;
  }

  /** Those who come while the store is being asked wait for the same answer. */
  #read(gauge: Gauge): Promise<void> {
    return (gauge.reading ??= this.#ask(gauge));
  }

  async #ask(gauge: Gauge): Promise<void> {
    const before = gauge.admitted;
    const backlog = await this.#backlog(gauge.name);
    gauge.reading = undefined;
    gauge.take(backlog, before, this.#clock.monotonic());
  }

  /** Undefined where the store refuses: it refuses the enqueue too, and knows better why. */
  async #backlog(name: string): Promise<Pick<Backlog, "ready" | "readySince"> | undefined> {
    const read = await this.#session.backlog([name]);
    return read.ok ? read.value : undefined;
  }
}

/** What is known of one job's backlog. */
class Gauge {
  readonly name: string;
  reading: Promise<void> | undefined;
  /** Jobs let in by this process, ever. */
  admitted = 0;
  readonly #limit: BackPressureSettings;
  #ready = 0;
  #readySince: number | undefined;
  #readAt = -Infinity;
  /** Of `admitted`, what the reading may hold already. */
  #counted = 0;
  /** Jobs per millisecond that begin; 0: not known yet. */
  #rate = 0;

  constructor(name: string, limit: BackPressureSettings) {
    this.name = name;
    this.#limit = limit;
  }

  isFresh(now: number): boolean {
    const age = now - this.#readAt;
    if (age > freshMs) return false;
    // Full by what was let in since: that may have run.
    return age <= shortestMs || this.admitted === this.#counted || this.#depth() < this.#limit.depth;
  }

  take(read: Pick<Backlog, "ready" | "readySince"> | undefined, counted: number, now: number): void {
    if (read === undefined) {
      // Nothing is known: nothing is refused.
      this.#ready = 0;
      this.#readySince = undefined;
    } else {
      const begun = this.#ready + (counted - this.#counted) - read.ready;
      const elapsed = now - this.#readAt;
      if (elapsed > 0 && elapsed < 60_000) {
        const rate = Math.max(0, begun) / elapsed;
        this.#rate = this.#rate === 0 ? rate : this.#rate + weight * (rate - this.#rate);
      }
      this.#ready = read.ready;
      this.#readySince = read.readySince;
    }
    this.#counted = counted;
    this.#readAt = now;
  }

  decide(count: number, wallNow: number): Refusal {
    const refused = this.refusal(wallNow);
    if (refused === undefined) this.admitted += count;
    return refused;
  }

  refusal(wallNow: number): Refusal {
    const { depth, ageMs = Infinity } = this.#limit;
    const tooDeep = this.#depth() - depth;
    const tooOld = this.#readySince === undefined ? -Infinity : wallNow - this.#readySince - ageMs;
    if (tooDeep < 0 && tooOld <= 0) return undefined;
    const retryAfterMs = this.#retryAfterMs(tooDeep, tooOld);
    if (tooDeep >= 0) return new Err(QueueFull({ limit: depth, retryAfterMs }));
    const message = `Jobs "${this.name}" wait longer than ${ageMs} ms before they begin, which is the limit.`;
    return new Err(QueueFull({ limit: ageMs, retryAfterMs }, message));
  }

  #depth(): number {
    return this.#ready + this.admitted - this.#counted;
  }

  /** Until a tenth of the depth is free, at the rate that was measured, and as long as the oldest is too old. */
  #retryAfterMs(tooDeep: number, tooOld: number): number {
    const over = tooDeep + this.#limit.depth / 10;
    const ms = Math.max(tooOld, tooDeep >= 0 && this.#rate > 0 ? over / this.#rate : 0);
    return Math.ceil(Math.min(longestRetryMs, Math.max(shortestRetryMs, ms)));
  }
}
