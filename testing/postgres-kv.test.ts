/** Short-lived records in PostgreSQL against the conformance suite, on every server that is here. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock } from "../src/core/index.ts";
import type { KvStore } from "../src/kv/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { kvConformance } from "../src/testing/index.ts";
import { DatabaseClock } from "./postgres-clock.ts";
import { postgresKinds, postgresServer } from "./postgres-server.ts";

for (const kind of postgresKinds()) {
  kvConformance(`PostgreSQL (${kind})`, async (clock) => {
    const server = await postgresServer(kind);
    const url = await server.database();
    const kv = postgres(url).kv();
    void (await kv.get("makes the tables"));
    const time = await DatabaseClock.install(url, clock.now());
    return {
      kv: inTime(kv, clock, time),
      async remove() {
        await time.close();
        await server.drop(url);
      },
    };
  });

  describe(`short-lived records in PostgreSQL (${kind})`, () => {
    test("over the bound those go that end soonest, and a pinned one never does", async () => {
      const server = await postgresServer(kind);
      const url = await server.database();
      const kv = postgres(url).kv({ maxEntries: 20 });
      void (await kv.set("pinned", "x", { ttlMs: 60_000, pinned: true }));
      for (let i = 0; i < 40; i++) void (await kv.set(`k${i}`, "x", { ttlMs: 600_000 + i * 120_000 }));
      const rows = await server.run("SELECT count(*)::int AS n FROM tensile.kv", new URL(url).pathname.slice(1));
      assert.ok((rows.rows[0] as { n: number }).n <= 20);
      const kept = async (key: string): Promise<boolean> => {
        const result = await kv.get(key);
        assert.ok(result.ok);
        return result.value !== undefined;
      };
      assert.deepEqual([await kept("pinned"), await kept("k39"), await kept("k0")], [true, true, false]);
      await server.drop(url);
    });

    test("a store full of pinned records takes no more, and says why", async () => {
      const server = await postgresServer(kind);
      const url = await server.database();
      const kv = postgres(url).kv({ maxEntries: 5 });
      for (let i = 0; i < 5; i++) assert.ok((await kv.set(`p${i}`, "x", { ttlMs: 60_000, pinned: true })).ok);
      const result = await kv.set("one more", "x", { ttlMs: 60_000 });
      assert.ok(!result.ok);
      assert.match(result.fault.data.reason, /must not be dropped/);
      await server.drop(url);
    });

    test("the database going away is a fault, and what was kept is there when it is back", async () => {
      const server = await postgresServer(kind);
      const url = await server.database();
      const kv = postgres(url).kv();
      void (await kv.set("a", "kept", { ttlMs: 60_000 }));
      await server.restart("immediate");
      for (;;) {
        const result = await kv.get("a");
        if (result.ok) {
          assert.equal(result.value?.value, "kept");
          break;
        }
        assert.equal(result.fault.code, "STORE_UNAVAILABLE");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await server.drop(url);
    });
  });
}

/** The database has the time of the test's clock before each verb. */
function inTime(kv: KvStore, clock: Clock, time: DatabaseClock): KvStore {
  const moved = async <T>(act: () => T): Promise<Awaited<T>> => {
    await time.set(clock.now());
    return await act();
  };
  return {
    maxValueChars: kv.maxValueChars,
    get: (key) => moved(() => kv.get(key)),
    set: (key, value, options) => moved(() => kv.set(key, value, options)),
    delete: (key, version) => moved(() => kv.delete(key, version)),
    advance: (key, byMs, mostMs) => moved(() => kv.advance(key, byMs, mostMs)),
  };
}
