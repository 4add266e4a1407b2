/**
 * Jobs that kill their process (by leaving, by aborting, by using up its memory), and payloads that cannot be read any more, on a real SQLite file and a
 * real PostgreSQL: they end as dead letters, and the others are done.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { contract, fixed, implementContract, job, type Contract, type Implemented } from "../src/contract/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { roughContract, roughWorker } from "./rough-jobs.ts";
import { onPlace, placeNames, type Worker } from "./worker-place.ts";

const program = fileURLToPath(new URL("./rough-worker.ts", import.meta.url));
const { exit, abort, memory, good } = roughContract.members;
/** How a process ends is the same to PostgreSQL, which sees a connection break. */
const poisonsOf = { SQLite: [exit, abort, memory], PostgreSQL: [abort] };

/** One life of a worker: what it ran before it died, or had nothing more to do, which ends with `done`. */
async function live(address: string): Promise<readonly string[]> {
  const worker = spawn(process.execPath, ["--max-old-space-size=48", program, address], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(worker, "exit");
  const ran: string[] = [];
  for await (const line of createInterface({ input: worker.stdout })) ran.push(line);
  await ended;
  return ran;
}

for (const name of placeNames) {
  describe(`on ${name}`, () => {
    test("jobs that kill their process end as dead letters after their attempts, and the others are done", () =>
      onPlace(name, async ({ address, worker }) => {
        const poisons = poisonsOf[name];
        const idle = roughWorker(() => assert.fail("a job ran"));
        const beside = () => worker(roughContract, idle, { idle: true });
        const ids: string[] = [];
        const ran: string[] = [];
        // One after the other: what is claimed beside a poison when it kills the process has an attempt counted as well.
        for (const [at, poison] of poisons.entries()) {
          const before = await beside();
          const inputs = Array.from({ length: 20 }, (_, n) => ({ n: at * 20 + n }));
          for (const { id } of value(await before.jobs.enqueueMany(good, inputs))) ids.push(id);
          value(await before.jobs.enqueue(poison, {}));
          await before.end();
          for (let life = 0; life < 2; life++) {
            ran.push(...(await live(address)));
            await expire(address);
          }
        }
        assert.deepEqual(
          ran,
          poisons.flatMap((poison) => [`run ${poison.name} 1`, `run ${poison.name} 2`]),
        );
        assert.deepEqual(await live(address), ["done"]);

        const after = await beside();
        const dead = value(await after.jobs.deadLetters()).jobs;
        assert.deepEqual(
          dead.map((info) => [info.name, info.attempt, info.errors.map(({ code }) => code)]),
          poisons.map((poison) => [poison.name, 2, ["CRASHED", "CRASHED"]]),
        );
        for (const { name: of, id } of dead) {
          const result = await after.jobs.ref(roughContract.members[of as "exit"], id).result();
          assert.ok(!result.ok && result.fault.code === "JOB_CRASHED");
        }
        for (const id of ids) assert.equal(value(await after.jobs.get(id))?.state, "succeeded");
        await after.end();
      }));

    test("payloads that were damaged in the store cost attempts, end as dead letters, and hold up nobody", () =>
      onPlace(name, async ({ address, worker }) => {
        const seen: string[] = [];
        const first = await worker(letters, reading(letters, seen), { idle: true });
        for (const text of ["one", "bad1", "two", "bad2", "three"]) {
          value(await first.jobs.enqueue(plain, { text }));
          value(await first.jobs.enqueue(keyed, { text }));
        }
        await first.end();
        // No JSON any more, and JSON of another type; each in the plain jobs' block and in the keyed jobs' own places.
        assert.equal(await damage(address, '{"text":"bad1"}', '{"text"\u0001"bad1"}'), 2);
        assert.equal(await damage(address, '{"text":"bad2"}', '{"text":111112}'), 2);

        const second = await worker(letters, reading(letters, seen));
        const dead = await settledAs(second, 4);
        assert.deepEqual(
          dead.map((info) => [info.name, info.attempt, info.errors.map(({ code }) => code)]),
          ["plain", "keyed", "plain", "keyed"].map((of) => [of, 2, ["INVALID_PAYLOAD", "INVALID_PAYLOAD"]]),
        );
        assert.deepEqual(seen.toSorted(), ["one", "one", "three", "three", "two", "two"]);
        await second.end();
      }));

    test("payloads of an older schema without an upcast end as dead letters, and run when one is deployed", () =>
      onPlace(name, async ({ worker }) => {
        const old = contract("old.v1", { mail: job("mail", { input: { to: t.string() } }) });
        const first = await worker(old, noHandlers(old, "mail"), { idle: true });
        for (const to of ["ann", "bob"]) value(await first.jobs.enqueue(old.members.mail, { to }));
        await first.end();

        const input = { to: t.array(t.string()) };
        const retry = { attempts: 1 };
        const sent: string[] = [];
        const send = ({ input: { to } }: { input: { to: readonly string[] } }): void => void sent.push(...to);
        const wrong = contract("old.v1", { mail: job("mail", { input, retry }) });
        const second = await worker(wrong, implementContract(wrong, { handlers: { mail: send } }));
        const dead = await settledAs(second, 2);
        assert.match(dead[0]?.errors[0]?.message ?? "", /\/to/);
        await second.end();

        const upcast = { 1: (payload: unknown) => ({ to: [(payload as { to: string }).to] }) };
        const right = contract("old.v1", { mail: job("mail", { input, retry, version: 2, upcast }) });
        const third = await worker(right, implementContract(right, { handlers: { mail: send } }));
        assert.equal(value(await third.jobs.redrive({ job: "mail" })).redriven, 2);
        for (const { id } of dead) value(await third.jobs.ref(right.members.mail, id).result());
        assert.deepEqual(sent.toSorted(), ["ann", "bob"]);
        await third.end();
      }));
  });
}

const retry = { attempts: 2, backoff: fixed("1ms") };
const plain = job("plain", { input: { text: t.string() }, retry });
const keyed = job("keyed", { input: { text: t.string() }, retry, key: ({ text }) => text, perKey: { concurrency: 1 } });
const letters = contract("letters.v1", { plain, keyed });

function reading(of: typeof letters, seen: string[]): Implemented {
  const read = ({ input: { text } }: { input: { text: string } }): void => void seen.push(text);
  return implementContract(of, { handlers: { plain: read, keyed: read } });
}

function noHandlers(of: Contract, name: string): Implemented {
  return implementContract(of, { handlers: { [name]: () => assert.fail("a job ran") } });
}

/** The failed jobs, when nothing else is left to do and there are so many. */
async function settledAs({ jobs }: Worker, failed: number) {
  for (;;) {
    const counts = value(await jobs.counts());
    if (counts.ready + counts.running + counts.scheduled === 0) {
      // The failed may have been counted before the last of the others ended.
      assert.equal(value(await jobs.counts()).failed, failed);
      return value(await jobs.deadLetters()).jobs;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Changes a text of the same length wherever it stands on the disk, as a broken disk or a hand would; says how often it was there. */
async function damage(address: string, from: string, to: string): Promise<number> {
  assert.equal(from.length, to.length);
  if (!address.startsWith("postgres:")) {
    const db = new DatabaseSync(address);
    const [was, is] = [from, to].map((text) => Buffer.from(text).toString("hex").toUpperCase()) as [string, string];
    let places = 0;
    for (const { seq, body } of db.prepare("SELECT seq, hex(body) AS body FROM tensile_block").all()) {
      const parts = String(body).split(was);
      places += parts.length - 1;
      db.prepare("UPDATE tensile_block SET body = unhex(?) WHERE seq = ?").run(parts.join(is), seq as number);
    }
    db.close();
    return places;
  }
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  const blocks = await client.query(
    "UPDATE tensile.block SET body = replace(body, $1, $2) WHERE strpos(body, $1) > 0",
    [from, to],
  );
  const rows = await client.query("UPDATE tensile.job SET payload = $2 WHERE payload = $1", [
    Buffer.from(from),
    Buffer.from(to),
  ]);
  await client.end();
  return (blocks.rowCount ?? 0) + (rows.rowCount ?? 0);
}

/** What a dead process left is taken over when its lease is over: here that is now. */
async function expire(address: string): Promise<void> {
  if (!address.startsWith("postgres:")) return;
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query("UPDATE tensile.process SET until = 0");
  await client.end();
}
