/**
 * A block whose transaction commits late: its number is smaller than those that were claimed meanwhile, and looks have passed it. It is found all the same, however many
 * looks there were and whatever other transactions did.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pg from "pg";
import { Connection } from "../src/postgres/connection.ts";
import { Paths } from "../src/postgres/paths.ts";
import { giveBack, openDatabase } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

for (const kind of postgresKinds())
  describe(`late commits on PostgreSQL (${kind})`, () => {
    test("a block that is committed after many looks is claimed by the next one", async () => {
      const url = await openDatabase(kind);
      const sql = new Connection({ target: { url }, name: "test late", schema: "tensile", pooled: false });
      const paths = new Paths({ work: sql, settling: sql, intake: sql, desk: sql }, undefined);
      const late = new pg.Client({ connectionString: url });
      await late.connect();
      await late.query(
        "INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false, until = 9e15::bigint",
      );
      let claim = 0;
      const turn = async (): Promise<readonly string[]> => {
        const fence = { epoch: 1, claim: ++claim };
        const { claimed } = await paths.turn(fence, new Map([["a", 10]]), { called: true, stirred: true });
        return claimed.map(({ payload }) => payload);
      };
      const enqueue = (payload: string) =>
        paths.enqueuePlain([{ name: "a", priority: 5, payload }], null, () => undefined);
      try {
        await enqueue("first");
        assert.deepEqual(await turn(), ["first"]);
        for (const other of [false, true]) {
          const { rows } = await late.query<{ id: number }>("SELECT id FROM tensile.name WHERE name = 'a'");
          await late.query("BEGIN");
          await late.query("SELECT tensile.blocks_enqueue(ARRAY[$1::int * 10 + 5], ARRAY[1], 'late', '', NULL, 1, 0)", [
            rows[0]?.id,
          ]);
          for (let look = 0; look < 4; look++) {
            if (other) await enqueue(`other ${look}`);
            assert.deepEqual(await turn(), other ? [`other ${look}`] : []);
          }
          await late.query("COMMIT");
          assert.deepEqual(await turn(), ["late"]);
        }
      } finally {
        await late.end();
        await sql.close();
      }
      await giveBack(kind, url);
    });
  });
