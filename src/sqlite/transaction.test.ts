import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../core/index.ts";
import type { StoreSession } from "../jobs/index.ts";
import { sqlite, sqliteLimits, type SqliteOptions, type SqliteStore } from "./index.ts";
import { inFolder } from "../../tools/test-folder.ts";

const kept = { ageMs: 86_400_000, count: 1_000 };
const open = {
  clock: systemClock,
  retention: { succeeded: kept, failed: kept, cancelled: kept },
  maxWaiting: 10_000,
  maxAttempts: () => 3,
};
const cities = "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes BLOB)";
const job = { name: "import", priority: 5, payload: "{}" };

async function opened(store: SqliteStore): Promise<StoreSession> {
  const result = await store.open(open);
  assert.ok(result.ok, result.ok ? "" : String(result.fault));
  return result.value;
}

function withStore(
  options: SqliteOptions,
  run: (store: SqliteStore, session: StoreSession) => Promise<void>,
): () => Promise<void> {
  return () =>
    inFolder(async (path) => {
      const store = sqlite(path, options);
      const session = await opened(store);
      try {
        await run(store, session);
      } finally {
        await session.close();
      }
    });
}

test(
  "rows and jobs of a transaction are committed together",
  withStore({ migrations: [cities] }, async (store, session) => {
    const result = await store.transaction((tx) => {
      tx.run("INSERT INTO city (name) VALUES (?)", ["Bern"]);
      tx.enqueue(job);
      tx.runMany("INSERT INTO city (name, bytes) VALUES (?, ?)", [
        ["Rome", new Uint8Array([1, 0, 2])],
        ["Oslo", null],
      ]);
    });
    assert.ok(result.ok);
    assert.deepEqual(result.value.statements, [
      { changes: 1, lastInsertRowid: 1 },
      { changes: 2, lastInsertRowid: 3 },
    ]);
    assert.equal(result.value.jobs[0]?.duplicate, false);
    const reader = store.reader();
    assert.deepEqual(
      reader
        .prepare("SELECT name FROM city ORDER BY id")
        .all()
        .map((row) => row["name"]),
      ["Bern", "Rome", "Oslo"],
    );
    assert.throws(() => reader.exec("DELETE FROM city"), /readonly/);
    reader.close();
    const record = await session.get(result.value.jobs[0]?.id ?? "");
    assert.ok(record.ok && record.value?.state === "ready");
  }),
);

test(
  "a transaction that breaks a constraint keeps nothing, names the constraint, and hurts no other",
  withStore({ migrations: [cities] }, async (store, session) => {
    const insert = (name: string) =>
      store.transaction((tx) => {
        tx.enqueue({ ...job, uniqueKey: name });
        tx.run("INSERT INTO city (name) VALUES (?)", [name]);
      });
    const [one, two, three, plain] = await Promise.all([
      insert("Bern"),
      insert("Bern"),
      insert("Rome"),
      session.enqueue([job]),
    ]);
    assert.ok(one.ok && three.ok && plain.ok);
    assert.ok(!two.ok && two.fault.code === "SQL_REJECTED");
    assert.equal(two.fault.kind, "conflict");
    assert.equal(two.fault.data.constraint, "city.name");
    const counts = await session.counts();
    assert.ok(counts.ok && counts.value.ready === 3);
  }),
);

test(
  "a constraint that is checked at the commit rejects its own transaction only",
  withStore(
    {
      migrations: [`${cities}; CREATE TABLE street (city INTEGER REFERENCES city (id) DEFERRABLE INITIALLY DEFERRED)`],
    },
    async (store, session) => {
      const street = (city: number) =>
        store.transaction((tx) => {
          tx.run("INSERT INTO street VALUES (?)", [city]);
          tx.run("INSERT INTO city (id, name) VALUES (?, ?)", [city === 99 ? 1 : city, `city ${city}`]);
          tx.enqueue(job);
        });
      const [good, bad, plain, better] = await Promise.all([
        street(7),
        street(99),
        session.enqueue([job, job]),
        street(8),
      ]);
      assert.ok(good.ok && better.ok && plain.ok);
      assert.ok(!bad.ok && bad.fault.code === "SQL_REJECTED" && /FOREIGN KEY/.test(bad.fault.data.reason));
      const counts = await session.counts();
      assert.ok(counts.ok && counts.value.ready === 4);
    },
  ),
);

test(
  "what would break the store is refused",
  withStore({ migrations: [cities] }, async (store, session) => {
    const refused = [
      "COMMIT",
      "BEGIN",
      "ROLLBACK",
      "SAVEPOINT x",
      "PRAGMA synchronous = OFF",
      "ATTACH ':memory:' AS other",
      "DELETE FROM tensile_block",
      "INSERT INTO tensile_meta VALUES ('x', 1)",
      "UPDATE tensile_parked SET state = 1",
      "DROP TABLE tensile_block",
      "ALTER TABLE tensile_block RENAME TO x",
      "CREATE TABLE tensile_mine (x)",
      "CREATE TRIGGER t AFTER INSERT ON tensile_block BEGIN DELETE FROM city; END",
      "nonsense",
      "SELECT 1; SELECT 2",
    ];
    for (const sql of refused) {
      const result = await store.transaction((tx) => tx.run(sql));
      assert.ok(!result.ok && result.fault.code === "SQL_REJECTED", sql);
    }
    assert.ok(
      (await store.transaction((tx) => tx.run("INSERT INTO city (name) SELECT 'jobs ' || count(*) FROM tensile_block")))
        .ok,
    );
    assert.ok((await session.enqueue([job])).ok);
  }),
);

test(
  "a value that SQLite cannot take rejects the transaction",
  withStore({ migrations: [cities] }, async (store) => {
    const result = await store.transaction((tx) => tx.run("INSERT INTO city (name) VALUES (?)", [{} as string]));
    assert.ok(!result.ok && result.fault.code === "SQL_REJECTED");
  }),
);

test(
  "ten thousand rows in one transaction",
  withStore({ migrations: [cities] }, async (store) => {
    const rows = Array.from({ length: 10_000 }, (_, index) => [index, `city ${index}`]);
    const result = await store.transaction((tx) => tx.runMany("INSERT INTO city (id, name) VALUES (?, ?)", rows));
    assert.ok(result.ok && result.value.statements[0]?.changes === 10_000);
    const many = Array.from({ length: 100_001 }, () => []);
    await assert.rejects(
      store.transaction((tx) => tx.runMany("SELECT 1", many)),
      TypeError,
    );
  }),
);

test("migrations are applied once and in order, at the end more may come, and a changed one is refused", () =>
  inFolder(async (path) => {
    const second =
      "ALTER TABLE city ADD COLUMN population INTEGER; INSERT INTO city (name, population) VALUES ('Bern', 1)";
    await (await opened(sqlite(path, { migrations: [cities] }))).close();
    for (let time = 0; time < 2; time++) {
      const store = sqlite(path, { migrations: [cities, second] });
      const session = await opened(store);
      const reader = store.reader();
      assert.deepEqual(
        { ...reader.prepare("SELECT count(*) AS n, sum(population) AS p FROM city").get() },
        { n: 1, p: 1 },
      );
      reader.close();
      await session.close();
    }
    const message = async (migrations: string[]): Promise<string> => {
      const result = await sqlite(path, { migrations })
        .open(open)
        .catch((thrown: unknown) => thrown);
      assert.ok(result instanceof Error || (result as { ok: boolean }).ok === false);
      return result instanceof Error ? result.message : String((result as { fault: unknown }).fault);
    };
    assert.match(await message([`${cities} `, second]), /migration 1 was changed/);
    assert.match(await message([cities]), /has 2 migrations, this program knows 1/);
    assert.match(await message([cities, second, "CREATE TABLE city (id)"]), /migration 3 failed: .*already exists/);
    assert.match(await message([cities, second, "DELETE FROM tensile_meta"]), /migration 3 failed: .*not authorized/);
    await (await opened(sqlite(path, { migrations: [cities, second] }))).close();
  }));

test("transactions and readers need a store that is open, and a file", async () => {
  const store = sqlite(":memory:");
  await assert.rejects(
    store.transaction(() => undefined),
    TypeError,
  );
  assert.throws(() => store.reader(), TypeError);
  const session = await opened(store);
  await assert.rejects(store.open(open), TypeError);
  assert.ok((await session.enqueue([job])).ok);
  await session.close();
});

test(
  "reads that nobody waits for in turn are refused with a fault, and are taken again when some are done",
  withStore({}, async (_store, session) => {
    const asked = Array.from({ length: sqliteLimits.operations + 5 }, () => session.get("1"));
    const answers = await Promise.all(asked);
    const refused = answers.filter((answer) => !answer.ok);
    assert.equal(refused.length, 5);
    for (const answer of refused) assert.equal(answer.fault.code, "QUEUE_FULL");
    assert.ok((await session.get("1")).ok);
  }),
);
