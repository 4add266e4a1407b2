/**
 * One suite for every store of short-lived records: what the seam in `src/kv/kv-store.ts` promises, as tests. A store passes when
 * it passes all of them.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { manualClock, type Clock, type ManualClock } from "../core/index.ts";
import type { KvAdvanced, KvEntry, KvStore } from "../kv/index.ts";

export interface KvPlace {
  readonly kv: KvStore;
  /** Takes everything down. */
  remove(): Promise<void> | void;
}

/**
 * Registers the suite with `node:test`. Every test gets a store of its own, on a clock that the test moves.
 *
 * @example
 * kvConformance("memory", async (clock) => ({ kv: memoryKv({ clock }), remove: () => undefined }));
 */
export function kvConformance(name: string, makePlace: (clock: Clock) => Promise<KvPlace>): void {
  const run = (title: string, body: (bench: Bench, clock: ManualClock) => Promise<void>): void => {
    test(title, async () => {
      const clock = manualClock();
      const place = await makePlace(clock);
      try {
        await body(new Bench(place.kv), clock);
      } finally {
        await place.remove();
      }
    });
  };
  describe(`the ${name} store of short-lived records: records`, () => recordCases(run));
  describe(`the ${name} store of short-lived records: conditions`, () => conditionCases(run));
  describe(`the ${name} store of short-lived records: points in time`, () => advanceCases(run));
}

type Run = (title: string, body: (bench: Bench, clock: ManualClock) => Promise<void>) => void;

/** The verbs, with what must be ok unwrapped. */
class Bench {
  readonly kv: KvStore;

  constructor(kv: KvStore) {
    this.kv = kv;
  }

  async get(key: string): Promise<KvEntry | undefined> {
    const result = await this.kv.get(key);
    assert.ok(result.ok);
    return result.value;
  }

  async set(key: string, value: string, options: Parameters<KvStore["set"]>[2]): Promise<number | undefined> {
    const result = await this.kv.set(key, value, options);
    assert.ok(result.ok);
    return result.value;
  }

  async delete(key: string, version?: number): Promise<boolean> {
    const result = await this.kv.delete(key, version);
    assert.ok(result.ok);
    return result.value;
  }

  async advance(key: string, byMs: number, mostMs: number): Promise<KvAdvanced> {
    const result = await this.kv.advance(key, byMs, mostMs);
    assert.ok(result.ok);
    return result.value;
  }
}

function recordCases(run: Run): void {
  run("what was set is there until its time is over", async (bench, clock) => {
    const version = await bench.set("a", "one", { ttlMs: 1000 });
    assert.deepEqual(await bench.get("a"), { value: "one", version });
    await clock.advance(999);
    assert.equal((await bench.get("a"))?.value, "one");
    await clock.advance(1);
    assert.equal(await bench.get("a"), undefined);
  });

  run("a second set replaces value, version and end", async (bench, clock) => {
    const first = await bench.set("a", "one", { ttlMs: 10 });
    const second = await bench.set("a", "two", { ttlMs: 1000 });
    assert.notEqual(first, second);
    await clock.advance(500);
    assert.deepEqual(await bench.get("a"), { value: "two", version: second });
  });

  run("what was deleted is gone, and deleting nothing says so", async (bench) => {
    await bench.set("a", "one", { ttlMs: 1000 });
    assert.equal(await bench.delete("a"), true);
    assert.equal(await bench.get("a"), undefined);
    assert.equal(await bench.delete("a"), false);
    assert.equal(await bench.delete("never"), false);
  });

  run("any text is a value, and any text a key", async (bench) => {
    const odd = 'a\u0000b "quoted" \u{1f600} %_ \n';
    await bench.set(odd, odd, { ttlMs: 1000 });
    await bench.set("empty", "", { ttlMs: 1000 });
    assert.equal((await bench.get(odd))?.value, odd);
    assert.equal((await bench.get("empty"))?.value, "");
    const long = "x".repeat(bench.kv.maxValueChars);
    await bench.set("long", long, { ttlMs: 1000 });
    assert.equal((await bench.get("long"))?.value, long);
  });

  run("keys and values over the limit are mistakes in the program", async (bench) => {
    const attempt = async (key: string, value: string): Promise<unknown> => bench.kv.set(key, value, { ttlMs: 1 });
    await assert.rejects(attempt("k".repeat(513), ""), /1 to 512 characters/);
    await assert.rejects(attempt("", ""), /1 to 512 characters/);
    await assert.rejects(attempt("a", "x".repeat(bench.kv.maxValueChars + 1)), /at most/);
  });
}

function conditionCases(run: Run): void {
  run("of many who set what must be absent, one wins", async (bench) => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => bench.set("lease", String(i), { ttlMs: 1000, if: "absent", pinned: true })),
    );
    const winners = all.flatMap((version, i) => (version === undefined ? [] : [String(i)]));
    assert.equal(winners.length, 1);
    assert.equal((await bench.get("lease"))?.value, winners[0]);
  });

  run("a record whose time is over is absent", async (bench, clock) => {
    await bench.set("lease", "one", { ttlMs: 10, if: "absent", pinned: true });
    assert.equal(await bench.set("lease", "two", { ttlMs: 10, if: "absent" }), undefined);
    await clock.advance(10);
    assert.notEqual(await bench.set("lease", "two", { ttlMs: 10, if: "absent" }), undefined);
  });

  run("a version holds only until the next write", async (bench) => {
    const first = await bench.set("a", "one", { ttlMs: 1000 });
    const second = await bench.set("a", "two", { ttlMs: 1000, if: first as number });
    assert.notEqual(second, undefined);
    assert.equal(await bench.set("a", "three", { ttlMs: 1000, if: first as number }), undefined);
    assert.equal(await bench.delete("a", first), false);
    assert.equal((await bench.get("a"))?.value, "two");
    assert.equal(await bench.delete("a", second), true);
  });

  run("an old version does not fit a record that was deleted and made anew", async (bench) => {
    const old = await bench.set("a", "one", { ttlMs: 1000 });
    await bench.delete("a");
    assert.equal(await bench.set("a", "revived", { ttlMs: 1000, if: old as number }), undefined);
    await bench.set("a", "two", { ttlMs: 1000 });
    assert.equal(await bench.set("a", "revived", { ttlMs: 1000, if: old as number }), undefined);
    assert.equal((await bench.get("a"))?.value, "two");
  });

  run("an old version does not fit a record whose time is over", async (bench, clock) => {
    const old = await bench.set("a", "one", { ttlMs: 10 });
    await clock.advance(10);
    assert.equal(await bench.set("a", "revived", { ttlMs: 1000, if: old as number }), undefined);
    assert.equal(await bench.delete("a", old), false);
  });

  run("of many who replace the same version, one wins", async (bench) => {
    const start = await bench.set("a", "start", { ttlMs: 1000 });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => bench.set("a", String(i), { ttlMs: 1000, if: start as number })),
    );
    assert.equal(all.filter((version) => version !== undefined).length, 1);
  });
}

function advanceCases(run: Run): void {
  run("a point moves from now, then from where it stands, up to the most", async (bench, clock) => {
    assert.deepEqual(await bench.advance("p", 40, 100), { accepted: true, aheadMs: 40 });
    assert.deepEqual(await bench.advance("p", 40, 100), { accepted: true, aheadMs: 80 });
    assert.deepEqual(await bench.advance("p", 40, 100), { accepted: false, aheadMs: 80 });
    assert.deepEqual(await bench.advance("p", 20, 100), { accepted: true, aheadMs: 100 });
    await clock.advance(30);
    assert.deepEqual(await bench.advance("p", 40, 100), { accepted: false, aheadMs: 70 });
    assert.deepEqual(await bench.advance("p", 30, 100), { accepted: true, aheadMs: 100 });
    await clock.advance(500);
    assert.deepEqual(await bench.advance("p", 40, 100), { accepted: true, aheadMs: 40 });
  });

  run("a step of nothing looks without changing", async (bench) => {
    assert.deepEqual(await bench.advance("p", 0, 100), { accepted: true, aheadMs: 0 });
    await bench.advance("p", 60, 100);
    assert.deepEqual(await bench.advance("p", 0, 100), { accepted: true, aheadMs: 60 });
  });

  run("a first step over the most is refused", async (bench) => {
    assert.deepEqual(await bench.advance("p", 101, 100), { accepted: false, aheadMs: 0 });
    assert.deepEqual(await bench.advance("p", 100, 100), { accepted: true, aheadMs: 100 });
  });

  run("steps that do not divide evenly count exactly", async (bench) => {
    for (const [burst, windowMs] of [
      [3, 1000],
      [7, 1000],
      [49, 60_000],
      [60, 1001],
    ] as const) {
      let accepted = 0;
      for (let i = 0; i < burst + 2; i++) {
        const step = await bench.advance(`p ${burst}`, windowMs / burst, (windowMs / burst) * burst);
        if (step.accepted) accepted++;
      }
      assert.equal(accepted, burst);
    }
  });

  run("steps at the same time each count", async (bench) => {
    const all = await Promise.all(Array.from({ length: 30 }, () => bench.advance("p", 10, 100)));
    assert.equal(all.filter(({ accepted }) => accepted).length, 10);
  });

  run("a clock that is stepped back does not lock anybody out for longer than the most", async (bench, clock) => {
    await bench.advance("p", 100, 100);
    clock.stepWall(-3_600_000);
    assert.deepEqual(await bench.advance("p", 10, 100), { accepted: false, aheadMs: 100 });
  });

  run("keys are independent", async (bench) => {
    await bench.advance("p", 100, 100);
    assert.deepEqual(await bench.advance("q", 100, 100), { accepted: true, aheadMs: 100 });
  });
}
