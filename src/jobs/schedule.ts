/**
 * Enqueues jobs by the clock. An occurrence is recorded in the store together with its job, so that it fires once, also when the
 * process is restarted or when several share a store.
 *
 * What was missed while nothing ran, or while the job was paused: by the schedule's `catchUp` the latest occurrence, all of them, or none; never what is older than
 * `catchUpMs`, and nothing where the schedule has not fired before. A schedule that is new begins with its next occurrence.
 */
import type { Clock, Timer } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import type { Occurrences } from "./cron.ts";
import type { JobLimits } from "./limits.ts";
import type { NewJob, StoreSession } from "./store.ts";

/** Before a schedule whose job the store refused is tried again. */
const retryMs = 1_000;

export interface ScheduledJob {
  readonly name: string;
  readonly occurrences: Occurrences;
  readonly catchUp: "latest" | "all" | "none";
  /** Rejects with a TypeError when the schedule's input is wrong. */
  readonly makeRecord: () => Promise<NewJob>;
}

export interface SchedulerOptions {
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  readonly jobs: readonly ScheduledJob[];
}

interface Entry extends Pick<ScheduledJob, "name" | "occurrences" | "catchUp"> {
  readonly record: NewJob;
  /** Wall-clock time up to which occurrences have been dealt with. */
  handled: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries: Entry[] = [];
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Before `start`: rejects with a TypeError when the input of a schedule is wrong. */
  async prepare(): Promise<void> {
    for (const { name, occurrences, catchUp, makeRecord } of this.#options.jobs) {
      this.#entries.push({ name, occurrences, catchUp, record: await makeRecord(), handled: -Infinity });
    }
  }

  /** Without schedules nothing is read and no timer is made. Resolves when what was missed is enqueued. */
  async start(): Promise<void> {
    if (this.#entries.length > 0) await this.#load();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #load(): Promise<void> {
    const { session, clock, limits } = this.#options;
    const recorded = await session.occurrences();
    if (this.#stopped) return;
    if (!recorded.ok) {
      this.#trouble(this.#entries.map(({ name }) => name).join(", "), recorded.fault.message);
      return this.#sleep(retryMs, () => this.#load());
    }
    const now = clock.now();
    for (const entry of this.#entries) {
      entry.handled = recorded.value.get(entry.name) ?? now;
      if (entry.handled > now + limits.scheduleSleepMs) this.#trouble(entry.name, recordedAhead(entry.handled));
    }
    await this.#tick();
  }

  async #tick(): Promise<void> {
    const { clock, limits } = this.#options;
    let refused = false;
    let paused: ReadonlySet<string> | undefined;
    for (const entry of this.#entries) {
      const due = entry.occurrences.upTo(clock.now());
      if (due === undefined || due <= entry.handled) continue;
      paused ??= await this.#paused();
      // When it goes on, what was missed is caught up as it is after a downtime.
      if (paused.has(entry.name)) continue;
      if (!(await this.#fire(entry, due))) refused = true;
      if (this.#stopped) return;
    }
    const now = clock.now();
    let wait = limits.scheduleSleepMs;
    for (const { occurrences, handled } of this.#entries) {
      const next = occurrences.after(Math.max(handled, now));
      if (next !== undefined) wait = Math.min(wait, next - now);
    }
    this.#sleep(refused ? Math.min(wait, retryMs) : Math.max(1, wait), () => this.#tick());
  }

  /** Where the store does not say, none is: what is paused does not run anyway. */
  async #paused(): Promise<ReadonlySet<string>> {
    const { session } = this.#options;
    const paused = await session.paused();
    return new Set(paused.ok ? paused.value : []);
  }

  /** `latest`: the last occurrence that is due. False when the store refused and it must be tried again. */
  async #fire(entry: Entry, latest: number): Promise<boolean> {
    const { session, events } = this.#options;
    const { name } = entry;
    const records = this.#due(entry, latest).map((at) => ({ ...entry.record, occurrence: { schedule: name, at } }));
    if (records.length > 0) {
      const enqueued = await session.enqueue(records);
      if (!enqueued.ok) {
        this.#trouble(name, enqueued.fault.message);
        return false;
      }
      announceEnqueued(events, records, enqueued.value);
    }
    entry.handled = latest;
    return true;
  }

  /** Occurrences to make jobs for, oldest first. */
  #due({ occurrences, catchUp, handled }: Entry, latest: number): readonly number[] {
    const { clock, limits } = this.#options;
    const now = clock.now();
    if (catchUp === "none") return now - latest <= limits.lateMs ? [latest] : [];
    const all = catchUp === "all" ? occurrences.lastUpTo(now, limits.catchUpJobs) : [latest];
    return all.filter((at) => at > handled && now - at <= limits.catchUpMs);
  }

  #sleep(ms: number, then: () => Promise<void>): void {
    if (this.#stopped) return;
    // `then` handles its failures itself.
    this.#timer = this.#options.clock.setTimer(ms, () => void then());
  }

  #trouble(schedule: string, message: string): void {
    this.#options.events.emit("schedule.trouble", { schedule, message });
  }
}

function recordedAhead(time: number): string {
  const at = new Date(time).toISOString();
  return `The last occurrence is recorded for ${at}, which is in the future: nothing fires before. Was the clock wrong?`;
}
