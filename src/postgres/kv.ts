/**
 * Short-lived records in PostgreSQL, on a connection of their own: every verb is one statement, by the clock of the server. What they are for stands in
 * `src/kv/kv-store.ts`. The number of records is counted now and then, so it may be over its bound for a moment.
 */
import { err, Fault, ok } from "../core/index.ts";
import { checkRecord, roundingMs, type KvEntry, type KvResult, type KvSetOptions, type KvStore } from "../kv/index.ts";
import type { Sql } from "./connection.ts";
import { postgresLimits as limits } from "./limits.ts";
import { reasonOf } from "./trouble.ts";

export interface PostgresKvOptions {
  /** Records at most, give or take a thousand for each process. Default 1,000,000. */
  readonly maxEntries?: number;
}

const get = "SELECT value, version FROM tensile.kv WHERE key = $1 AND ends > tensile.now()";
const put = `INSERT INTO tensile.kv AS old
  SELECT $1::bytea, $2::bytea, nextval('tensile.kv_version'), ends, tensile.kv_minute(ends), $4::boolean
  FROM (SELECT tensile.now() + $3::float8 AS ends) AS new
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, ends = excluded.ends,
    minute = excluded.minute, pinned = excluded.pinned`;
const set = `${put} RETURNING version`;
const setAbsent = `${put} WHERE old.ends <= tensile.now() RETURNING version`;
const replace = `UPDATE tensile.kv AS old SET value = $2, version = nextval('tensile.kv_version'), ends = new.ends,
    minute = tensile.kv_minute(new.ends), pinned = $4
  FROM (SELECT tensile.now() + $3::float8 AS ends) AS new
  WHERE key = $1 AND version = $5 AND old.ends > tensile.now() RETURNING version`;
const remove = `DELETE FROM tensile.kv WHERE key = $1 AND ends > tensile.now() AND ($2::bigint IS NULL OR version = $2)
  RETURNING true AS deleted`;
const advance = "SELECT accepted, ahead FROM tensile.kv_advance($1, $2, $3, $4)";
const count = "SELECT count(*) AS n FROM tensile.kv";
const expire = `DELETE FROM tensile.kv WHERE key IN (
  SELECT key FROM tensile.kv WHERE minute < tensile.kv_minute(tensile.now()) ORDER BY minute LIMIT $1 FOR UPDATE SKIP LOCKED)`;
const evict = `DELETE FROM tensile.kv WHERE key IN (
  SELECT key FROM tensile.kv WHERE NOT pinned ORDER BY minute, ends LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING 1`;

export function postgresKv(connect: () => Promise<Sql>, options: PostgresKvOptions = {}): KvStore {
  const { maxEntries = limits.kvRecords } = options;
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1)
    throw new TypeError(`kv: maxEntries is a whole number of at least 1, not ${maxEntries}.`);
  const room = new Room(maxEntries);
  const run = async <T>(act: (sql: Sql) => Promise<T>): Promise<Awaited<KvResult<T>>> => {
    try {
      return ok(await act(await connect()));
    } catch (error) {
      return err(unavailable(reasonOf(error)));
    }
  };
  return {
    maxValueChars: limits.kvValueChars,
    get: (key) =>
      run(async (sql): Promise<KvEntry | undefined> => {
        const [row] = await sql.run<{ value: Buffer; version: number }>(get, [bytesOf(key)]);
        return row === undefined ? undefined : { value: row.value.toString(), version: row.version };
      }),
    async set(key, value, setOptions) {
      checkRecord(key, value, limits.kvValueChars);
      return run(async (sql) => {
        await room.make(sql);
        const [text, values] = statementOf(key, value, setOptions);
        const [row] = await sql.run<{ version: number }>(text, values);
        return row?.version;
      });
    },
    delete: (key, version) => run(async (sql) => (await sql.run(remove, [bytesOf(key), version])).length > 0),
    async advance(key, byMs, mostMs) {
      checkRecord(key, "", limits.kvValueChars);
      return run(async (sql) => {
        await room.make(sql);
        const values = [bytesOf(key), byMs, mostMs, roundingMs];
        const [row] = await sql.run<{ accepted: boolean; ahead: number }>(advance, values);
        return { accepted: row?.accepted === true, aheadMs: row?.ahead ?? 0 };
      });
    },
  };
}

function statementOf(
  key: string,
  value: string,
  { ttlMs, if: condition, pinned = false }: KvSetOptions,
): [string, (Buffer | number | boolean)[]] {
  const values = [bytesOf(key), bytesOf(value), ttlMs, pinned];
  if (condition === undefined) return [set, values];
  return condition === "absent" ? [setAbsent, values] : [replace, [...values, condition]];
}

/** Keeps the number of records within its bound: every so many writes it looks, removes what has ended, and drops what ends soonest. */
class Room {
  readonly #maxEntries: number;
  #writes = 0;
  #full: string | undefined;
  #making: Promise<void> | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  async make(sql: Sql): Promise<void> {
    const every = Math.min(limits.kvCountEvery, Math.max(1, Math.floor(this.#maxEntries / 10)));
    if (this.#writes++ % every === 0 || this.#full !== undefined)
      this.#making ??= this.#look(sql, every).finally(() => (this.#making = undefined));
    await this.#making;
    if (this.#full !== undefined) throw new Error(this.#full);
  }

  async #look(sql: Sql, every: number): Promise<void> {
    await sql.run(expire, [every * 2]);
    const [row] = await sql.run<{ n: number }>(count);
    const over = (row?.n ?? 0) + every - this.#maxEntries;
    const dropped = over > 0 ? (await sql.run(evict, [over])).length : 0;
    // Pinned ones stay: only what is really over is refused.
    const most = this.#maxEntries + dropped;
    this.#full = (row?.n ?? 0) >= most ? "it is full of records that must not be dropped" : undefined;
  }
}

/** PostgreSQL's text cannot hold every character. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

function unavailable(reason: string): Fault<"STORE_UNAVAILABLE", { readonly reason: string }> {
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, `The store cannot take work now: ${reason}.`);
}
