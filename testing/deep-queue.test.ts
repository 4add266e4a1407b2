/**
 * Deep queues on each store: a backlog that neither holds up what is urgent nor what is of another name, also over a restart, and one key that has
 * almost all of the jobs. `TENSILE_DEPTH` makes them deeper: 100000, say, or a million.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contract, implementContract, job } from "../src/contract/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { onPlace, placeNames, until, type Worker } from "./worker-place.ts";

const depth = Number(process.env["TENSILE_DEPTH"] ?? 20_000);
/** Jobs with keys cost more to enqueue. */
const keyedDepth = Number(process.env["TENSILE_DEPTH"] ?? 5_000);
const input = { n: t.int() };
const deep = job("deep", { input });
const other = job("other", { input });
const keyed = job("keyed", {
  input: { key: t.string(), n: t.int() },
  key: ({ key }) => key,
  perKey: { ordered: true },
});
const demo = contract("deep.v1", { deep, other, keyed });

interface Seen {
  readonly deep: Set<number>;
  readonly others: Set<number>;
  readonly hot: number[];
  twice: number;
}

/** Of the hot key the first job waits for `gate`. */
function handlers(seen: Seen, gate: Promise<void> = Promise.resolve()) {
  const note = (of: Set<number>, n: number): void => {
    if (of.has(n)) seen.twice++;
    of.add(n);
  };
  return implementContract(demo, {
    handlers: {
      deep: ({ input: { n } }) => note(seen.deep, n),
      other: ({ input: { n } }) => note(seen.others, n),
      keyed: async ({ input: { key, n } }) => {
        if (key !== "hot") return note(seen.others, n);
        seen.hot.push(n);
        if (n === 0) await gate;
      },
    },
  });
}

const nothing = (): Seen => ({ deep: new Set(), others: new Set(), hot: [], twice: 0 });

async function fill(
  { jobs }: Worker,
  of: number,
  make: (from: number, length: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < of; from += 10_000) await make(from, Math.min(10_000, of - from));
  assert.equal(value(await jobs.counts()).ready, of);
}

for (const name of placeNames) {
  describe(`on ${name}`, () => {
    test(`a backlog of ${depth} jobs holds up nothing else, and all of it is done once, also over a restart`, () =>
      onPlace(name, async ({ worker }) => {
        const seen = nothing();
        const before = await worker(demo, handlers(seen), { idle: true });
        await fill(before, depth, async (from, length) =>
          value(
            await before.jobs.enqueueMany(
              deep,
              Array.from({ length }, (_, at) => ({ n: from + at })),
            ),
          ),
        );
        const urgent = value(await before.jobs.enqueue(deep, { n: -1 }, { priority: 0 }));
        const beside = value(await before.jobs.enqueue(other, { n: 1 }));
        await before.end();

        const first = await worker(demo, handlers(seen));
        value(await first.jobs.ref(deep, urgent.id).result());
        value(await first.jobs.ref(other, beside.id).result());
        assert.ok(seen.deep.size < depth / 2, `${seen.deep.size} ran before what was urgent and what was beside them`);
        await first.end();
        assert.ok(seen.deep.size < depth, "some is left for the next process");

        const second = await worker(demo, handlers(seen));
        await until(async () => {
          const { ready, running, scheduled } = value(await second.jobs.counts());
          return ready + running + scheduled === 0;
        });
        assert.deepEqual([seen.deep.size, seen.twice], [depth + 1, 0]);
        await second.end();
      }));

    test(`${keyedDepth} jobs of one key that stands still hold up no other key, and then go on in order`, () =>
      onPlace(name, async ({ worker }) => {
        const seen = nothing();
        const before = await worker(demo, handlers(seen), { idle: true });
        await fill(before, keyedDepth, async (from, length) =>
          value(
            await before.jobs.enqueueMany(
              keyed,
              Array.from({ length }, (_, at) => ({ key: "hot", n: from + at })),
            ),
          ),
        );
        await before.end();

        const { promise: gate, resolve: open } = Promise.withResolvers<void>();
        const { jobs, end } = await worker(demo, handlers(seen, gate));
        const inputs = Array.from({ length: 500 }, (_, n) => ({ key: `k${n % 50}`, n }));
        for (const ref of value(await jobs.enqueueMany(keyed, inputs))) value(await ref.result());
        assert.deepEqual([seen.others.size, seen.twice, seen.hot], [500, 0, [0]]);
        open();
        await until(() => seen.hot.length >= 100);
        assert.deepEqual(
          seen.hot,
          seen.hot.map((_, n) => n),
        );
        await end();
      }));
  });
}
