/**
 * The tables of this store, as numbered SQL texts that are only ever added to. Recorded with their hash; many processes may apply them at once: one
 * advisory lock, held for nothing else and by the transaction alone, makes them wait for each other.
 */
import { createHash } from "node:crypto";
import { blockMigrations } from "./blocks/index.ts";
import { inSchema, type Connection } from "./connection.ts";
import { rowMigrations } from "./rows/index.ts";
import { baseTables, fleetTables, neverCompiled } from "./tables.ts";

/** In this order, for ever. A text that was released is not changed: what comes later is a new text at the end. */
const migrations: readonly string[] = [baseTables, ...rowMigrations, fleetTables, ...blockMigrations, neverCompiled];

/**
 * Brings the schema up to date.
 * @throws Error when a migration that was applied has changed, or when the database is newer than this program.
 */
export async function migrate(connection: Connection, schema: string): Promise<void> {
  const known = await appliedTo(connection, schema);
  check(known);
  if (known.length === migrations.length) return;
  for (let number = 1; number <= migrations.length; number++) {
    const text = migrations[number - 1] ?? "";
    const hash = hashOf(text);
    await connection.together([
      { text: `SELECT pg_advisory_xact_lock(hashtextextended('tensile migration ${schema}', 0))` },
      { text: applyOne(schema, number, hash, text) },
    ]);
  }
  check(await appliedTo(connection, schema));
}

/** Throws a TypeError where the tables are not there, or are those of another version: nothing is changed here. */
export async function requireMigrated(connection: Connection, schema: string): Promise<void> {
  const known = await appliedTo(connection, schema);
  if (known.length === 0) throw new TypeError(`The database has no tables of Tensile in its schema "${schema}".`);
  check(known);
  if (known.length === migrations.length) return;
  throw new TypeError(
    `The database has ${known.length} migrations of Tensile, this program has ${migrations.length}. Run an app of this version on it once, or use the version that made them.`,
  );
}

interface Applied {
  readonly number: number;
  readonly hash: string;
}

async function appliedTo(connection: Connection, schema: string): Promise<readonly Applied[]> {
  const [there] = await connection.run<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
    `"${schema}".migration`,
  ]);
  if (there?.there !== true) return [];
  return connection.run<Applied>("SELECT number, hash FROM tensile.migration ORDER BY number");
}

function check(applied: readonly Applied[]): void {
  if (applied.length > migrations.length)
    throw new Error(
      `The database has ${applied.length} migrations of Tensile, this program knows ${migrations.length}. Run the newer program.`,
    );
  applied.forEach(({ number, hash }, index) => {
    if (hash !== hashOf(migrations[index] ?? ""))
      throw new Error(
        `Migration ${number} of Tensile was changed after it was applied. Run the program that applied it.`,
      );
  });
}

/** One block that looks whether the migration is there, since another process may have been first, and applies and records it if not. */
function applyOne(schema: string, number: number, hash: string, text: string): string {
  const body = inSchema(text, schema);
  return `DO $migrate$ BEGIN
CREATE SCHEMA IF NOT EXISTS "${schema}";
CREATE TABLE IF NOT EXISTS "${schema}".migration (number int PRIMARY KEY, hash text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
IF NOT EXISTS (SELECT FROM "${schema}".migration WHERE number = ${number}) THEN
EXECUTE $migration$${body}$migration$;
INSERT INTO "${schema}".migration (number, hash) VALUES (${number}, '${hash}');
END IF;
END $migrate$`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
