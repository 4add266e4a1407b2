import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { getPriority } from "node:os";
import { test } from "node:test";
import { systemClock } from "../core/index.ts";
import { inFolder } from "../../tools/test-folder.ts";
import { sqlite } from "./store.ts";

const kept = { ageMs: 86_400_000, count: 1_000 };

/** The nice values of this process's threads of that name: field 19 of /proc/PID/task/TID/stat, proc(5). */
function niceOf(name: string): number[] {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
    const end = stat.lastIndexOf(")");
    return stat.slice(stat.indexOf("(") + 1, end) === name ? [Number(stat.slice(end + 2).split(" ")[16])] : [];
  });
}

test("the writer's thread stands back as far as it is told, and no other does", async (context) => {
  if (process.platform !== "linux") return context.skip("only Linux has a priority for each thread");
  const own = getPriority(0);
  await inFolder(async (file) => {
    const opened = await sqlite(file, { nice: 3 }).open({
      clock: systemClock,
      retention: { succeeded: kept, failed: kept, cancelled: kept },
      maxWaiting: 1_000,
      maxAttempts: () => 5,
    });
    assert.ok(opened.ok);
    assert.deepEqual(niceOf("tensile-sqlite"), [Math.min(19, own + 3)]);
    assert.equal(getPriority(0), own, "the calling thread is as it was");
    await opened.value.close();
  });
});

test("a nice value that cannot be is refused at once", () => {
  for (const nice of [-1, 20, 1.5, NaN])
    assert.throws(() => sqlite("jobs.db", { nice }), /nice is a whole number from 0 to 19/);
});
