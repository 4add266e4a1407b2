/**
 * A PostgreSQL database for each test of the stores' suites, whose time is that of the test's manual clock. Making the tables takes longer than most
 * tests, so a database is emptied and used again.
 */
import { after, before } from "node:test";
import pg from "pg";
import { systemClock, type ManualClock } from "../src/core/index.ts";
import type { JobPolicy } from "../src/jobs/index.ts";
import type { Connection } from "../src/postgres/connection.ts";
import { postgres } from "../src/postgres/index.ts";
import { Paths } from "../src/postgres/paths.ts";
import type { StorePlace } from "../src/testing/index.ts";
import { DatabaseClock } from "./postgres-clock.ts";
import { postgresServer, type PostgresKind } from "./postgres-server.ts";

const free = new Map<PostgresKind, string[]>();

export async function postgresPlace(kind: PostgresKind): Promise<StorePlace> {
  const url = await openDatabase(kind);
  let time: Promise<DatabaseClock> | undefined;
  return {
    store() {
      const store = postgres(url);
      return {
        ...store,
        async open(options) {
          time ??= DatabaseClock.install(url, options.clock.now()).then((made) => {
            made.follow(options.clock as ManualClock);
            return made;
          });
          await time;
          return store.open(options);
        },
      };
    },
    async remove() {
      await (await time)?.close();
      await giveBack(kind, url);
    },
  };
}

/** A database with the tables of the store and nothing in them. */
export async function openDatabase(kind: PostgresKind): Promise<string> {
  const known = free.get(kind)?.pop();
  if (known !== undefined) return known;
  const server = await postgresServer(kind);
  const url = await server.database();
  const keep = { ageMs: 0, count: 0 };
  const retention = { succeeded: keep, failed: keep, cancelled: keep };
  const opened = await postgres(url).open({ clock: systemClock, retention, maxWaiting: 1, maxAttempts: () => 1 });
  if (!opened.ok) throw new Error(String(opened.fault));
  await opened.value.close();
  return url;
}

/** Both ways of jobs over one connection: a statement of any kind waits for those before it. */
export function pathsOn(one: Connection, policy?: (name: string) => JobPolicy | undefined): Paths {
  return new Paths({ work: one, settling: one, intake: one, desk: one }, policy);
}

/** For the tests of the suite that asks: a database, and a connection that looks into it. Both are there when the first of them begins. */
export function watchedDatabase(kind: PostgresKind): { url: string; watch: pg.Client } {
  const database = { url: "", watch: new pg.Client() };
  before(async () => {
    database.url = await openDatabase(kind);
    database.watch = new pg.Client({ connectionString: database.url });
    await database.watch.connect();
  });
  after(() => database.watch.end());
  return database;
}

/** A database of `openDatabase` that the next test may have. */
export async function giveBack(kind: PostgresKind, url: string): Promise<void> {
  await emptyDatabase(url);
  free.set(kind, [...(free.get(kind) ?? []), url]);
}

/** As it was after its migrations, but for what tells the time. */
export async function emptyDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'tensile' AND tablename NOT IN ('migration', 'shelf', 'block_shelf') AND tablename NOT LIKE 'history\\_%' LOOP
      EXECUTE format('DELETE FROM tensile.%I', name);
    END LOOP;
    DELETE FROM tensile.tally;
    UPDATE tensile.block_shelf SET slot = 0, opened_at = 0, floor_id = 0, floor_skip = 0;
    UPDATE tensile.shelf SET slot = CASE state WHEN 10 THEN 0 WHEN 11 THEN 8 ELSE 12 END, floor = 0, opened = 0, opened_at = 0;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'tensile' LOOP
      EXECUTE format('ALTER SEQUENCE tensile.%I RESTART', name);
    END LOOP;
  END $$`);
  await client.end();
}
