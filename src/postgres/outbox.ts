/**
 * Jobs that are enqueued in a caller's own transaction. Nobody tells when it commits, and a NOTIFY in it would make all commits of the database wait for
 * each other; so this looks for its jobs a few times, less and less often, and calls the consumers when it sees one. The regular look finds it at the latest.
 */
import { Buffer } from "node:buffer";
import { QueueFull, type EnqueueReceipt, type NewJob, type StoreOpenOptions } from "../jobs/index.ts";
import type { Clock, Timer } from "../core/index.ts";
import { checkJobs } from "./check-job.ts";
import { inSchema, type SqlParameter } from "./connection.ts";
import { postgresLimits as limits } from "./limits.ts";
import type { PostgresTransaction } from "./transaction.ts";

export interface OutboxPaths {
  /** The statement that enqueues these jobs, and waits for nothing that a long transaction could hold against others. */
  enqueueStatement(jobs: readonly NewJob[]): Promise<OutboxStatement>;
  readonly reads: { unstarted(): Promise<number> };
  /** Which of these jobs are there to be seen. */
  seen(ids: readonly string[]): Promise<readonly string[]>;
}

export interface OutboxStatement {
  readonly text: string;
  readonly params: readonly SqlParameter[];
}

export class Outbox {
  readonly #paths: OutboxPaths;
  readonly #schema: string;
  readonly #options: StoreOpenOptions;
  readonly #clock: Clock;
  readonly #announce: () => void;
  /** The first new job of every call, until it was seen. All jobs of a transaction appear at once. */
  readonly #unseen = new Set<string>();
  #headroom = 0;
  #waitMs = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(paths: OutboxPaths, schema: string, options: StoreOpenOptions, announce: () => void) {
    this.#paths = paths;
    this.#schema = schema;
    this.#options = options;
    this.#clock = options.clock;
    this.#announce = announce;
  }

  /** Rejects, so that the caller's transaction does not commit without its jobs. */
  async enqueue(transaction: PostgresTransaction, jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    checkJobs(jobs);
    if (jobs.length === 0) return [];
    await this.#count(jobs.length);
    const { text, params } = inTexts(await this.#paths.enqueueStatement(jobs));
    const rows = (await transaction.run(inSchema(text, this.#schema), params)) as readonly {
      id: string;
      duplicate: string;
    }[];
    if (rows.length !== jobs.length)
      throw new TypeError(`The transaction's run() gave ${rows.length} rows for ${jobs.length} jobs.`);
    const receipts = rows.map(({ id, duplicate }) => ({ id: id === "0" ? "" : id, duplicate: duplicate === "true" }));
    const fresh = receipts.find(({ duplicate }) => !duplicate);
    if (fresh !== undefined) this.#watch(fresh.id);
    return receipts;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unseen.clear();
  }

  async #count(jobs: number): Promise<void> {
    if (this.#headroom < jobs) {
      const room = this.#options.maxWaiting - (await this.#paths.reads.unstarted());
      if (room < jobs) {
        const fault = QueueFull({ limit: this.#options.maxWaiting, retryAfterMs: 1_000 });
        throw new Error(fault.message, { cause: fault });
      }
      this.#headroom = Math.max(jobs, Math.floor(room / 4));
    }
    this.#headroom -= jobs;
  }

  #watch(id: string): void {
    if (this.#closed || this.#unseen.size >= limits.unseenJobs) return;
    this.#unseen.add(id);
    this.#waitMs = limits.busyPollMs;
    this.#timer?.cancel();
    this.#plan();
  }

  #plan(): void {
    this.#timer = this.#clock.setTimer(this.#waitMs, () => void this.#look(), true);
  }

  async #look(): Promise<void> {
    const asked = [...this.#unseen];
    try {
      const seen = await this.#paths.seen(asked);
      for (const id of seen) this.#unseen.delete(id);
      if (seen.length > 0) this.#announce();
    } catch {
      // The next look is soon, and the regular one after it.
    }
    if (this.#closed || this.#unseen.size === 0) return;
    this.#waitMs *= 2;
    if (this.#waitMs > limits.pollMs) this.#unseen.clear();
    else this.#plan();
  }
}

const known = new Map<string, string>();

/** Every parameter as text, bytes as base64, and what comes back as well: the same to every driver. */
function inTexts({ text, params }: OutboxStatement): {
  readonly text: string;
  readonly params: readonly (string | null)[];
} {
  let made = known.get(text);
  if (made === undefined) {
    made = text
      .replace("SELECT * FROM", "SELECT id::text AS id, duplicate::text AS duplicate FROM")
      .replaceAll(/\$(\d+)::([a-z]+(?:\[\])?)/g, (_, number: string, type: string) =>
        type === "bytea" ? `decode($${number}::text, 'base64')` : `$${number}::text::${type}`,
      );
    known.set(text, made);
  }
  return { text: made, params: params.map(asText) };
}

function asText(value: SqlParameter): string | null {
  if (value === null || value === undefined) return null;
  return Buffer.isBuffer(value) ? value.toString("base64") : String(value);
}
