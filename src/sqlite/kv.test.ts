import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock, type Clock } from "../core/index.ts";
import type { KvStore } from "../kv/index.ts";
import { kvConformance } from "../testing/index.ts";
import { sqlite, type SqliteStore } from "./index.ts";
import { inFolder } from "../../tools/test-folder.ts";

const keepAll = { ageMs: 1e12, count: 1e9 };
const retention = { succeeded: keepAll, failed: keepAll, cancelled: keepAll };

async function openAt(path: string, clock: Clock): Promise<{ readonly store: SqliteStore; close(): Promise<void> }> {
  const store = sqlite(path);
  const opened = await store.open({ clock, retention, maxWaiting: 1000, maxAttempts: () => 1 });
  assert.ok(opened.ok);
  return { store, close: () => opened.value.close() };
}

async function value(kv: KvStore, key: string): Promise<string | undefined> {
  const found = await kv.get(key);
  assert.ok(found.ok);
  return found.value?.value;
}

kvConformance("sqlite", async (clock) => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-kv-"));
  const { store, close } = await openAt(join(folder, "app.db"), clock);
  return {
    kv: store.kv(),
    async remove() {
      await close();
      await rm(folder, { recursive: true });
    },
  };
});

kvConformance("sqlite in memory", async (clock) => {
  const { store, close } = await openAt(":memory:", clock);
  return { kv: store.kv(), remove: close };
});

test("records outlive a restart, and versions do not come again", () =>
  inFolder(async (path) => {
    const first = await openAt(path, systemClock);
    const written = await first.store.kv().set("a", "one", { ttlMs: 60_000 });
    assert.ok(written.ok);
    await first.close();
    const second = await openAt(path, systemClock);
    const kv = second.store.kv();
    const kept = await kv.get("a");
    assert.ok(kept.ok);
    assert.deepEqual(kept.value, { value: "one", version: written.value });
    const again = await kv.set("a", "two", { ttlMs: 60_000 });
    assert.ok(again.ok);
    assert.notEqual(again.value, written.value);
    await second.close();
  }));

test("before the store is open, and after it is closed, the answer says so", () =>
  inFolder(async (path) => {
    const closed = sqlite(path).kv();
    assert.ok(!(await closed.get("a")).ok);
    const { store, close } = await openAt(path, systemClock);
    const kv = store.kv();
    void (await kv.set("a", "one", { ttlMs: 60_000 }));
    assert.equal(await value(kv, "a"), "one");
    await close();
    for (const result of [
      await kv.get("a"),
      await kv.set("a", "", { ttlMs: 1 }),
      await kv.delete("a"),
      await kv.advance("b", 1, 1),
    ]) {
      assert.ok(!result.ok);
      assert.equal(result.fault.code, "STORE_UNAVAILABLE");
    }
    // The reader has let the file go, so that another life of the store can be opened and read.
    const next = await openAt(path, systemClock);
    assert.equal(await value(next.store.kv(), "a"), "one");
    await next.close();
  }));

test("there are no more records than there may be; those that end soonest go, and pinned ones stay", () =>
  inFolder(async (path) => {
    const { store, close } = await openAt(path, systemClock);
    const kv = store.kv({ maxEntries: 10 });
    void (await kv.set("lease", "", { ttlMs: 30_000, pinned: true }));
    for (let i = 0; i < 30; i++) void (await kv.set(`k${i}`, String(i), { ttlMs: 60_000 + i * 1000 }));
    const reader = store.reader();
    assert.equal(reader.prepare("SELECT count(*) AS n FROM tensile_kv").get()?.["n"], 10);
    reader.close();
    assert.equal(await value(kv, "lease"), "");
    assert.equal(await value(kv, "k20"), undefined);
    assert.equal(await value(kv, "k29"), "29");
    const crowded = store.kv({ maxEntries: 1 });
    void (await kv.delete("k29"));
    for (let i = 0; i < 30; i++) void (await kv.delete(`k${i}`));
    const refused = await crowded.set("another", "", { ttlMs: 1000, pinned: true });
    assert.ok(!refused.ok);
    assert.match(refused.fault.data.reason, /must not be dropped/);
    await close();
  }));

test("what is over leaves the file as others are written", () =>
  inFolder(async (path) => {
    const { store, close } = await openAt(path, systemClock);
    const kv = store.kv();
    for (let i = 0; i < 20; i++) void (await kv.set(`k${i}`, "", { ttlMs: 0 }));
    for (let i = 0; i < 10; i++) void (await kv.set("other", "", { ttlMs: 60_000 }));
    const reader = store.reader();
    assert.equal(reader.prepare("SELECT count(*) AS n FROM tensile_kv").get()?.["n"], 1);
    reader.close();
    await close();
  }));

test("a transaction keeps a record with its rows, or neither", () =>
  inFolder(async (path) => {
    const { store, close } = await openAt(path, systemClock);
    const kv = store.kv();
    const made = await store.transaction((tx) => tx.run("CREATE TABLE payment (id INTEGER PRIMARY KEY)"));
    assert.ok(made.ok);
    const lease = await kv.set("call", "running", { ttlMs: 60_000, if: "absent" });
    assert.ok(lease.ok && lease.value !== undefined);
    const version = lease.value;
    const pay = (id: number) =>
      store.transaction((tx) => {
        tx.run("INSERT INTO payment VALUES (?)", [id]);
        tx.keep({ key: "call", value: `done ${id}`, ttlMs: 60_000, if: version });
      });
    assert.ok((await pay(1)).ok);
    assert.equal(await value(kv, "call"), "done 1");
    const late = await pay(2);
    assert.ok(!late.ok);
    assert.equal(late.fault.code, "SQL_REJECTED");
    assert.match(late.fault.message, /changed by somebody else/);
    const reader = store.reader();
    assert.deepEqual(
      reader
        .prepare("SELECT id FROM payment")
        .all()
        .map((row) => row["id"]),
      [1],
    );
    reader.close();
    await close();
  }));
