import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock, type Fault, type Result } from "../core/index.ts";
import type { NewJob, StoreSession } from "../jobs/index.ts";
import { sqlite } from "../sqlite/index.ts";
import { run } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "tensile-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const file = (end = "db"): string => join(folder, `file-${++files}.${end}`);

const keep = { ageMs: 86_400_000, count: 100_000 };

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

async function openAt(path: string): Promise<StoreSession> {
  return value(
    await sqlite(path).open({
      clock: systemClock,
      retention: { succeeded: keep, failed: keep, cancelled: keep },
      maxWaiting: 1_000_000,
      maxAttempts: () => 5,
    }),
  );
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function tensile(words: readonly string[], input = ""): Promise<Said> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await run(words, { stdin: Readable.from([input]), stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, out, err };
}

const job = (name: string, more: Partial<NewJob> = {}): NewJob => ({
  name,
  priority: 5,
  payload: '{"secret":"fox"}',
  ...more,
});

/** A store with a failed job (1), a scheduled one (2), ready ones and a schedule. */
async function filled(): Promise<{ path: string; session: StoreSession }> {
  const path = file();
  const session = await openAt(path);
  value(await session.enqueue([job("mail")]));
  const claimed = await new Promise<Parameters<Parameters<StoreSession["consume"]>[0]["onClaimed"]>[0]>((resolve) => {
    const consumer = session.consume({
      names: ["mail"],
      onClaimed: (jobs) => void consumer.stop().then(() => resolve(jobs)),
      onCancelRequested: () => undefined,
      onTrouble: ({ message }) => assert.fail(message),
    });
    consumer.grant("mail", 1);
  });
  const error = { attempt: 1, at: 1_700_000_000_000, code: "BUSY", message: "the line\u001b[31m is busy" };
  value(await session.settle(claimed.map((one) => ({ job: one, to: "failed", error }))));
  value(
    await session.enqueue([
      job("mail", { runAt: Date.now() + 3_600_000, uniqueKey: "ann" }),
      job("report", { occurrence: { schedule: "report", at: 1_700_000_000_000 } }),
      ...Array.from({ length: 3 }, () => job("mail")),
    ]),
  );
  return { path, session };
}

test("counts and list look into a store that is in use, and show no payload", async () => {
  const { path, session } = await filled();
  const counts = await tensile(["jobs", "counts", path, "--json"]);
  assert.deepEqual(JSON.parse(counts.out), value(await session.counts()));
  assert.match((await tensile(["jobs", "counts", path, "--name", "report"])).out, /^ready +1$/m);
  const listed = await tensile(["jobs", "list", path, "--name", "mail", "--limit", "2"]);
  const lines = listed.out.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? "", /^ +1 {2}failed +attempt 1 .+ mail {2}BUSY: the line \[31m is busy$/);
  const json = await tensile(["jobs", "list", path, "--json", "--state", "scheduled"]);
  assert.match(json.out, /"name":"mail","state":"scheduled"/);
  assert.ok(!`${listed.out}${json.out}`.includes("fox"));
  await session.close();
});

test("an export of a store that another process owns is taken in whole by another store", async () => {
  const { path, session } = await filled();
  const out = file("ndjson");
  const child = spawn(process.execPath, [
    fileURLToPath(new URL("./main.ts", import.meta.url)),
    "jobs",
    "export",
    path,
    "--out",
    out,
  ]);
  const [said] = await Promise.all([text(child.stderr), once(child, "exit")]);
  assert.deepEqual(
    [child.exitCode, said],
    [0, `exported to ${out}: 6 jobs (1 scheduled, 4 ready, 1 failed), 1 schedules\n`],
  );
  assert.equal(statSync(out).mode & 0o777, 0o600);
  const target = file();
  const taken = await tensile(["jobs", "import", target, "--in", out]);
  assert.deepEqual([taken.code, taken.err], [0, "imported: 6 jobs (1 scheduled, 4 ready, 1 failed), 1 schedules\n"]);
  const moved = await openAt(target);
  assert.deepEqual(value(await moved.list({})), value(await session.list({})));
  assert.deepEqual(value(await moved.occurrences()), value(await session.occurrences()));
  assert.equal(value(await moved.enqueue([job("mail", { uniqueKey: "ann" })]))[0]?.duplicate, true);
  await moved.close();
  await session.close();
  const again = await tensile(["jobs", "export", path, "--out", out]);
  assert.equal(again.code, 1);
  assert.match(again.err, /cannot be written: EEXIST/);
});

test("export and import through a pipe", async () => {
  const { path, session } = await filled();
  const { out } = await tensile(["jobs", "export", path]);
  assert.equal(out.split("\n").length, 1 + 6 + 1 + 1 + 1);
  const target = file();
  assert.equal((await tensile(["jobs", "import", target], out)).code, 0);
  const refused = await tensile(["jobs", "import", target], out);
  assert.deepEqual([refused.code, /holds jobs already/.test(refused.err)], [1, true]);
  await session.close();
});

test("a file that was cut short, changed, or is something else takes nothing in", async () => {
  const { path, session } = await filled();
  await session.close();
  const { out } = await tensile(["jobs", "export", path]);
  const lines = out.trimEnd().split("\n");
  const wrong: readonly (readonly [string, RegExp])[] = [
    [lines.slice(0, -1).join("\n"), /breaks off: its last line is missing/],
    [out.slice(0, 400), /no JSON|breaks off/],
    [out.replace("fox", "cat"), /digest is another/],
    [[...lines.slice(0, 2), ...lines.slice(3)].join("\n"), /counts other records/],
    [out.replace('"version":1', '"version":2'), /has version 2, this program reads 1/],
    [out.replace('"type":"job"', '"type":"house"'), /Line 2: "house" is nothing that this version knows/],
    [out.replace('"priority":5', '"priority":12'), /Line 2: the job's priority is not from 0 to 9/],
    [out.replace('"state":"failed"', '"state":"odd"'), /Line 2: "odd" is no state/],
    [`${out}{}\n`, /comes after the end/],
    ["{}\n", /first line does not say so/],
    ["", /breaks off/],
  ];
  for (const [input, expected] of wrong) {
    const target = file();
    const said = await tensile(["jobs", "import", target], input);
    assert.equal(said.code, 1);
    assert.match(said.err, /^tensile: Nothing was imported\. /);
    assert.match(said.err, expected);
    assert.equal((await tensile(["jobs", "list", target])).out, "");
  }
});

test("retry and cancel act on a store that nobody has open, and say who has it", async () => {
  const { path, session } = await filled();
  const busy = await tensile(["jobs", "retry", path, "1"]);
  assert.equal(busy.code, 1);
  assert.match(busy.err, new RegExp(`is owned by process ${process.pid}`));
  await session.close();
  assert.deepEqual((await tensile(["jobs", "retry", path, "1", "999"])).out, "1  ready\n999  no such job\n");
  const { out } = await tensile(["jobs", "list", path, "--state", "scheduled", "--json"]);
  const { id } = JSON.parse(out) as { id: string };
  assert.equal((await tensile(["jobs", "cancel", path, id])).out, `${id}  cancelled\n`);
  const paused = await tensile(["jobs", "pause", path, "mail", "maul"]);
  assert.equal(paused.out, "paused: mail, maul\n");
  assert.match(paused.err, /^tensile: the store has no job "maul" so far; is the name right\?/);
  assert.equal((await tensile(["jobs", "resume", path, "mail", "maul"])).out, "paused: none\n");
});

test("wrong calls are told in a sentence, with exit code 2", async () => {
  const calls: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["houses"], 2, /no command "houses"/],
    [["jobs"], 2, /no command ""\. It has counts, list/],
    [["jobs", "counts"], 2, /Which store\?/],
    [["jobs", "toString", "x"], 2, /no command "toString"/],
    [["jobs", "counts", join(folder, "missing.db")], 1, /There is no file/],
    [["jobs", "list", "x", "--state", "odd"], 2, /"odd" is no state/],
    [["jobs", "list", "x", "--limit", "-"], 2, /--limit/],
    [["jobs", "list", "x", "--colour"], 2, /Unknown option '--colour'/],
    [["jobs", "retry", "x"], 2, /Give their ids/],
  ];
  for (const [words, code, expected] of calls) {
    const said = await tensile(words);
    assert.deepEqual([words, said.code], [words, code]);
    assert.match(said.err, expected);
  }
  assert.match((await tensile(["--help"])).out, /tensile jobs COMMAND STORE/);
  writeFileSync(join(folder, "text.db"), "this is no database, but a text that is long enough to look like one");
  assert.match((await tensile(["jobs", "counts", join(folder, "text.db")])).err, /not a database/);
  assert.ok(readFileSync(join(folder, "text.db"), "utf8").startsWith("this is no database"));
});
