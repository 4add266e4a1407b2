/**
 * The caller's own transaction, as four libraries have it: whatever runs a text with values. Every value is text, since drivers differ in how they send
 * numbers, bytes and arrays, and agree on text.
 */
export interface PostgresTransaction {
  /** Runs one statement in the transaction and gives its rows. `$1` is the first value. */
  run(text: string, values: readonly (string | null)[]): Promise<readonly unknown[]>;
}

/** `pg`: a client, checked out of a pool where there is one, after its BEGIN. */
export interface PgClient {
  query(text: string, values: (string | null)[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** `postgres`: what `sql.begin` hands over, or a reserved connection after its BEGIN. */
export interface PostgresJsSql {
  unsafe(text: string, values: (string | null)[]): PromiseLike<readonly unknown[]>;
}

/** Kysely: what `db.transaction().execute` hands over, or a controlled transaction. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(query: never): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Drizzle: what `db.transaction` hands over, on `pg` or on `postgres`. */
export interface DrizzleTransaction {
  rollback(): never;
  execute(query: string): PromiseLike<unknown>;
}

export type TransactionClient = PgClient | PostgresJsSql | KyselyTransaction | DrizzleTransaction;

/**
 * The transaction of `pg`, `postgres` (postgres.js), Kysely or Drizzle, for `enqueue` of a PostgreSQL store. Another library needs an object with `run`.
 *
 * @throws TypeError for a pool or a database object, whose statements would commit by themselves.
 *
 * @example
 * import { postgres, transactionOf, type PgClient } from "tensile/postgres";
 * import type { PreparedJob } from "tensile";
 *
 * const store = postgres("postgres://app@localhost/app");
 * async function order(client: PgClient, mail: PreparedJob): Promise<void> {
 *   await store.enqueue(transactionOf(client), mail);
 * }
 */
export function transactionOf(client: TransactionClient): PostgresTransaction {
  const has = (name: string): boolean => name in client && Reflect.get(client, name) !== undefined;
  if (isKysely(client)) {
    if (!client.isTransaction) throw outside("Kysely's db", "db.transaction().execute");
    return kysely(client);
  }
  if (has("unsafe")) {
    if (!has("savepoint") && !has("release")) throw outside("sql", "sql.begin");
    const sql = client as PostgresJsSql;
    return { run: async (text, values) => sql.unsafe(text, [...values]) };
  }
  if (has("execute")) {
    if (!has("rollback")) throw outside("Drizzle's db", "db.transaction");
    return drizzle(client as DrizzleTransaction);
  }
  if (has("totalCount")) throw outside("A pool", "pool.connect, after its BEGIN");
  const own = client as PgClient;
  return { run: async (text, values) => (await own.query(text, [...values])).rows };
}

function outside(what: string, where: string): TypeError {
  return new TypeError(
    `${what} is no transaction: a job enqueued there would be committed by itself. Pass what you get from ${where}.`,
  );
}

function isKysely(client: TransactionClient): client is KyselyTransaction {
  return "executeQuery" in client;
}

/** What `CompiledQuery.raw` of Kysely makes, without asking for the library. */
function kysely(transaction: KyselyTransaction): PostgresTransaction {
  let count = 0;
  return {
    async run(sql, parameters) {
      const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] };
      const compiled = { sql, parameters, query, queryId: { queryId: `tensile-${++count}` } };
      return (await transaction.executeQuery(compiled as never)).rows;
    },
  };
}

/** `execute` asks what it is given for its text and values (`SQLWrapper`): this gives them without asking for the library. */
function drizzle(transaction: DrizzleTransaction): PostgresTransaction {
  return {
    async run(sql, params) {
      const made = { toQuery: () => ({ sql, params: [...params] }) };
      const wrapper: unknown = { getSQL: () => made };
      const answer = await transaction.execute(wrapper as string);
      return Array.isArray(answer) ? (answer as unknown[]) : (answer as { readonly rows: readonly unknown[] }).rows;
    },
  };
}
