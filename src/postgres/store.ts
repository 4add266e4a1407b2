/**
 * `postgres(url)`: jobs, and short-lived records, in PostgreSQL. The tables are in a schema of their own, beside the application's, so that jobs can be
 * enqueued in the application's transactions.
 */
import { err, ok } from "../core/index.ts";
import { StoreUnavailable, type Store } from "../jobs/index.ts";
import type { KvStore } from "../kv/index.ts";
import { Connection } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { postgresKv, type PostgresKvOptions } from "./kv.ts";
import { migrate } from "./migrations.ts";
import { RowPath } from "./rows/index.ts";
import { Session } from "./session.ts";
import { reasonOf } from "./trouble.ts";

export interface PostgresOptions {
  /** Where the tables are; made when it is missing. Default `tensile`. */
  readonly schema?: string;
  /**
   * True where the address is that of a pooler in transaction mode (PgBouncer, a cloud's proxy): no statement is prepared there. Found out by itself
   * as well, after some statements have failed. Default false.
   */
  readonly pooled?: boolean;
}

export interface PostgresStore extends Store {
  readonly kind: "postgres";
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
  const { schema = "tensile", pooled = false } = options;
  checkSchema(schema);
  const connection = (name: string): Connection =>
    new Connection({ target: typeof target === "string" ? { url: target } : target, name, schema, pooled });
  let session: Session | undefined;
  return {
    kind: "postgres",
    async open(openOptions) {
      if (session !== undefined && !session.closing)
        throw new TypeError("This store is open already. Close its session before opening it again.");
      const own = connection("tensile jobs");
      try {
        await migrate(own, schema);
        const rows = new RowPath(own, openOptions.policy);
        const [life] = await own.run<{ epoch: number }>("SELECT nextval('tensile.epoch') AS epoch");
        const epoch = life?.epoch ?? 0;
        const dead = await own.run<{ epoch: number }>(
          "SELECT DISTINCT epoch FROM tensile.job WHERE state = 4 AND epoch < $1",
          [epoch],
        );
        await rows.rescue(
          dead.map((one) => one.epoch),
          openOptions.maxAttempts,
        );
        session = new Session(rows, openOptions, { epoch, end: () => own.close() });
        return ok(session);
      } catch (error) {
        await own.close();
        return err(StoreUnavailable({ reason: reasonOf(error) }));
      }
    },
    kv(kvOptions) {
      const own = connection("tensile kv");
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

function checkSchema(schema: string): void {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith("pg_"))
    throw new TypeError(
      `The schema "${schema}" is not a plain name: a letter, then letters, digits and _, at most 63.`,
    );
}
