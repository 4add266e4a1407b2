/**
 * What a database holds at one moment, through one read-only transaction: for `inspect` and `exportRecords`. It joins no fleet and migrates nothing, so it
 * looks into a store that apps are running on.
 */
import { Connection } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { postgresLimits as limits } from "./limits.ts";
import { requireMigrated } from "./migrations.ts";
import { Paths } from "./paths.ts";
import { Unreachable } from "./trouble.ts";

export interface MoveTarget {
  readonly target: PostgresConnection;
  readonly schema: string;
}

/** A connection that does not mend itself: what is done on it is one transaction, which a second connection knows nothing of. */
export class MoveConnection {
  readonly sql: Connection;
  #broken: string | undefined;

  constructor({ target, schema }: MoveTarget) {
    this.sql = new Connection({
      ...{ target, name: "tensile move", schema, pooled: true, statementMs: limits.moveMs },
      onBroken: (reason) => (this.#broken = reason),
    });
  }

  /** Throws where the connection was another one meanwhile. */
  check(): void {
    if (this.#broken !== undefined) throw new Unreachable(this.#broken);
  }

  close(): Promise<void> {
    return this.sql.close();
  }
}

export interface Snapshot {
  readonly paths: Paths;
  readonly connection: MoveConnection;
}

/** @throws Error where the database cannot be reached, or TypeError where its tables are none that this version reads. */
export async function takeSnapshot(at: MoveTarget): Promise<Snapshot> {
  const connection = new MoveConnection(at);
  const { sql } = connection;
  try {
    await requireMigrated(sql, at.schema);
    await sql.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // Before its snapshot is taken: what the counts add up is not emptied as long as this goes on.
    await sql.run("LOCK TABLE tensile.tally IN ACCESS SHARE MODE");
    return { connection, paths: pathsOn(sql) };
  } catch (thrown) {
    await connection.close();
    throw thrown;
  }
}

/** Both paths over one connection, so that all they read is of one transaction. */
export function pathsOn(sql: Connection): Paths {
  return new Paths({ work: sql, settling: sql, intake: sql, desk: sql }, undefined);
}
