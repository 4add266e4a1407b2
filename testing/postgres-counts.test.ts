/**
 * What waits and runs in PostgreSQL is added up from deltas that every commit appends, and folded meanwhile: exact at every moment, and small, also while a snapshot is held
 * or a transaction of a user is open.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pg from "pg";
import type { NewJob } from "../src/jobs/index.ts";
import { Connection } from "../src/postgres/connection.ts";
import { Paths } from "../src/postgres/paths.ts";
import { giveBack, openDatabase } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

const job = (more: Partial<NewJob> = {}): NewJob => ({ name: "a", priority: 5, payload: "{}", ...more });

async function withDatabase(
  kind: "machine" | "embedded",
  act: (paths: Paths, other: pg.Client) => Promise<void>,
): Promise<void> {
  const url = await openDatabase(kind);
  const connection = (): Connection =>
    new Connection({ target: { url }, name: "test counts", schema: "tensile", pooled: false });
  const connections = { work: connection(), settling: connection(), intake: connection(), desk: connection() };
  const paths = new Paths(connections, undefined);
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  try {
    await act(paths, other);
  } finally {
    await other.end();
    for (const one of Object.values(connections)) await one.close();
  }
  await giveBack(kind, url);
}

const sizeText = `SELECT sum(pg_relation_size(inhrelid))::int AS bytes FROM pg_inherits WHERE inhparent = 'tensile.tally'::regclass`;

for (const kind of postgresKinds())
  describe(`counts on PostgreSQL (${kind})`, () => {
    test("what is added up never goes astray while it is folded, and stays small under a held snapshot", () =>
      withDatabase(kind, async (paths, other) => {
        await other.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
        await other.query("SELECT 1");
        let enqueued = 0;
        let before = 0;
        for (let round = 0; round < 8; round++) {
          const enqueues = Promise.all(
            Array.from({ length: 300 }, () => paths.enqueuePlain([job()], null, () => undefined)),
          );
          for (let look = 0; look < 10; look++) {
            const [counted] = await Promise.all([paths.reads.unstarted(), paths.fold()]);
            assert.ok(counted >= before && counted <= enqueued + 300, `${before}, then ${counted}`);
            before = counted;
          }
          await enqueues;
          enqueued += 300;
          assert.equal(await paths.reads.unstarted(), enqueued);
        }
        await paths.fold();
        const { rows } = await other.query<{ bytes: number }>(sizeText);
        // 2,400 deltas would be 20 pages, and again as many with what a fold would delete.
        assert.ok((rows[0]?.bytes ?? NaN) <= 12 * 8_192, `${rows[0]?.bytes} bytes`);
      }));

    test("a transaction that stays open keeps its own partition from being folded, and no other", () =>
      withDatabase(kind, async (paths, other) => {
        await paths.enqueue([job({ key: "k" })], null);
        const { text, params } = await paths.enqueueStatement([job({ key: "k" })]);
        await other.query("BEGIN");
        await other.query(text, params as unknown[]);
        for (let round = 0; round < 12; round++) {
          await Promise.all(Array.from({ length: 300 }, () => paths.enqueuePlain([job()], null, () => undefined)));
          await paths.fold();
        }
        assert.equal(await paths.reads.unstarted(), 1 + 12 * 300);
        const { rows } = await other.query<{ bytes: number }>(sizeText);
        assert.ok((rows[0]?.bytes ?? NaN) <= 20 * 8_192, `${rows[0]?.bytes} bytes`);
        await other.query("COMMIT");
        await paths.fold();
        assert.equal(await paths.reads.unstarted(), 2 + 12 * 300);
      }));
  });
