/**
 * This process among the others: an epoch that is never given twice, a lease that a thread renews, and the news whose lease is over. An epoch that was
 * declared dead settles nothing any more; its process takes another one and goes on.
 */
import { Worker } from "node:worker_threads";
import type { BeatOptions, FromBeat, ToBeat } from "./beat-thread.ts";
import type { Sql } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { reasonOf } from "./trouble.ts";

export interface FleetEvents {
  /** This epoch is dead: what runs under it is not ours any more. */
  readonly onLost: (epoch: number) => void;
  /** These leases are over. */
  readonly onOver: (epochs: readonly number[]) => void;
  readonly onSilent: (reason: string) => void;
}

export interface FleetOptions {
  readonly target: PostgresConnection;
  readonly schema: string;
  readonly pooled: boolean;
  readonly leaseMs: number;
}

export class Fleet {
  readonly #sql: Sql;
  readonly #options: FleetOptions;
  readonly #events: FleetEvents;
  #worker: Worker | undefined;
  #epoch = 0;
  #left = false;

  constructor(sql: Sql, options: FleetOptions, events: FleetEvents) {
    this.#sql = sql;
    this.#options = options;
    this.#events = events;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Takes an epoch; again after it was lost. */
  async join(): Promise<void> {
    const { leaseMs } = this.#options;
    const [row] = await this.#sql.run<{ epoch: number }>("SELECT tensile.join_fleet($1) AS epoch", [leaseMs]);
    this.#epoch = row?.epoch ?? 0;
    if (this.#worker === undefined) this.#start();
    else this.#worker.postMessage({ kind: "epoch", epoch: this.#epoch } satisfies ToBeat);
  }

  /** Declares dead those whose lease is still over: from then on their jobs may be given to others. */
  async declareDead(epochs: readonly number[]): Promise<readonly number[]> {
    const [row] = await this.#sql.run<{ dead: number[] }>("SELECT tensile.declare_dead($1) AS dead", [epochs]);
    return row?.dead ?? [];
  }

  /** Those that left, or were declared dead and are not forgotten yet. */
  async dead(): Promise<readonly number[]> {
    const rows = await this.#sql.run<{ epoch: number }>("SELECT epoch FROM tensile.process WHERE dead");
    return rows.map(({ epoch }) => epoch);
  }

  /** Nothing of theirs is left. */
  async forget(epochs: readonly number[]): Promise<void> {
    await this.#sql.run("DELETE FROM tensile.process WHERE dead AND epoch = ANY($1::bigint[])", [epochs]);
  }

  /** A heartbeat from this thread, now, with all that follows of it. */
  async beat(): Promise<void> {
    const epoch = this.#epoch;
    const text = "SELECT alive, over FROM tensile.beat($1, $2)";
    const [row] = await this.#sql.run<{ alive: boolean; over: number[] }>(text, [epoch, this.#options.leaseMs]);
    if (row?.alive !== true && epoch === this.#epoch) this.#events.onLost(epoch);
    else if (row !== undefined && row.over.length > 0) this.#events.onOver(row.over.filter((one) => one !== epoch));
  }

  /** No heartbeat until `join`, or until it is asked for, as in a process that stands still. */
  hush(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  /** Gives up the epoch: what it still holds is for the others. */
  async leave(): Promise<void> {
    this.#left = true;
    this.hush();
    if (this.#epoch > 0) await this.#sql.run("UPDATE tensile.process SET dead = true WHERE epoch = $1", [this.#epoch]);
  }

  #start(): void {
    const { target, schema, pooled, leaseMs } = this.#options;
    const { password, ...plain } = target;
    const asks = password !== undefined;
    const options: BeatOptions = { target: plain, asks, schema, pooled, epoch: this.#epoch, leaseMs };
    const worker = new Worker(threadUrl(), { name: "tensile-heartbeat", workerData: options, execArgv: [] });
    worker.unref();
    worker.on("message", (message: FromBeat) => this.#hear(message, worker));
    worker.on("error", (error) => this.#events.onSilent(`the heartbeat ended: ${reasonOf(error)}`));
    worker.on("exit", () => {
      if (this.#left || this.#worker !== worker) return;
      this.#worker = undefined;
      this.#start();
    });
    this.#worker = worker;
  }

  #hear(message: FromBeat, worker: Worker): void {
    if (this.#left) return;
    if (message.kind === "silent") this.#events.onSilent(message.reason);
    else if (message.kind === "ask") void this.#answer(worker);
    else if (!message.alive && message.epoch === this.#epoch) this.#events.onLost(message.epoch);
    else if (message.over.length > 0) this.#events.onOver(message.over.filter((epoch) => epoch !== this.#epoch));
  }

  async #answer(worker: Worker): Promise<void> {
    try {
      const password = (await this.#options.target.password?.()) ?? "";
      worker.postMessage({ kind: "password", password } satisfies ToBeat);
    } catch (error) {
      this.#events.onSilent(`the password is not to be had: ${reasonOf(error)}`);
    }
  }
}

/** The thread beside this file: as source in development, as JavaScript once built. */
function threadUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./beat-thread.ts" : "./beat-thread.js", import.meta.url);
}
