import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import { Events } from "../telemetry/index.ts";
import { logEvents, type LogEntry } from "./log.ts";

test("the log tells of attempts that ended with a fault, and asks for no others", () => {
  const events = new Events();
  const entries: LogEntry[] = [];
  const stop = logEvents(events, manualClock(0), (entry) => entries.push(entry));
  // A successful attempt costs next to nothing only while nobody wants to hear of it.
  assert.equal(events.heard("job.attempt"), false);
  const fault = { code: "BUSY", message: "later" };
  const job = { id: "7", name: "double" };
  events.emit("job.faulted", { ...job, attempt: 1, to: "retry", fault });
  events.emit("job.faulted", { ...job, attempt: 2, to: "failed", fault });
  const time = "1970-01-01T00:00:00.000Z";
  assert.deepEqual(entries, [
    { level: "warn", time, event: "job.retry", ...job, attempt: 1, ...fault },
    { level: "error", time, event: "job.failed", ...job, attempt: 2, ...fault },
  ]);
  stop();
  assert.equal(events.heard("job.faulted"), false);
});
