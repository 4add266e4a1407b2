/**
 * A block whose transaction commits late: its number is smaller than those that were claimed meanwhile, and looks have passed it. It is found all the same, however many
 * looks there were and whatever other transactions did.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Connection } from "../src/postgres/connection.ts";
import type { Paths } from "../src/postgres/paths.ts";
import { giveBack, openDatabase, pathsOn } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

for (const kind of postgresKinds())
  describe(`late commits on PostgreSQL (${kind})`, () => {
    test("a block that is committed after many looks is claimed by the next one", async () => {
      const url = await openDatabase(kind);
      const connect = (): Connection =>
        new Connection({ target: { url }, name: "test late", schema: "tensile", pooled: false });
      const [sql, late] = [connect(), connect()];
      const [paths, latePaths] = [pathsOn(sql), pathsOn(late)];
      let claim = 0;
      const turn = async (): Promise<readonly string[]> => {
        const fence = { epoch: 1, claim: ++claim };
        const { claimed } = await paths.turn(fence, new Map([["a", 10]]), { called: true, stirred: true });
        return claimed.map(({ payload }) => payload);
      };
      const enqueue = (by: Paths, payload: string) =>
        by.enqueuePlain([{ name: "a", priority: 5, payload }], null, () => undefined);
      try {
        await sql.run(
          "INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false, until = 9e15::bigint",
        );
        await enqueue(latePaths, "first");
        assert.deepEqual(await turn(), ["first"]);
        for (const other of [false, true]) {
          await late.run("BEGIN");
          await enqueue(latePaths, "late");
          for (let look = 0; look < 4; look++) {
            if (other) await enqueue(paths, `other ${look}`);
            assert.deepEqual(await turn(), other ? [`other ${look}`] : []);
          }
          await late.run("COMMIT");
          assert.deepEqual(await turn(), ["late"]);
        }
      } finally {
        await late.close();
        await sql.close();
      }
      await giveBack(kind, url);
    });
  });
