/**
 * A claim's commit waits for no disk, so a crash of the server may lose it while the job runs. Then somebody else claims the job again: what the first one says of it
 * afterwards counts no more, and blocks that looks have left behind are found again.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ClaimedJob } from "../src/jobs/index.ts";
import { Connection } from "../src/postgres/connection.ts";
import { migrate } from "../src/postgres/migrations.ts";
import { Paths } from "../src/postgres/paths.ts";
import { postgresKinds, startPostgres } from "./postgres-server.ts";

for (const kind of postgresKinds())
  describe(`claims that a crash of PostgreSQL loses (${kind})`, () => {
    test("their jobs run again, are finished once, and those of kept claims are settled where they run", async () => {
      // The log is written when somebody waits for it, and else so seldom.
      const server = await startPostgres(kind, { settings: ["wal_writer_delay=10s"] });
      const url = await server.database();
      const connections: Connection[] = [];
      const open = (): Paths => {
        const one = new Connection({ target: { url }, name: "test lost", schema: "tensile", pooled: false });
        connections.push(one);
        return new Paths({ work: one, settling: one, intake: one, desk: one }, undefined);
      };
      let claims = 0;
      const turn = async (paths: Paths, epoch: number): Promise<readonly ClaimedJob[]> =>
        (await paths.turn({ epoch, claim: ++claims }, new Map([["a", 1]]), { called: true, stirred: true })).claimed;
      const enqueue = (paths: Paths, payload: string) =>
        paths.enqueuePlain([{ name: "a", priority: 5, payload }], null, () => undefined);
      const succeed = async (paths: Paths, job: ClaimedJob) => {
        const settled = await paths.settle(job.fence.epoch, [{ job, to: "succeeded" }], [false]);
        return settled.receipts[0];
      };
      try {
        const desk = new Connection({ target: { url }, name: "test lost", schema: "tensile", pooled: false });
        connections.push(desk);
        await migrate(desk, "tensile");
        await desk.run("INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint), (2, 9e15::bigint)");
        const [one, two] = [open(), open()];
        await enqueue(one, "kept");
        const [kept] = await turn(one, 1);
        assert.ok(kept !== undefined);
        await enqueue(one, "lost");
        const [lost] = await turn(one, 1);
        assert.ok(lost !== undefined);
        // The other one has looked, and left both behind.
        for (let look = 0; look < 3; look++) assert.deepEqual(await turn(two, 2), []);
        await server.restart("immediate");
        const [again] = await turn(two, 2).catch(() => turn(two, 2));
        assert.equal(again?.id, lost.id);
        assert.equal(await succeed(one, lost).catch(() => succeed(one, lost)), "stale");
        assert.equal(await succeed(one, kept), "settled");
        assert.equal(await succeed(two, again), "settled");
        const record = await two.reads.get(lost.id);
        assert.deepEqual([record?.state, record?.attempt], ["succeeded", 1]);
        assert.equal((await two.reads.counts("a")).running, 0);
      } finally {
        await Promise.all(connections.map((one) => one.close()));
        await server.remove();
      }
    });
  });
