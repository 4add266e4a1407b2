/**
 * A handler that holds up the event loop of a real process for longer than its lease. The heartbeat does not live on that loop: nobody else runs the process's jobs, and its
 * settlements count. `TENSILE_BLOCK_MS=60000` with `TENSILE_LEASE_MS=10000` is the long form.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { postgres } from "../src/postgres/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { blockedContract, blockedHandlers } from "./postgres-blocked-child.ts";
import { onPlace, until, workerOn } from "./worker-place.ts";

const leaseMs = Number(process.env["TENSILE_LEASE_MS"] ?? 1_000);
const blockMs = Number(process.env["TENSILE_BLOCK_MS"] ?? leaseMs * 2.5);
const program = fileURLToPath(new URL("./postgres-blocked-child.ts", import.meta.url));
const { blocks, beside } = blockedContract.members;

/** A process that works, and what it has said. */
async function startChild(address: string): Promise<{ child: ChildProcess; said: string[] }> {
  const child = spawn(process.execPath, [program, address, String(leaseMs), String(blockMs)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
  await until(() => said.includes("works"));
  return { child, said };
}

/** A process that works, and a worker here on the same database that has not begun to. */
async function inTwo(
  act: (child: ChildProcess, said: string[], here: Awaited<ReturnType<typeof workerHere>>) => Promise<void>,
): Promise<void> {
  await onPlace("PostgreSQL", async ({ address }) => {
    const { child, said } = await startChild(address);
    const here = await workerHere(address);
    try {
      await act(child, said, here);
    } finally {
      child.kill("SIGKILL");
      await here.end();
    }
  });
}

async function workerHere(address: string) {
  const ran: string[] = [];
  const handlers = blockedHandlers((line) => void ran.push(line), 0);
  const worker = await workerOn(postgres(address, { leaseMs }), blockedContract, handlers, { idle: true });
  return { ...worker, ran };
}

test("jobs of a process whose event loop is blocked for longer than its lease are run by nobody else, and are settled", () =>
  inTwo(async (child, said, { jobs, session, engine, ran }) => {
    const waiting = value(await jobs.enqueue(beside, { key: "k" }));
    await until(() => said.includes("beside 1"));
    const blocking = value(await jobs.enqueue(blocks, {}));
    await until(() => said.includes("blocks 1"));
    // From here on this process would run what the other had lost.
    await engine.start();
    assert.deepEqual(value(await jobs.ref(blocks, blocking.id).result()), { process: child.pid });
    assert.deepEqual(value(await jobs.ref(beside, waiting.id).result()), { process: child.pid });
    for (const { id } of [waiting, blocking]) {
      const record = value(await session.get(id));
      assert.deepEqual([record?.state, record?.attempt, record?.errors], ["succeeded", 1, []]);
    }
    assert.deepEqual([said, ran], [["works", "beside 1", "blocks 1"], []]);
    child.stdin?.end("end");
    await once(child, "exit");
  }));

test("a process that stands still with all its threads for that long does lose them", () =>
  inTwo(async (child, said, { jobs, session, engine, ran }) => {
    const { id } = value(await jobs.enqueue(blocks, {}));
    await until(() => said.includes("blocks 1"));
    child.kill("SIGSTOP");
    await engine.start();
    assert.deepEqual(value(await jobs.ref(blocks, id).result()), { process: process.pid });
    const record = value(await session.get(id));
    assert.deepEqual([ran, record?.attempt, record?.errors[0]?.code], [["blocks 2"], 2, "CRASHED"]);
  }));
