/**
 * A real process on a real file, killed with SIGKILL again and again. What it said was acknowledged must be there, exactly once; what it said was done
 * must be done; what it said had started must be counted. `TENSILE_KILL_ROUNDS` makes it longer.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/core/index.ts";
import type { JobRecord } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";

const child = fileURLToPath(new URL("./sqlite-kill-child.ts", import.meta.url));
const rounds = Number(process.env["TENSILE_KILL_ROUNDS"] ?? 4);

/** What the process said before it died. */
interface Said {
  readonly acknowledged: Map<string, string>;
  readonly done: Set<string>;
  readonly runs: Map<string, number>;
}

/** Lets one life of the process run for a while, then kills it. Returns milliseconds from start to open. */
async function live(path: string, life: number, ms: number, said: Said): Promise<number> {
  const started = performance.now();
  let openAfter = Number.NaN;
  const process_ = spawn(process.execPath, [child, path, String(life)], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: process_.stdout });
  let unfinished = "";
  for await (const line of lines) {
    unfinished = line;
    const [word, id = "", rest = ""] = line.split(" ");
    if (word === "open") {
      openAfter = performance.now() - started;
      setTimeout(() => process_.kill("SIGKILL"), ms);
    } else if (word === "ack") {
      said.acknowledged.set(id, rest);
    } else if (word === "done") {
      said.done.add(id);
    } else if (word === "run") {
      assert.ok(!said.done.has(id), `job ${id} was run again after it was done`);
      said.runs.set(id, Math.max(said.runs.get(id) ?? 0, Number(rest)));
    } else {
      assert.fail(`the process said: ${line}`);
    }
  }
  assert.ok(!Number.isNaN(openAfter), `the process ended before it was open, after "${unfinished}"`);
  return openAfter;
}

test("kill -9 at any moment loses nothing that was acknowledged", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-kill-"));
  try {
    const path = join(folder, "jobs.db");
    const said: Said = { acknowledged: new Map(), done: new Set(), runs: new Map() };
    for (let life = 0; life < rounds; life++) {
      const openAfter = await live(path, life, 50 + ((life * 7_919) % 400), said);
      assert.ok(openAfter < 5_000, `recovery took ${openAfter} ms`);
    }
    assert.ok(said.acknowledged.size > 0 && said.done.size > 0 && said.runs.size > 0);
    await judge(path, said);
    const db = new DatabaseSync(path, { readOnly: true });
    assert.deepEqual({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
    db.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function judge(path: string, said: Said): Promise<void> {
  const session = value(
    await sqlite(path).open({
      clock: systemClock,
      retention: keepMany,
      maxWaiting: 10_000_000,
      maxAttempts: () => 1_000,
    }),
  );
  const records = new Map<string, JobRecord>();
  const payloads = new Set<string>();
  for (let after: string | undefined; ;) {
    const page = value(await session.list({ limit: 1_000, ...(after === undefined ? undefined : { after }) }));
    for (const record of page) {
      assert.ok(!records.has(record.id), `job ${record.id} is listed twice`);
      assert.ok(!payloads.has(record.payload), `${record.payload} was kept twice`);
      records.set(record.id, record);
      payloads.add(record.payload);
    }
    after = page.at(-1)?.id;
    if (after === undefined) break;
  }
  for (const [id, payload] of said.acknowledged)
    assert.equal(records.get(id)?.payload, payload, `job ${id} was acknowledged`);
  for (const id of said.done) assert.equal(records.get(id)?.state, "succeeded", `job ${id} was done`);
  for (const record of records.values()) {
    const started = said.runs.get(record.id) ?? 0;
    assert.ok(
      record.attempt >= started || record.state === "ready",
      `job ${record.id} started attempt ${started}, ${record.attempt} counted`,
    );
    const failed = record.state === "succeeded" ? record.attempt - 1 : record.attempt;
    assert.equal(
      record.errors.length,
      Math.min(failed, 32),
      `job ${record.id}: an error for each attempt that did not succeed`,
    );
    if (record.state === "succeeded") assert.equal(record.result, record.payload);
  }
  const counts = value(await session.counts());
  assert.equal(
    Object.values(counts).reduce((sum, count) => sum + count),
    records.size,
  );
  assert.equal(counts.running, 0);
  await session.close();
}
