/** Jobs in the caller's own transaction, with the real libraries on real servers: committed together with what the caller wrote, or not at all. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzleJs } from "drizzle-orm/postgres-js";
import { Kysely, PostgresDialect, sql as kyselySql } from "kysely";
import pg from "pg";
import postgresJs from "postgres";
import { systemClock } from "../src/core/index.ts";
import type { EnqueueReceipt, NewJob, StoreSession } from "../src/jobs/index.ts";
import { postgres, transactionOf, type PostgresStore, type PostgresTransaction } from "../src/postgres/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { emptyDatabase, openDatabase } from "./postgres-place.ts";
import { postgresKinds, type PostgresKind } from "./postgres-server.ts";

const keep = { ageMs: 3_600_000, count: 10_000 };
const openOptions = {
  clock: systemClock,
  retention: { succeeded: keep, failed: keep, cancelled: keep },
  maxWaiting: 10_000,
  maxAttempts: () => 3,
};
const record = (payload: string, more: Partial<NewJob> = {}): { readonly record: NewJob } => ({
  record: { name: "mail", priority: 5, payload, ...more },
});

/** Writes a row of the caller's in a transaction and lets `act` enqueue in it; commits when it resolves, else rolls back. */
interface Library {
  transact(note: string, act: (transaction: PostgresTransaction) => Promise<void>): Promise<void>;
  end(): Promise<void>;
}

const libraries: { readonly [name: string]: (url: string) => Library } = {
  pg(url) {
    const pool = new pg.Pool({ connectionString: url });
    return {
      async transact(note, act) {
        const client = await pool.connect();
        try {
          await client.query("BEGIN");
          await client.query("INSERT INTO written VALUES ($1)", [note]);
          await act(transactionOf(client));
          await client.query("COMMIT");
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        } finally {
          client.release();
        }
      },
      end: () => pool.end(),
    };
  },
  postgres(url) {
    const sql = postgresJs(url, { onnotice: () => undefined });
    return {
      async transact(note, act) {
        await sql.begin(async (tx) => {
          await tx`INSERT INTO written VALUES (${note})`;
          await act(transactionOf(tx));
        });
      },
      end: () => sql.end(),
    };
  },
  kysely(url) {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) });
    return {
      async transact(note, act) {
        await db.transaction().execute(async (trx) => {
          await kyselySql`INSERT INTO written VALUES (${note})`.execute(trx);
          await act(transactionOf(trx));
        });
      },
      end: () => db.destroy(),
    };
  },
  "drizzle on pg"(url) {
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzle(pool);
    return {
      async transact(note, act) {
        await db.transaction(async (tx) => {
          await tx.execute(drizzleSql`INSERT INTO written VALUES (${note})`);
          await act(transactionOf(tx));
        });
      },
      end: () => pool.end(),
    };
  },
  "drizzle on postgres"(url) {
    const sql = postgresJs(url, { onnotice: () => undefined });
    const db = drizzleJs(sql);
    return {
      async transact(note, act) {
        await db.transaction(async (tx) => {
          await tx.execute(drizzleSql`INSERT INTO written VALUES (${note})`);
          await act(transactionOf(tx));
        });
      },
      end: () => sql.end(),
    };
  },
};

/** An open store whose jobs all succeed, and the payloads that were run. */
class Runner {
  readonly store: PostgresStore;
  readonly ran: string[] = [];
  session!: StoreSession;

  constructor(url: string) {
    this.store = postgres(url);
  }

  async open(): Promise<this> {
    this.session = value(await this.store.open(openOptions));
    return this;
  }

  run(): void {
    const consumer = this.session.consume({
      names: ["mail"],
      onClaimed: (jobs) => {
        for (const job of jobs) this.ran.push(job.payload);
        void this.session.settle(jobs.map((job) => ({ job, to: "succeeded" as const })));
        consumer.grant("mail", jobs.length);
      },
      onCancelRequested: () => undefined,
      onTrouble: () => undefined,
    });
    consumer.grant("mail", 100);
  }

  async finished(receipts: readonly EnqueueReceipt[]): Promise<void> {
    for (const { id } of receipts) assert.equal(value(await this.session.finished(id))?.state, "succeeded");
  }
}

for (const kind of postgresKinds()) describe(`jobs in callers' transactions (${kind})`, () => transactionTests(kind));

function transactionTests(kind: PostgresKind): void {
  let url = "";
  let reader: pg.Client;
  let runner: Runner;
  before(async () => {
    url = await openDatabase(kind);
    reader = new pg.Client({ connectionString: url });
    await reader.connect();
    await reader.query("CREATE TABLE IF NOT EXISTS written (note text)");
    runner = await new Runner(url).open();
    runner.run();
  });
  after(async () => {
    await runner.session.close();
    await reader.end();
    await emptyDatabase(url);
  });
  const written = async (note: string): Promise<number> =>
    (await reader.query("SELECT FROM written WHERE note = $1", [note])).rows.length;

  for (const [name, make] of Object.entries(libraries)) {
    describe(name, () => libraryTests(name, () => make(url)));
  }

  function libraryTests(name: string, make: () => Library): void {
    let library: Library;
    before(() => (library = make()));
    after(() => library.end());

    test("committed: what was written is there, and the jobs run", async () => {
      let receipts: readonly EnqueueReceipt[] = [];
      const payloads = [`${name} "7" \u0000 ü`, `${name} two`];
      await library.transact(`${name} committed`, async (transaction) => {
        receipts = await runner.store.enqueue(
          transaction,
          payloads.map((payload) => record(payload)),
        );
        assert.equal(value(await runner.session.get(receipts[0]?.id ?? "")), undefined);
      });
      assert.equal(await written(`${name} committed`), 1);
      await runner.finished(receipts);
      assert.deepEqual(
        runner.ran.filter((payload) => payload.startsWith(name)),
        payloads,
      );
    });

    test("rolled back: neither is there", async () => {
      const before_ = runner.ran.length;
      let id = "";
      const thrown = library.transact(`${name} undone`, async (transaction) => {
        const [receipt] = await runner.store.enqueue(transaction, record("undone"));
        id = receipt?.id ?? "";
        throw new Error("no");
      });
      await assert.rejects(thrown, /no/);
      // A job after it has run, so this one would have.
      await runner.finished(value(await runner.session.enqueue([record("after").record])));
      assert.equal(await written(`${name} undone`), 0);
      assert.equal(value(await runner.session.get(id)), undefined);
      assert.deepEqual(runner.ran.slice(before_), ["after"]);
    });

    test("a unique key, a delay and a job to wait for are kept as they are elsewhere", async () => {
      let receipts: readonly EnqueueReceipt[] = [];
      const uniqueKey = `${name} key`;
      await library.transact(`${name} more`, async (transaction) => {
        receipts = await runner.store.enqueue(transaction, [
          record("first", { uniqueKey, delayMs: 50 }),
          record("again", { uniqueKey }),
          record("last", { after: { jobs: [0], on: "succeeded" } }),
        ]);
      });
      const [first, again, last] = receipts;
      assert.deepEqual([again?.id, again?.duplicate, first?.duplicate], [first?.id, true, false]);
      await runner.finished([first, last].filter((receipt) => receipt !== undefined));
      assert.deepEqual(runner.ran.slice(-2), ["first", "last"]);
    });

    test("a transaction that stays open holds up nobody, and its job runs when it commits", async () => {
      let held: readonly EnqueueReceipt[] = [];
      await library.transact(`${name} long`, async (transaction) => {
        held = await runner.store.enqueue(transaction, record("held"));
        // Blocks, rows, and another transaction; more than one look of the outbox, and a turn of the slots.
        for (let round = 0; round < 5; round++) {
          const others = [record("block").record, record("row", { key: "k" }).record];
          for (const other of others) await runner.finished(value(await runner.session.enqueue([other])));
          await wait(20);
        }
        value(await runner.session.prune());
        assert.ok(!runner.ran.includes("held"));
      });
      await runner.finished(held);
      assert.equal(runner.ran.splice(runner.ran.indexOf("held"), 1)[0], "held");
    });
  }

  test("another process runs what was enqueued by one that runs nothing itself", async () => {
    const sender = await new Runner(url).open();
    const library = libraries["pg"]?.(url);
    let receipts: readonly EnqueueReceipt[] = [];
    await library?.transact("sent", async (transaction) => {
      receipts = await sender.store.enqueue(transaction, record("sent"));
    });
    await sender.finished(receipts);
    assert.equal(runner.ran.at(-1), "sent");
    await library?.end();
    await sender.session.close();
  });

  test("what is no transaction is refused, and so is a store that is not open", async () => {
    const pool = new pg.Pool({ connectionString: url });
    const sql = postgresJs(url);
    const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
    for (const wrong of [pool, sql, kysely, drizzle(pool)])
      assert.throws(() => transactionOf(wrong as unknown as pg.Client), /is no transaction/);
    await sql.end();
    await kysely.destroy();
    const never = { run: () => Promise.reject(new Error("asked")) };
    await assert.rejects(postgres(url).enqueue(never, record("x")), /not open/);
    await assert.rejects(runner.store.enqueue(never, record("x")), /asked/);
    await assert.rejects(runner.store.enqueue(never, record("x", { priority: 12 })), TypeError);
  });

  test("over the bound of waiting jobs the call rejects with QUEUE_FULL, so that the transaction is rolled back", async () => {
    const full = postgres(url);
    const session = value(await full.open({ ...openOptions, maxWaiting: 1 }));
    const never = { run: () => Promise.reject(new Error("asked")) };
    await assert.rejects(full.enqueue(never, [record("a"), record("b")]), (error: Error) => {
      assert.equal((error.cause as { code: string }).code, "QUEUE_FULL");
      return true;
    });
    await session.close();
  });
}
