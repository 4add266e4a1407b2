/**
 * Brings outcomes to the store: those of one turn as one batch, several batches under way at once. A batch that the store
 * refuses (disk full, connection gone) is offered again until it is taken, because an outcome that is lost means that the job runs again.
 */
import { Err, youngArray, type Clock, type Fault, type Timer } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { StoreUnavailable } from "./faults.ts";
import type { JobLimits } from "./limits.ts";
import type { JobId, Settlement, SettleReceipt, StoreResult, StoreSession } from "./store.ts";

export interface SettlerOptions {
  readonly session: Pick<StoreSession, "settle" | "cancel">;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  /** A batch was committed: there is room again. */
  readonly onSettled: () => void;
}

export class Settler {
  readonly #options: SettlerOptions;
  /** Jobs that are on their way to another run; true: somebody asked meanwhile to cancel them. */
  readonly #again = new Map<JobId, boolean>();
  #batch = youngArray<Settlement>();
  #waiting = 0;
  #refused: Settlement[] = [];
  #retryMs = 0;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Outcomes whose commit is not confirmed. */
  get unsettled(): number {
    return this.#waiting;
  }

  add(settlement: Settlement): void {
    this.#batch.push(settlement);
    this.#waiting++;
    if (goesOn.has(settlement.to)) this.#again.set(settlement.job.id, false);
  }

  /** An attempt ended without an outcome. */
  nothing(): void {
    this.#options.onSettled();
  }

  /** A job was asked to stop. If its attempt has just ended with another run to come, it is cancelled as soon as that is committed. */
  cancel(id: JobId): void {
    if (this.#again.has(id)) this.#again.set(id, true);
  }

  /** Sends what gathered. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = youngArray();
    void this.#send(batch);
  }

  /** Gives up what is still refused: those jobs run again after the next start. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  async #send(batch: Settlement[]): Promise<void> {
    const { session, events, onSettled } = this.#options;
    const result = await settleSafely(session, batch);
    if (!result.ok) return this.#refuse(batch, result.fault);
    this.#retryMs = 0;
    this.#waiting -= batch.length;
    if (this.#again.size > 0) this.#cancelAgain(batch);
    if (events.heard("job.stale")) this.#announceStale(batch, result.value);
    onSettled();
  }

  #announceStale(batch: readonly Settlement[], receipts: readonly SettleReceipt[]): void {
    for (let index = receipts.indexOf("stale"); index >= 0; index = receipts.indexOf("stale", index + 1)) {
      const job = batch[index]?.job;
      if (job !== undefined) this.#options.events.emit("job.stale", { id: job.id, name: job.name });
    }
  }

  #cancelAgain(batch: readonly Settlement[]): void {
    for (const { job } of batch) {
      const asked = this.#again.get(job.id);
      this.#again.delete(job.id);
      // Refused: the caller was told that the job was running, and sees that it runs again.
      if (asked === true) void this.#options.session.cancel(job.id);
    }
  }

  #refuse(batch: Settlement[], fault: Fault): void {
    const { events, clock, limits } = this.#options;
    events.emit("store.trouble", { code: fault.code, message: fault.message });
    for (const settlement of batch) this.#refused.push(settlement);
    if (this.#retry !== undefined || this.#stopped) return;
    this.#retryMs = Math.min(limits.settleRetryMaxMs, this.#retryMs === 0 ? limits.settleRetryMs : this.#retryMs * 2);
    this.#retry = clock.setTimer(this.#retryMs, () => {
      this.#retry = undefined;
      const again = this.#refused;
      this.#refused = [];
      void this.#send(again);
    });
  }
}

/** Outcomes after which the job runs again. */
const goesOn: ReadonlySet<Settlement["to"]> = new Set(["retry", "released", "snoozed", "waiting"] as const);

/** A store that throws has a defect; the outcomes must not be lost by it, nor the process. */
async function settleSafely(
  session: Pick<StoreSession, "settle">,
  batch: readonly Settlement[],
): StoreResult<readonly SettleReceipt[]> {
  try {
    return await session.settle(batch);
  } catch (thrown) {
    return new Err(StoreUnavailable({ reason: thrown instanceof Error ? thrown.message : String(thrown) }));
  }
}
