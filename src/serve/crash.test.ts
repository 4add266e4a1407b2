import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const fixture = fileURLToPath(new URL("fixtures/crashing.ts", import.meta.url));

interface Ended {
  readonly code: number | null;
  /** Of the request that was under way; undefined when it broke off. */
  readonly slow: number | undefined;
  readonly log: string;
}

async function crashed(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [fixture, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit") as Promise<[number | null]>;
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const url = String((await lines.next()).value);
  const slow = fetch(`${url}/slow`).then(
    (answer) => answer.status,
    () => undefined,
  );
  assert.equal((await lines.next()).value, "entered");
  const answer = await fetch(`${url}/crash`, { method: "POST" }).then(
    ({ status }) => status,
    () => undefined,
  );
  const [code] = await ended;
  if (args[1] !== "node") assert.equal(answer, 200);
  return { code, slow: await slow, log };
}

test("an error that nobody caught is logged with an incident, requests under way end, and the process ends with 1", async () => {
  for (const [how, where] of [
    ["reject", "unhandledRejection"],
    ["throw", "uncaughtException"],
  ] as const) {
    const { code, slow, log } = await crashed(how);
    assert.equal(code, 1, log);
    assert.equal(slow, 200);
    const entry = log
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as { event: string; where: string; incident: string; error: string })
      .find(({ event }) => event === "defect");
    assert.equal(entry?.where, where);
    assert.match(entry.incident, /^[0-9a-f]{16}$/);
    assert.equal(entry.error, "Error: nobody catches token=[redacted]");
    assert.doesNotMatch(log, /hunter2/);
  }
});

test("left to Node, the process ends at once", async () => {
  const { code, slow } = await crashed("reject", "node");
  assert.notEqual(code, 0);
  assert.equal(slow, undefined);
});

test("when nobody reads the log any more, what is logged is lost and the process goes on, until it ends as it should", async () => {
  const child = spawn(process.execPath, [fixture, "throw"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit") as Promise<[number | null]>;
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const url = String((await lines.next()).value);
  child.stderr.destroy();
  // Each is an incident, which is logged.
  for (let i = 0; i < 3; i++) assert.equal((await fetch(`${url}/broken`, { method: "POST" })).status, 500);
  assert.equal((await fetch(`${url}/crash`, { method: "POST" })).status, 200);
  assert.deepEqual(await ended, [1, null]);
});
