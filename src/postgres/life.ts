/**
 * The life of an open store among the others: its connections, its epoch, its lease, and what it does for those that are gone. When it finds its own lease
 * gone, it takes a new epoch and goes on.
 */
import type { JobId, StoreOpenOptions } from "../jobs/index.ts";
import { Connection } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { Fleet } from "./fleet.ts";
import { channelOf, Hearing } from "./hearing.ts";
import { postgresLimits as limits } from "./limits.ts";
import { migrate } from "./migrations.ts";
import { Outbox } from "./outbox.ts";
import { Paths } from "./paths.ts";
import { StoreClock } from "./store-clock.ts";
import { reasonOf } from "./trouble.ts";

export interface LifeOptions {
  readonly target: PostgresConnection;
  /** Where notifications are heard, when `target` is a pooler. */
  readonly direct: PostgresConnection | undefined;
  readonly schema: string;
  readonly pooled: boolean;
  readonly leaseMs?: number;
}

export interface LifeEvents {
  /** There may be work. */
  readonly onCall: () => void;
  /** The lease is over: nothing more may begin of what was claimed under it. */
  readonly onOver: () => void;
  /** What this process ran is not its own any more; there is a new epoch, if the server answers. */
  readonly onLost: () => void;
  /** These jobs ended with the processes that ran them. */
  readonly onEnded: (ids: readonly JobId[]) => void;
  readonly onTrouble: (reason: string) => void;
}

export class Life {
  readonly paths: Paths;
  readonly fleet: Fleet;
  /** What times of jobs are by. */
  readonly clock: StoreClock;
  /** For jobs in callers' transactions. */
  readonly outbox: Outbox;
  readonly #options: LifeOptions;
  readonly #open: StoreOpenOptions;
  readonly #work: Connection;
  readonly #settling: Connection;
  readonly #intake: Connection;
  readonly #desk: Connection;
  readonly #hearing: Hearing;
  #events: LifeEvents | undefined;
  #rescuing = false;

  constructor(options: LifeOptions, open: StoreOpenOptions) {
    const { target, direct, schema, pooled, leaseMs = limits.leaseMs } = options;
    const connection = (name: string): Connection => new Connection({ target, name, schema, pooled });
    this.#options = options;
    this.#open = open;
    this.clock = new StoreClock(open.clock);
    this.#work = connection("tensile work");
    this.#settling = connection("tensile settle");
    this.#intake = connection("tensile enqueue");
    this.#desk = connection("tensile desk");
    const connections = { work: this.#work, settling: this.#settling, intake: this.#intake, desk: this.#desk };
    this.paths = new Paths(connections, open.policy, open.maxAttempts, () => open.clock.monotonic());
    this.outbox = new Outbox(this.paths, schema, open, () => {
      this.#events?.onCall();
      this.call();
    });
    this.fleet = new Fleet(
      this.#desk,
      { target, schema, pooled, leaseMs },
      {
        onLost: () => void this.#lost(),
        onOver: (epochs) => void this.#rescue(epochs, true),
        onSilent: (reason) => this.#events?.onTrouble(reason),
      },
    );
    const listening = { target: direct ?? target, name: "tensile listen", schema, pooled };
    this.#hearing = new Hearing(listening, open.clock, { onCall: () => this.#events?.onCall() });
  }

  /** Migrates, joins the fleet, and takes over what those left that are gone. */
  async begin(): Promise<void> {
    await migrate(this.#desk, this.#options.schema);
    await this.clock.look(() => this.paths.now());
    await this.fleet.join();
    await this.#rescue(await this.fleet.dead(), false);
    this.#hearing.start();
  }

  /** Who hears of it from now on. */
  set events(events: LifeEvents) {
    this.#events = events;
  }

  /** The epoch under which this process claims. */
  get epoch(): number {
    return this.fleet.epoch;
  }

  /** Whether other processes' calls are heard. */
  get hears(): boolean {
    return this.#hearing.works;
  }

  /** While it is consumed, the store keeps the process alive. */
  hold(alive: boolean): void {
    this.#work.hold(alive);
  }

  /** Calls the other processes. One that is lost is made good by their poll. */
  call(): void {
    const { word } = this.#hearing;
    // A call that a crash of the server loses is no loss, so its commit waits for no disk: the next enqueue is behind it on the same connection.
    const text = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
    void this.#intake.run(text, [channelOf(this.#options.schema), word]).catch(() => undefined);
  }

  /** Gives up ownership: whatever is still claimed is rescued by whoever comes next. */
  async end(): Promise<void> {
    this.outbox.close();
    await this.fleet.leave().catch(() => undefined);
    const parts = [this.#work, this.#settling, this.#intake, this.#desk, this.#hearing];
    await Promise.all(parts.map((part) => part.close()));
  }

  async #lost(): Promise<void> {
    this.paths.lose(this.epoch);
    this.#events?.onOver();
    try {
      await this.fleet.join();
    } catch (error) {
      // The next heartbeat says it again.
      this.#events?.onTrouble(reasonOf(error));
    }
    this.#events?.onLost();
  }

  async #rescue(epochs: readonly number[], declare: boolean): Promise<void> {
    if (this.#rescuing || epochs.length === 0) return;
    this.#rescuing = true;
    try {
      const dead = declare ? await this.fleet.declareDead(epochs) : epochs;
      if (dead.length === 0) return;
      const { crashed, ended } = await this.paths.rescue(dead, this.#open.maxAttempts);
      await this.fleet.forget(dead);
      this.#events?.onEnded(ended);
      if (crashed.length > 0) this.#open.onCrashed?.(crashed);
      this.#events?.onCall();
    } catch (error) {
      if (!declare) throw error;
      this.#events?.onTrouble(reasonOf(error));
    } finally {
      this.#rescuing = false;
    }
  }
}
