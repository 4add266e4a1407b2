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
