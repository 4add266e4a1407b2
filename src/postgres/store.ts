/**
 * `postgres(url)`: jobs, and short-lived records, in PostgreSQL. The tables are in a schema of their own, beside the application's, so that jobs can be
 * enqueued in the application's transactions.
 */
import { err, ok } from "../core/index.ts";
import { StoreUnavailable, type EnqueueReceipt, type MovableStore, type NewJob } from "../jobs/index.ts";
import type { KvStore } from "../kv/index.ts";
import { Connection } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { postgresKv, type PostgresKvOptions } from "./kv.ts";
import { Life } from "./life.ts";
import { postgresLimits as limits } from "./limits.ts";
import { migrate } from "./migrations.ts";
import { importDatabase } from "./move-in.ts";
import { exportDatabase, inspectDatabase } from "./move-out.ts";
import type { Outbox } from "./outbox.ts";
import { Session } from "./session.ts";
import type { PostgresTransaction } from "./transaction.ts";
import { reasonOf } from "./trouble.ts";

export interface PostgresOptions {
  /** Where the tables are; made when it is missing. Default `tensile`. */
  readonly schema?: string;
  /**
   * True where the address is that of a pooler in transaction mode (PgBouncer, a cloud's proxy): no statement is prepared there. Found out by itself
   * as well, after some statements have failed. Default false.
   */
  readonly pooled?: boolean;
  /**
   * An address past the pooler, for the one connection that hears when other processes have enqueued (LISTEN). Without it a store behind a pooler polls.
   */
  readonly direct?: string | PostgresConnection;
  /**
   * Milliseconds, 1,000 to 600,000, after which a process that shows no sign of life has lost its jobs to the others. A blocked event loop shows signs of life: they come from
   * a thread of their own. Default 10,000.
   */
  readonly leaseMs?: number;
}

/** What a store reads of a job that `jobs.prepare` has checked. */
export interface PreparedRecord {
  readonly record: NewJob;
}

export interface PostgresStore extends MovableStore {
  readonly kind: "postgres";
  /**
   * Enqueues in a transaction of yours, together with your own writes: they are committed together, or neither. The store must be open, with `serve` or
   * `work`; the jobs run after your commit. In a transaction that stays open they hold up nobody, but for jobs with the same unique key.
   *
   * @param transaction `transactionOf` of your library's transaction.
   * @param jobs What `jobs.prepare` gave: one, or up to 100,000.
   * @returns One receipt for each, in order. They say nothing before your commit.
   * @throws Whatever your library throws, and an Error whose `cause` is QUEUE_FULL when too much waits: let it roll your transaction back.
   *
   * @example
   * import { transactionOf, type PgClient, type PostgresStore } from "tensile/postgres";
   * import type { PreparedJob } from "tensile";
   *
   * async function pay(store: PostgresStore, client: PgClient & { query(text: string): Promise<unknown> }, receipt: PreparedJob): Promise<void> {
   *   await client.query("BEGIN");
   *   try {
   *     await client.query("UPDATE invoice SET paid = true WHERE id = 7");
   *     await store.enqueue(transactionOf(client), receipt);
   *     await client.query("COMMIT");
   *   } catch (error) {
   *     await client.query("ROLLBACK");
   *     throw error;
   *   }
   * }
   */
  enqueue(
    transaction: PostgresTransaction,
    jobs: PreparedRecord | readonly PreparedRecord[],
  ): Promise<readonly EnqueueReceipt[]>;
  /**
   * Short-lived records in the same database: for sessions, rate limits and stored answers (`tensile/middleware`), shared by all processes. Needs no
   * open store, and has a connection of its own.
   */
  kv(options?: PostgresKvOptions): KvStore;
}

/**
 * A store of jobs in PostgreSQL 15 or later. Needs the package `pg`.
 *
 * @param target An address (`postgres://user@host/database`), or one with more said about it.
 *
 * @example
 * import { postgres } from "tensile/postgres";
 * const kv = postgres("postgres://app@localhost/app").kv();
 */
export function postgres(target: string | PostgresConnection, options: PostgresOptions = {}): PostgresStore {
  const { schema = "tensile", pooled = false, direct, leaseMs = limits.leaseMs } = options;
  checkSchema(schema);
  checkLease(leaseMs);
  // From the environment, say, where it is not set.
  if ((target as unknown) === undefined) checkAddress(undefined);
  const at = addressOf(target);
  let session: Session | undefined;
  let outbox: Outbox | undefined;
  return {
    kind: "postgres",
    async open(openOptions) {
      if (session !== undefined && !session.closing)
        throw new TypeError("This store is open already. Close its session before opening it again.");
      const life = new Life({ target: at, direct: addressOf(direct), schema, pooled, leaseMs }, openOptions);
      try {
        await life.begin();
        session = new Session(life, openOptions);
        outbox = life.outbox;
        return ok(session);
      } catch (error) {
        await life.end();
        return err(StoreUnavailable({ reason: reasonOf(error) }));
      }
    },
    inspect: () => inspectDatabase({ target: at, schema }),
    exportRecords: () => exportDatabase({ target: at, schema }),
    importRecords: (records, { merge = false } = {}) => importDatabase({ target: at, schema }, records, { merge }),
    async enqueue(transaction, jobs) {
      if (session === undefined || session.closing || outbox === undefined)
        throw new TypeError("This store is not open. Enqueue while the app that has it is served or worked.");
      const all = "record" in jobs ? [jobs] : jobs;
      return outbox.enqueue(
        transaction,
        all.map(({ record }) => record),
      );
    },
    kv(kvOptions) {
      const own = new Connection({ target: at, name: "tensile kv", schema, pooled });
      let ready: Promise<void> | undefined;
      return postgresKv(async () => {
        await (ready ??= migrate(own, schema).catch((error: unknown) => {
          ready = undefined;
          throw error;
        }));
        return own;
      }, kvOptions);
    },
  };
}

function addressOf<T extends string | PostgresConnection | undefined>(
  target: T,
): PostgresConnection | Extract<T, undefined> {
  const at = typeof target === "string" ? { url: target } : (target as PostgresConnection | Extract<T, undefined>);
  if (at !== undefined) checkAddress(at.url);
  return at;
}

/** What is wrong with it, without showing it: there may be a password in it. */
function checkAddress(url: unknown): void {
  // Without a host, `pg` takes the one of its environment variables.
  if (typeof url !== "string" || !/^(postgres|postgresql|socket):/.test(url))
    throw new TypeError("postgres() takes an address such as postgres://user:password@host:5432/database.");
  if (!URL.canParse(url.replace("@/", "@host/")))
    throw new TypeError(
      "The address given to postgres() is no URL. Write what is special in its user or password as encodeURIComponent does; a port is a number up to 65535.",
    );
}

function checkLease(leaseMs: number): void {
  if (!Number.isSafeInteger(leaseMs) || leaseMs < 1_000 || leaseMs > 600_000)
    throw new TypeError(`leaseMs is a whole number from 1,000 to 600,000, not ${leaseMs}.`);
}

function checkSchema(schema: string): void {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith("pg_"))
    throw new TypeError(
      `The schema "${schema}" is not a plain name: a letter, then letters, digits and _, at most 63.`,
    );
}
