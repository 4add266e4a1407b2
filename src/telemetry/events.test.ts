import assert from "node:assert/strict";
import { test } from "node:test";
import { Events } from "./events.ts";

const stale = { id: "1", name: "importCities" };

test("a listener hears its events until it is stopped", () => {
  const events = new Events();
  const heard: string[] = [];
  const stop = events.on("job.stale", ({ name }) => heard.push(name));
  events.emit("job.stale", stale);
  events.emit("lifecycle", { phase: "ready" });
  stop();
  stop();
  events.emit("job.stale", stale);
  assert.deepEqual(heard, ["importCities"]);
});

test("heard says whether anybody listens", () => {
  const events = new Events();
  assert.equal(events.heard("job.stale"), false);
  const stop = events.on("job.stale", () => undefined);
  assert.equal(events.heard("job.stale"), true);
  assert.equal(events.heard("lifecycle"), false);
  stop();
  assert.equal(events.heard("job.stale"), false);
});

test("one function may listen twice, and is stopped one at a time", () => {
  const events = new Events();
  let count = 0;
  const listener = (): void => void count++;
  const stop = events.on("job.stale", listener);
  events.on("job.stale", listener);
  stop();
  events.emit("job.stale", stale);
  assert.equal(count, 1);
});

test("a listener that throws keeps no other from hearing, and nobody who emits from going on", () => {
  const events = new Events();
  let heard = 0;
  events.on("job.stale", () => {
    throw new Error("broken listener");
  });
  events.on("job.stale", () => void heard++);
  events.emit("job.stale", stale);
  assert.equal(heard, 1);
});

test("a listener may stop itself, or add another, while it hears: the change holds from the next event on", () => {
  const events = new Events();
  const heard: string[] = [];
  const stop = events.on("job.stale", () => {
    heard.push("first");
    stop();
    events.on("job.stale", () => heard.push("second"));
  });
  events.emit("job.stale", stale);
  assert.deepEqual(heard, ["first"]);
  events.emit("job.stale", stale);
  assert.deepEqual(heard, ["first", "second"]);
});

test("a listener that rejects later does not end the process", async () => {
  const events = new Events();
  const report: () => unknown = async () => Promise.reject(new Error("the reporter is down"));
  events.on("job.stale", report);
  events.emit("job.stale", stale);
  // The test runner fails a test that leaves a rejection behind.
  await new Promise((resolve) => setImmediate(resolve));
});
