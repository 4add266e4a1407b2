/**
 * A claim's commit waits for no disk, so a crash of the server may lose it while the job runs. Then somebody else claims the job again: what the first one says of it
 * afterwards counts no more, and blocks that looks have left behind are found again.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { Connection } from "../src/postgres/connection.ts";
import { migrate } from "../src/postgres/migrations.ts";
import type { Paths } from "../src/postgres/paths.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";
import { giveBack, openDatabase, pathsOn } from "./postgres-place.ts";
import { postgresKinds, startPostgres } from "./postgres-server.ts";
import { until } from "./worker-place.ts";

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
        return pathsOn(one);
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
        let lost: ClaimedJob | undefined;
        for (let isKept = true; isKept;) {
          await enqueue(one, "lost");
          [lost] = await turn(one, 1);
          assert.ok(lost !== undefined);
          // The other one has looked, and left both behind.
          for (let look = 0; look < 3; look++) assert.deepEqual(await turn(two, 2), []);
          await server.restart("immediate");
          // It is where its record ended a page of the log: those are written at once.
          const claim = `SELECT FROM tensile.claim WHERE block = ${lost.id}`;
          isKept = (await server.run(claim, new URL(url).pathname.slice(1))).rowCount !== 0;
          if (isKept) assert.equal(await succeed(one, lost).catch(() => succeed(one, lost as ClaimedJob)), "settled");
        }
        assert.ok(lost !== undefined);
        const [again] = await turn(two, 2).catch(() => turn(two, 2));
        assert.equal(again?.id, lost.id);
        const late = lost;
        assert.equal(await succeed(one, late).catch(() => succeed(one, late)), "stale");
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

    test("the process that runs such a job is told so, and runs it again where nobody else does", async () => {
      const server = await startPostgres(kind, { settings: ["wal_writer_delay=10s"] });
      const url = await server.database();
      const open = async () => {
        const opened = await postgres(url).open({
          clock: systemClock,
          retention: keepMany,
          maxWaiting: 1_000,
          maxAttempts: () => 9,
        });
        return value(opened);
      };
      const [worker, producer] = [await open(), await open()];
      const claimed: ClaimedJob[] = [];
      const lost: string[] = [];
      try {
        const consumer = worker.consume({
          names: ["a"],
          onClaimed: (jobs) => claimed.push(...jobs),
          onLost: (ids) => lost.push(...ids),
          onCancelRequested: () => undefined,
          onTrouble: () => undefined,
        });
        const succeed = async (job: ClaimedJob): Promise<unknown> => {
          for (;;) {
            const settled = await worker.settle([{ job, to: "succeeded" }]);
            if (settled.ok) return settled.value[0];
          }
        };
        let first: ClaimedJob | undefined;
        for (let isKept = true; isKept;) {
          consumer.grant("a", 1);
          value(await producer.enqueue([{ name: "a", priority: 5, payload: "{}" }]));
          await until(() => claimed.length > 0);
          first = claimed.shift() as ClaimedJob;
          await server.restart("immediate");
          // A commit of something else may have written the log just before.
          const { rowCount } = await server.run(
            `SELECT FROM tensile.claim WHERE block = ${first.id}`,
            new URL(url).pathname.slice(1),
          );
          isKept = rowCount !== 0;
          if (isKept) assert.equal(await succeed(first), "settled");
        }
        consumer.grant("a", 1);
        await until(() => claimed.length > 0);
        const again = claimed.shift() as ClaimedJob;
        assert.deepEqual([again.id, again.attempt, lost], [first?.id, 1, [first?.id]]);
        assert.equal(await succeed(first as ClaimedJob), "stale");
        assert.equal(await succeed(again), "settled");
      } finally {
        await Promise.all([worker.close(), producer.close()]);
        await server.remove();
      }
    });

    test("a claim whose answer was lost is waited for, and refused where it comes later", async () => {
      const url = await openDatabase(kind);
      const connect = (): Connection =>
        new Connection({ target: { url }, name: "test late", schema: "tensile", pooled: false });
      const [sql, late, watch] = [connect(), connect(), connect()];
      const [paths, latePaths] = [pathsOn(sql), pathsOn(late)];
      const epoch = 1;
      const taking = (claim: number) => () => ({
        fence: { epoch, claim },
        room: new Map([["a", 1]]),
        chosen: new Map<number, unknown>(),
      });
      const claimedOf = (by: Paths, payload: string, claim: number) =>
        by
          .enqueuePlain([{ name: "a", priority: 5, payload }], null, taking(claim))
          .then(({ claimed }) => claimed.map((job) => job.payload));
      const turn = (claim: number) =>
        paths.turn({ epoch, claim }, new Map([["a", 10]]), { called: true, stirred: true });
      try {
        await sql.run(
          "INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false, until = 9e15::bigint, claims_from = 0",
        );
        await late.run("BEGIN");
        assert.deepEqual(await claimedOf(latePaths, "under way", 7), ["under way"]);
        const back = paths.handBack({ epoch, claim: 7 });
        const waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%end_claim%'";
        await until(async () => (await watch.run(waits)).length > 0);
        await late.run("COMMIT");
        await back;
        assert.deepEqual(await claimedOf(latePaths, "on its way", 7), []);
        await assert.rejects(turn(7), { code: "TN003" });
        const { claimed } = await turn(8);
        assert.deepEqual(
          claimed.map(({ payload, attempt }) => [payload, attempt]),
          [
            ["under way", 1],
            ["on its way", 1],
          ],
        );
      } finally {
        await Promise.all([sql, late, watch].map((one) => one.close()));
      }
      await giveBack(kind, url);
    });
  });
