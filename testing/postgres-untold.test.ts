/** A batch of settlements goes two ways, each a commit of its own: what one of them has committed is settled, whatever becomes of the other. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ClaimedJob, Settlement } from "../src/jobs/index.ts";
import { Connection, type SqlParameter } from "../src/postgres/connection.ts";
import { giveBack, openDatabase, pathsOn } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

/** Refuses one statement with this in its text, as a server whose disk is full does. */
class FullDisk extends Connection {
  refused: string | undefined;

  override run<Row>(text: string, values?: readonly SqlParameter[]): Promise<readonly Row[]> {
    if (this.refused === undefined || !text.includes(this.refused)) return super.run(text, values);
    this.refused = undefined;
    return Promise.reject(Object.assign(new Error("No space left on device"), { code: "53100" }));
  }
}

for (const kind of postgresKinds())
  describe(`a settlement of which a part is refused (${kind})`, () => {
    for (const refused of ["blocks_settle", "blocks_take_out", "rows_settle"])
      test(`what is committed is settled when it is offered again, and once (${refused})`, async () => {
        const url = await openDatabase(kind);
        const disk = new FullDisk({ target: { url }, name: "test untold", schema: "tensile", pooled: false });
        try {
          const paths = pathsOn(disk);
          await disk.run(
            "INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false, until = 9e15::bigint",
          );
          const jobs = [1, 2].map((n) => ({ name: "a", priority: 5, payload: String(n) }));
          await paths.enqueuePlain(jobs, null, () => undefined);
          const cause = { called: true, stirred: true };
          const turn = await paths.turn({ epoch: 1, claim: 1 }, new Map([["a", 2]]), cause);
          const [good, bad] = turn.claimed as [ClaimedJob, ClaimedJob];
          const batch: readonly Settlement[] = [
            { job: good, to: "succeeded" },
            { job: bad, to: "failed", error: { attempt: 1, at: 0, code: "BROKEN", message: "it is" } },
          ];
          disk.refused = refused;
          await assert.rejects(paths.settle(1, batch, [false, false]), /No space left/);
          for (const [at, settlement] of batch.entries())
            assert.deepEqual((await paths.settle(1, [settlement], [false])).receipts, ["settled"], `number ${at}`);
          for (const settlement of batch)
            assert.deepEqual((await paths.settle(1, [settlement], [false])).receipts, ["stale"]);
          const records = await paths.reads.records([good.id, bad.id]);
          assert.deepEqual([records.get(good.id)?.state, records.get(bad.id)?.state], ["succeeded", "failed"]);
        } finally {
          await disk.close();
          await giveBack(kind, url);
        }
      });
  });
