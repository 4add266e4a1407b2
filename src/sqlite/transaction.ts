/**
 * Application statements inside the group commit: each transaction in a savepoint of its own, so that one that fails hurts no other.
 * What would break the store is refused when the statement is prepared: transaction control, pragmas, attached files, the store's own tables.
 */
import { constants, type DatabaseSync, type StatementSync } from "node:sqlite";
import { createHash } from "node:crypto";
import { sqliteLimits as limits } from "./limits.ts";
import type { SqlChanges, SqlStep } from "./protocol.ts";

const writes: ReadonlySet<number> = new Set([
  constants.SQLITE_INSERT,
  constants.SQLITE_UPDATE,
  constants.SQLITE_DELETE,
  constants.SQLITE_DROP_TABLE,
  constants.SQLITE_ALTER_TABLE,
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_DROP_INDEX,
  constants.SQLITE_CREATE_TRIGGER,
  constants.SQLITE_CREATE_TABLE,
]);
const control: ReadonlySet<number> = new Set([
  constants.SQLITE_TRANSACTION,
  constants.SQLITE_SAVEPOINT,
  constants.SQLITE_ATTACH,
  constants.SQLITE_DETACH,
  constants.SQLITE_PRAGMA,
]);

/** Statements of the application on the writer's connection. */
export class ApplicationSql {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  #guarded = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
    // Set once: setting it again would make SQLite prepare every statement again.
    db.setAuthorizer((action, first, second) => {
      if (!this.#guarded) return constants.SQLITE_OK;
      if (control.has(action)) return constants.SQLITE_DENY;
      const own = first?.startsWith("tensile_") === true || second?.startsWith("tensile_") === true;
      return own && writes.has(action) ? constants.SQLITE_DENY : constants.SQLITE_OK;
    });
  }

  /** Runs what is not kept as a statement: migrations. */
  exec(sql: string): void {
    this.#guard(() => this.#db.exec(sql));
  }

  run(step: SqlStep): SqlChanges {
    const statement = this.#prepare(step.sql);
    let changes = 0;
    let lastInsertRowid = 0;
    for (const row of step.rows) {
      const result = statement.run(...row);
      changes += Number(result.changes);
      lastInsertRowid = Number(result.lastInsertRowid);
    }
    return { changes, lastInsertRowid };
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) {
      this.#prepared.delete(sql);
      this.#prepared.set(sql, known);
      return known;
    }
    const statement = this.#guard(() => this.#db.prepare(sql));
    // SQLite would prepare the first statement and pass over the rest in silence.
    if (hasMore(sql.slice(statement.sourceSQL.length))) {
      throw new Error("a step of a transaction is one statement; give each statement a run() of its own");
    }
    if (this.#prepared.size >= limits.preparedStatements) {
      const oldest = this.#prepared.keys().next();
      if (!oldest.done) this.#prepared.delete(oldest.value);
    }
    this.#prepared.set(sql, statement);
    return statement;
  }

  #guard<T>(act: () => T): T {
    this.#guarded = true;
    try {
      return act();
    } finally {
      this.#guarded = false;
    }
  }
}

/** Whether anything but space, semicolons and comments is left. */
function hasMore(rest: string): boolean {
  return rest.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, "").replaceAll(/[\s;]/g, "") !== "";
}

/**
 * Applies the migrations that the file has not seen, each in a transaction of its own.
 * @throws Error when an applied one has changed or is missing, or when one fails.
 */
export function migrate(db: DatabaseSync, sql: ApplicationSql, migrations: readonly string[], now: number): void {
  const applied = db.prepare("SELECT number, hash FROM tensile_migration ORDER BY number").all() as {
    number: number;
    hash: string;
  }[];
  if (applied.length > migrations.length) {
    throw new Error(
      `it has ${applied.length} migrations, this program knows ${migrations.length}; run the newer program`,
    );
  }
  migrations.forEach((text, index) => {
    const number = index + 1;
    const hash = createHash("sha256").update(text).digest("hex");
    const before = applied[index];
    if (before !== undefined) {
      if (before.hash !== hash)
        throw new Error(
          `migration ${number} was changed after it was applied; undo the change and add a new migration at the end`,
        );
      return;
    }
    db.exec("BEGIN IMMEDIATE");
    try {
      sql.exec(text);
      db.prepare("INSERT INTO tensile_migration VALUES (?, ?, ?)").run(number, hash, now);
      db.exec("COMMIT");
    } catch (thrown) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw new Error(`migration ${number} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
        cause: thrown,
      });
    }
  });
}
