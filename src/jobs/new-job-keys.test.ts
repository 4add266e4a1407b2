/** Keys are made from the input as a handler will see it, whether it is read again from its text (as it must be) or not (where that gives the same). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, job } from "../contract/index.ts";
import { isPromiseLike, manualClock } from "../core/index.ts";
import { t, type Node, type Shape } from "../schema/index.ts";
import { compileJobs } from "./job-codec.ts";
import { jobLimits } from "./limits.ts";
import { newJob } from "./new-job.ts";
import type { NewJob } from "./store.ts";

type Keys = { readonly [K in "key" | "tenant" | "uniqueKey" | "payload"]: NewJob[K] | undefined };

/** What the store is given of a job with this input, and the inputs that its three functions saw. */
async function keysOf(
  shape: Shape,
  input: unknown,
): Promise<{ readonly made: Keys; readonly seen: readonly unknown[] }> {
  const seen: unknown[] = [];
  const show = (read: unknown): string => {
    seen.push(read);
    const { value } = read as { readonly value: unknown };
    return value instanceof Date ? `date ${value.toISOString()}` : `${typeof value} ${String(value)}`;
  };
  const one = job("one", { input: shape, perKey: { concurrency: 1 }, key: show, tenant: show, unique: show });
  const codec = compileJobs(contract("keys.v1", { one }), jobLimits.payloadBytes).get("one");
  assert.ok(codec);
  const made = newJob(codec, input, undefined, manualClock(), jobLimits);
  const result = isPromiseLike(made) ? await made : made;
  assert.ok(result.ok, result.ok ? "" : String(result.fault));
  const { key, tenant, uniqueKey, payload } = result.value;
  return { made: { key, tenant, uniqueKey, payload }, seen };
}

/** The same schema, but read again: nobody knows what the condition does. */
function again(node: Node): Node {
  return t.refine(node, () => true, "never said");
}

const plain: readonly (readonly [what: string, node: Node, value: unknown, shown: string])[] = [
  ["a text", t.string(), 'é "\u2028\ud800', 'string é "\u2028\ud800'],
  ["a whole number", t.int(), 9_007_199_254_740_991, "number 9007199254740991"],
  ["a float", t.float(), 1e21, "number 1e+21"],
  ["-0", t.float(), -0, "number 0"],
  ["-0 as a whole number", t.int32(), -0, "number 0"],
  ["null", t.nullable(t.boolean()), null, "object null"],
  [
    "a list",
    t.array(t.tuple([t.int(), t.string()])),
    [
      [1, "a"],
      [-0, ""],
    ],
    "object 1,a,0,",
  ],
];
for (const [what, node, value, shown] of plain) {
  test(`a key of ${what} is the same, whether the payload is read again or not`, async () => {
    const straight = await keysOf({ value: node }, { value });
    const read = await keysOf({ value: again(node) }, { value });
    assert.deepEqual(straight.made, read.made);
    assert.deepEqual(straight.made, {
      key: shown,
      tenant: shown,
      uniqueKey: shown,
      payload: JSON.stringify({ value }),
    });
  });
}

test("what is not in the schema is not seen by the functions, and neither is the caller's own object", async () => {
  const input = { value: { a: 1, more: 2 }, more: 3 };
  for (const wrap of [(node: Node) => node, again]) {
    const { seen } = await keysOf({ value: wrap(t.object({ a: t.int() }, { unknown: "strip" })) }, input);
    assert.equal(seen.length, 3);
    for (const one of seen) {
      assert.deepEqual(one, { value: { a: 1 } });
      assert.notEqual((one as typeof input).value, input.value);
    }
  }
});

const others: readonly (readonly [what: string, shape: Shape, input: unknown, shown: string])[] = [
  ["a Date", { value: t.timestamp() }, { value: new Date(1_000) }, "date 1970-01-01T00:00:01.000Z"],
  ["a bigint", { value: t.int64() }, { value: 2n ** 60n }, "bigint 1152921504606846976"],
  ["a duration", { value: t.duration() }, { value: 1_500 }, "number 1500"],
  ["a default", { value: t.default(t.string(), "filled in") }, {}, "string filled in"],
  ["an optional field", { value: t.optional(t.string()) }, {}, "undefined undefined"],
  ["a field of another name", { value: t.rename(t.string(), "wire") }, { value: "a" }, "string a"],
  [
    "another library's transform",
    {
      value: t.foreign({
        "~standard": { version: 1, vendor: "test", validate: (given) => ({ value: String(given).trim() }) },
      }),
    },
    { value: " a " },
    "string a",
  ],
];
for (const [what, shape, input, shown] of others) {
  test(`a key of ${what} is made from the decoded value, not from its wire form`, async () => {
    const { made } = await keysOf(shape, input);
    assert.deepEqual([made.key, made.tenant, made.uniqueKey], [shown, shown, shown]);
  });
}
