import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock, seededRandom } from "../core/index.ts";
import { kvConformance } from "../testing/index.ts";
import { memoryKv } from "./index.ts";

kvConformance("memory", async (clock) => ({ kv: memoryKv({ clock }), remove: () => undefined }));

test("it holds no more records than it may", () => {
  const kv = memoryKv({ clock: manualClock(), random: seededRandom(1), maxEntries: 50 });
  for (let i = 0; i < 500; i++) {
    assert.ok(kv.set(`key ${i}`, "", { ttlMs: 1000 + i }).ok);
    assert.ok(kv.size <= 50);
  }
  const last = kv.get("key 499");
  assert.ok(last.ok && last.value !== undefined);
});

test("it holds no more bytes than it may, also when a value grows", () => {
  const kv = memoryKv({ clock: manualClock(), random: seededRandom(1), maxBytes: 100_000 });
  for (let i = 0; i < 100; i++) void kv.set(`key ${i}`, "x".repeat(1000), { ttlMs: 1000 });
  assert.ok(kv.size < 50, `${kv.size} records`);
  assert.ok(kv.size > 40, `${kv.size} records`);
  const first = kv.set("grows", "", { ttlMs: 1000 });
  assert.ok(first.ok && first.value !== undefined);
  const grown = kv.set("grows", "x".repeat(40_000), { ttlMs: 1000, if: first.value });
  assert.ok(grown.ok && grown.value !== undefined);
  assert.ok(kv.size < 12, `${kv.size} records`);
  assert.ok(kv.get("grows").ok);
});

test("what is over goes without anybody asking for it, and without a timer", async () => {
  const clock = manualClock();
  const kv = memoryKv({ clock, random: seededRandom(1) });
  for (let i = 0; i < 1000; i++) void kv.set(`old ${i}`, "", { ttlMs: 10 });
  assert.equal(clock.waiting, 0);
  await clock.advance(10);
  for (let i = 0; i < 3000; i++) void kv.set(`new ${i % 100}`, "", { ttlMs: 1000 });
  assert.ok(kv.size < 110, `${kv.size} records`);
});

test("a flood of fresh keys does not displace a rate limit that is used up", () => {
  const kv = memoryKv({ clock: manualClock(), random: seededRandom(7), maxEntries: 1000 });
  for (let i = 0; i < 10; i++) void kv.advance("hot", 1000, 10_000);
  for (let i = 0; i < 50_000; i++) void kv.advance(`flood ${i}`, 1000, 10_000);
  const hot = kv.advance("hot", 1000, 10_000);
  assert.ok(hot.ok && !hot.value.accepted);
});

test("a pinned record is not dropped; where only such are left, there is no room", async () => {
  const clock = manualClock();
  const kv = memoryKv({ clock, random: seededRandom(3), maxEntries: 10 });
  for (let i = 0; i < 5; i++) void kv.set(`lease ${i}`, "", { ttlMs: 10, pinned: true });
  for (let i = 0; i < 100; i++) void kv.set(`answer ${i}`, "", { ttlMs: 1000 });
  for (let i = 0; i < 5; i++) {
    const lease = kv.get(`lease ${i}`);
    assert.ok(lease.ok && lease.value !== undefined);
  }
  for (let i = 5; i < 10; i++) assert.ok(kv.set(`lease ${i}`, "", { ttlMs: 10, pinned: true }).ok);
  const refused = kv.set("lease 10", "", { ttlMs: 10, pinned: true });
  assert.ok(!refused.ok);
  assert.equal(refused.fault.code, "STORE_UNAVAILABLE");
  await clock.advance(10);
  assert.ok(kv.set("lease 10", "", { ttlMs: 10, pinned: true }).ok);
});

test("limits that cannot be end the start", () => {
  assert.throws(() => memoryKv({ maxEntries: 0 }), /maxEntries/);
  assert.throws(() => memoryKv({ maxBytes: Number.NaN }), /maxBytes/);
});
