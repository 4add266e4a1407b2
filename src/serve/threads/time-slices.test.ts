import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ask, startThreaded, type ThreadedProcess } from "./testing/threaded-process.ts";
import { systemThread, timeSlices } from "./time-slices.ts";

/** Milliseconds, of the threads that answer requests: `se.slice` in /proc/PID/task/TID/sched. */
function slicesOf({ child }: ThreadedProcess): number[] {
  const tasks = `/proc/${child.pid}/task`;
  return readdirSync(tasks).flatMap((thread) =>
    readFileSync(`${tasks}/${thread}/comm`, "utf8").startsWith("tensile-http-") ? [sliceIn(`${tasks}/${thread}`)] : [],
  );
}

function sliceIn(task: string): number {
  const [, slice] = /^se\.slice\s*:\s*(\d+)$/m.exec(readFileSync(`${task}/sched`, "utf8")) ?? [];
  return Number(slice) / 1e6;
}

/** Why threads here cannot have slices of their own, or why a test could not see it. */
function whyNot(): string | undefined {
  const slices = timeSlices();
  if (typeof slices === "string") return slices;
  return /^se\.slice/m.test(readFileSync("/proc/self/sched", "utf8")) ? undefined : "this kernel does not show slices";
}

test("every thread has the time slice that was asked for, and so has the successor of one that died", async (context) => {
  const missing = whyNot();
  if (missing !== undefined) return context.skip(missing);
  const server = await startThreaded(context, { threads: { sliceMs: 0.25 } });
  assert.deepEqual(slicesOf(server), [0.25, 0.25]);
  const back = server.next(({ thread }) => thread?.state === "ready");
  await ask(`${server.url}/leave`, {}).catch(() => undefined);
  await back;
  assert.deepEqual(slicesOf(server), [0.25, 0.25]);
  assert.deepEqual(
    server.log.filter(({ event }) => event === "thread.unsliced"),
    [],
  );
});

test("a slice is given to the thread that is named, and to no other", (context) => {
  const slices = timeSlices();
  const own = systemThread();
  const missing = whyNot();
  if (missing !== undefined || typeof slices === "string") return context.skip(missing);
  const others = readdirSync("/proc/self/task").filter((thread) => Number(thread) !== own);
  const slicesOfOthers = (): number[] => others.map((thread) => sliceIn(`/proc/self/task/${thread}`));
  const before = slicesOfOthers();
  assert.ok(before.length > 0 && !before.includes(0.5));
  assert.ok(own !== undefined && own === process.pid, "this is the main thread");
  assert.equal(slices.set(own, 0.5), true);
  assert.deepEqual(slicesOfOthers(), before);
  assert.equal(slices.set(2 ** 30, 0.5), false, "there is no such thread");
  assert.equal(slices.set(own, 3), true);
});

test("where the C library cannot be called the threads answer all the same, and the log says so", async (context) => {
  const allowed = ["--permission", "--allow-fs-read=*", "--allow-fs-write=*", "--allow-worker", "--allow-net"];
  const server = await startThreaded(context, { threads: { sliceMs: 0.1 } }, allowed);
  assert.equal((await ask(`${server.url}/where`)).status, 200);
  const said = server.log.filter(({ event }) => event === "thread.unsliced");
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.["reason"]), /cannot be called.*--allow-ffi|only Linux/);
});
