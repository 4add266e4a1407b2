/**
 * Real processes share the keys of one name: first one alone, which claims ahead and holds back what a key may not run yet, then a second one beside it, then the
 * first one dies in the middle. Of no key two ever run at once, and every job ends.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { postgres } from "../src/postgres/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { aheadContract, aheadHandlers } from "./postgres-ahead-child.ts";
import { onPlace, until, workerOn } from "./worker-place.ts";

const program = fileURLToPath(new URL("./postgres-ahead-child.ts", import.meta.url));
const leaseMs = 1_000;
const keys = 40;
const { one } = aheadContract.members;

interface Child {
  readonly child: ChildProcess;
  ran: number;
  readonly wrong: string[];
}

async function startChild(address: string, folder: string): Promise<Child> {
  const child = spawn(process.execPath, [program, address, String(leaseMs), folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const made: Child = { child, ran: 0, wrong: [] };
  let works = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "ran") made.ran++;
    else if (line === "works") works = true;
    else made.wrong.push(line);
  });
  await until(() => works);
  return made;
}

test("of no key two jobs run at once while one process claims ahead, a second one comes, and the first one dies", () =>
  onPlace("PostgreSQL", async ({ address }) => {
    const folder = await mkdtemp(join(tmpdir(), "tensile-ahead-"));
    const first = await startChild(address, folder);
    const producer = await workerOn(
      postgres(address, { leaseMs }),
      aheadContract,
      aheadHandlers(folder, () => undefined),
      {
        idle: true,
      },
    );
    let second: Child | undefined;
    let sent = 0;
    const send = async (calls: number): Promise<void> => {
      for (let call = 0; call < calls; call++) {
        const inputs = Array.from({ length: 50 }, () => ({ key: `k${sent++ % keys}` }));
        value(await producer.jobs.enqueueMany(one, inputs));
      }
    };
    const done = async (): Promise<number> => value(await producer.session.counts()).succeeded;
    try {
      await send(30);
      await until(() => first.ran >= 500);
      second = await startChild(address, folder);
      const both = second;
      // The first one may have taken all of it before the second has looked.
      while (both.ran < 50) {
        await send(20);
        await until(() => both.ran >= 50 || first.ran + both.ran === sent);
      }
      const sending = send(20);
      await until(() => first.ran >= 1_000);
      first.child.kill("SIGKILL");
      await sending;
      await until(async () => (await done()) === sent);
      assert.deepEqual([...first.wrong, ...both.wrong], []);
      assert.equal(value(await producer.session.counts()).failed, 0);
      both.child.stdin?.end("end");
      await once(both.child, "exit");
    } finally {
      for (const { child } of [first, ...(second === undefined ? [] : [second])]) child.kill("SIGKILL");
      await producer.end();
      await rm(folder, { recursive: true });
    }
  }));
