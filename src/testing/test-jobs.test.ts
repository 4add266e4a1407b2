import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { contract, fixed, implement, job, t } from "../index.ts";
import { testJobs } from "./index.ts";

const remind = job("remind", {
  input: { user: t.string() },
  output: { sent: t.int() },
  retry: { attempts: 3, backoff: fixed("10m", { jitter: 0 }) },
  signals: { seen: {} },
});
const nightly = job("nightly", { input: {}, schedule: { cron: "0 3 * * *", input: {} } });
const read = job("read", { input: {}, output: { chars: t.int() } });

function app() {
  const reminders = contract("reminders.v1", { remind, read });
  return implement(reminders, {
    handlers: {
      remind: async ({ input, job: run }) => {
        if (input.user === "broken") throw new Error("broken");
        await run.sleep("first", "1d");
        const seen = await run.waitFor("seen", { timeout: "2d" });
        return { sent: seen.ok ? 1 : 2 };
      },
      read: async () => ({ chars: (await readFile(new URL(import.meta.url))).length }),
    },
  });
}

test("a drain runs what is due, and moves time as far as it may", async () => {
  const { jobs, drain, stop, clock } = await testJobs(app());
  const before = clock.now();
  const made = await jobs.enqueue(remind, { user: "ada" });
  assert.ok(made.ok);
  assert.deepEqual(
    (await drain()).map(({ to }) => to),
    ["snoozed"],
  );
  assert.deepEqual(await drain({ advance: "23h" }), []);
  assert.ok(clock.now() - before <= 23 * 3_600_000);
  assert.deepEqual(
    (await drain({ advance: "25h" })).map(({ to }) => to),
    ["waiting"],
  );
  assert.deepEqual(
    (await drain({ advance: "10d" })).map(({ to }) => to),
    ["succeeded"],
  );
  assert.equal(clock.now() - before, 3 * 86_400_000);
  const result = await made.value.result();
  assert.ok(result.ok && result.value.sent === 2);
  await stop();
});

test("retries and their faults are in the list", async () => {
  const { jobs, drain, stop } = await testJobs(app());
  assert.ok((await jobs.enqueue(remind, { user: "broken" })).ok);
  const ran = await drain({ advance: "1h" });
  assert.deepEqual(
    ran.map(({ name, attempt, to, fault }) => `${name} ${attempt} ${to} ${fault?.code}`),
    ["remind 1 retry INTERNAL", "remind 2 retry INTERNAL", "remind 3 failed INTERNAL"],
  );
  await stop();
});

test("a handler may take real time, but not for ever", async () => {
  const { jobs, drain, stop } = await testJobs(app());
  assert.ok((await jobs.enqueue(read, {})).ok);
  assert.deepEqual(
    (await drain()).map(({ to }) => to),
    ["succeeded"],
  );
  await stop();
  const stuck = implement(contract("stuck.v1", { read }), { handlers: { read: () => new Promise(() => undefined) } });
  const other = await testJobs(stuck);
  assert.ok((await other.jobs.enqueue(read, {})).ok);
  await assert.rejects(other.drain({ patienceMs: 20 }), /its handler waits for something that does not come/);
  await other.stop();
});

test("schedules fire while time is moved", async () => {
  const { drain, stop } = await testJobs(
    implement(contract("nights.v1", { nightly }), { handlers: { nightly: () => undefined } }),
  );
  assert.deepEqual(
    (await drain({ advance: "2d" })).map(({ name, to }) => `${name} ${to}`),
    ["nightly succeeded", "nightly succeeded"],
  );
  await stop();
});
