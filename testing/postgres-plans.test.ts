/**
 * The plans of the hot statements, over tables that are full: each goes along its index, whatever waits. `auto_explain` tells the plan of every statement inside of
 * the store's functions, as it was run.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClaimedJob, JobPolicy } from "../src/jobs/index.ts";
import { Connection } from "../src/postgres/connection.ts";
import type { Paths } from "../src/postgres/paths.ts";
import { postgresKinds, postgresServer, type PostgresKind } from "./postgres-server.ts";
import { emptyDatabase, openDatabase, pathsOn } from "./postgres-place.ts";

const policy = (name: string): JobPolicy | undefined => (name === "keyed" ? { perKey: { concurrency: 1 } } : undefined);
const big = "job|block_0|claim_0|outcome_0|history_0|key_state|unique_key|note|dependency";

interface Listener {
  on(event: "notice", listener: (notice: { readonly message?: string }) => void): void;
}

for (const kind of postgresKinds()) describe(`plans on PostgreSQL (${kind})`, () => planTests(kind));

function planTests(kind: PostgresKind): void {
  let url = "";
  let sql: Connection;
  let paths: Paths;
  let plans: string[] = [];
  const running: ClaimedJob[] = [];
  const fence = { epoch: 1, claim: 0 };

  before(async () => {
    url = await openDatabase(kind);
    await fill(kind, url);
    sql = new Connection({
      ...{ target: { url }, name: "test plans", schema: "tensile", pooled: false },
      onConnected: async (client) => {
        (client as unknown as Listener).on("notice", ({ message = "" }) => plans.push(message));
        await client.query("LOAD 'auto_explain'");
        await client.query("SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on");
        await client.query("SET auto_explain.log_level = 'notice'; SET client_min_messages = 'notice'");
      },
    });
    paths = pathsOn(sql, policy);
  });
  after(async () => {
    await sql.close();
    await emptyDatabase(url);
  });

  /** Every table that is named is reached by an index, and no large one is read from end to end. */
  const along = async (indexes: readonly string[], act: () => Promise<unknown>): Promise<void> => {
    plans = [];
    await act();
    const all = plans.join("\n");
    const scans = plans.filter((plan) => new RegExp(`Seq Scan on (${big})\\b`).test(plan));
    assert.deepEqual(scans, []);
    for (const index of indexes) assert.match(all, new RegExp(`using ${index}|on ${index}\\b`), `${index} in:\n${all}`);
  };
  const turn = async (credit: Readonly<Record<string, number>>): Promise<void> => {
    const cause = { called: true, stirred: true };
    fence.claim++;
    running.push(...(await paths.turn({ ...fence }, new Map(Object.entries(credit)), cause)).claimed);
  };

  test("a claim of blocks, and a look into its lanes, which do not go through those of others", async () => {
    await along(["block_0_lane_seq_idx", "claim_0_slot_block_lo_idx"], () => turn({ plain: 50 }));
    const ordered = plans.filter((plan) => /ORDER BY b\.lane, b\.seq/.test(plan));
    assert.ok(ordered.length >= 3);
    for (const plan of ordered) assert.doesNotMatch(plan, /using block_0_seq_idx/);
  });

  test("a claim of rows, with what is due and the keys that are free", async () => {
    await along(["job_ready", "job_due", "key_free"], () => turn({ scheduled: 50, keyed: 50 }));
    assert.ok(running.some(({ name }) => name === "keyed") && running.some(({ name }) => name === "scheduled"));
  });

  test("a settlement of rows and of blocks, and a retry of each", async () => {
    const error = { attempt: 1, at: 0, code: "X", message: "" };
    await along(["job_pkey", "block_0_seq_idx", "outcome_0_block_idx", "key_state_pkey"], () =>
      paths.settle(
        1,
        running.map((job, at) => (at % 5 === 0 ? { job, to: "retry", runAt: 0, error } : { job, to: "succeeded" })),
        running.map(() => false),
      ),
    );
  });

  test("an enqueue of plain jobs, of keyed, unique and scheduled ones", () =>
    along(["unique_key_pkey"], async () => {
      await paths.enqueuePlain([{ name: "plain", priority: 5, payload: "{}" }], null, () => undefined);
      const more = [{ key: "k1" }, { uniqueKey: "u1" }, { runAt: 9e12 }];
      await paths.enqueue(
        more.map((one) => ({ name: "keyed", priority: 5, payload: "{}", ...one })),
        null,
      );
    }));

  test("how much waits and since when, of rows and of blocks", () =>
    along(["block_0_lane_seq_idx", "claim_0_slot_block_lo_idx", "job_parked", "job_due"], async () => {
      await paths.reads.backlog(["plain", "keyed"]);
      await paths.reads.unstarted();
      for (const plan of plans.filter((one) => one.includes("b.lane, b.seq")))
        assert.doesNotMatch(plan, /using block_0_seq_idx/);
    }));

  test("a settlement of rows that is offered again", () =>
    along(["history_0_id_idx", "job_pkey"], async () => {
      const job = { ...(running.find(({ name }) => name === "keyed") as ClaimedJob), attempt: 9 };
      await paths.settle(1, [{ job, to: "succeeded" }], [true]);
    }));

  test("a signal, a cancellation, a note, a read and the end of what is waited for", () =>
    along(["job_pkey", "history_0_id_idx"], async () => {
      await paths.signal("512", "go", "1");
      await paths.cancel("1024");
      await paths.reads.get("1536");
      await paths.reads.ended(["512", "1024", "1536"]);
    }));
}

/** Some seconds of work in one statement each. */
async function fill(kind: PostgresKind, url: string): Promise<void> {
  const server = await postgresServer(kind);
  await server.run(
    `
    INSERT INTO tensile.process (epoch, until) VALUES (1, 9e15::bigint) ON CONFLICT (epoch) DO UPDATE SET dead = false, until = 9e15::bigint;
    INSERT INTO tensile.name (name, per_key, key_concurrency) VALUES ('plain', false, NULL), ('scheduled', false, NULL), ('keyed', true, 1);
    SELECT setval('tensile.job_id', 100000 * 512::bigint);
    INSERT INTO tensile.block (slot, lane, seq, n, at, body)
      SELECT 0, id * 10 + g % 10, g * 512::bigint, 10, 0, repeat('x' || E'\\x01', 9) || 'x' FROM tensile.name, generate_series(50001, 54000) AS g WHERE name = 'plain';
    INSERT INTO tensile.claim (slot, block, lo, hi, epoch, claim) SELECT 0, g * 512::bigint, 0, 10, 1, 0 FROM generate_series(50001, 53900) AS g;
    INSERT INTO tensile.outcome (slot, id, block, kind, n, at, epoch, ranges)
      SELECT 0, nextval('tensile.outcome_number'), g * 512::bigint, 0, 10, 0, 1, '{0,10}' FROM generate_series(50001, 53800) AS g;
    INSERT INTO tensile.job (id, name_id, state, priority, place, enqueued_at, ready_at, due, key, payload)
      SELECT g * 512::bigint, n.id, CASE g % 4 WHEN 0 THEN 2 WHEN 1 THEN 5 WHEN 2 THEN 3 ELSE 1 END, 5, g, 0, 0,
        CASE WHEN g % 4 = 0 THEN CASE WHEN g < 400 THEN 0 ELSE 9e14::bigint END END, CASE WHEN n.name = 'keyed' THEN convert_to('k' || g % 5000, 'UTF8') END, '{}'
      FROM generate_series(1, 20000) AS g JOIN tensile.name n ON n.name = CASE WHEN g % 4 IN (1, 2) THEN 'keyed' ELSE 'scheduled' END;
    INSERT INTO tensile.key_state (name_id, key) SELECT id, convert_to('k' || g, 'UTF8') FROM tensile.name, generate_series(0, 4999) AS g WHERE name = 'keyed';
    INSERT INTO tensile.unique_key (scope, key, job) SELECT 'keyed', convert_to('u' || g, 'UTF8'), g FROM generate_series(10, 10000) AS g;
    INSERT INTO tensile.note (job, name, value) SELECT g * 512::bigint, 'n', '1' FROM generate_series(1000, 10000) AS g;
    INSERT INTO tensile.dependency (job, ord, on_job, pending) SELECT g * 512::bigint, 0, (g + 1) * 512::bigint, true FROM generate_series(30000, 40000) AS g;
    INSERT INTO tensile.history (slot, id, done, name_id, state, priority, attempt, enqueued_at, finished_at, epoch, claim, noted, depends, payload)
      SELECT 0, (60000 + g) * 512::bigint, g, n.id, 10, 5, 1, 0, 0, 1, 0, false, false, '{}' FROM tensile.name n, generate_series(1, 10000) AS g WHERE n.name = 'keyed';
    ANALYZE;`,
    new URL(url).pathname.slice(1),
  );
}
