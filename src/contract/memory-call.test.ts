import assert from "node:assert/strict";
import { test } from "node:test";
import { ok, systemClock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import {
  bind,
  contract,
  fault,
  implementContract,
  job,
  memoryCalls,
  query,
  type Jobs,
  type MemoryCalls,
} from "./index.ts";

const Gone = fault("GONE", { kind: "gone", data: { at: t.timestamp() } });
const find = query("find", {
  access: "public",
  input: { id: t.int64(), page: t.default(t.int32({ minimum: 1 }), 1) },
  output: { id: t.int64(), page: t.int32() },
  faults: [Gone],
});
const mine = query("mine", { access: "authenticated", input: {}, output: { who: t.string() } });
const broken = query("broken", { access: "public", input: {}, output: { n: t.int32() } });
const work = job("work", { input: { n: t.int32() }, output: { doubled: t.int32() } });
const silent = job("silent", { input: {} });
const demo = contract("demo.v1", { find, mine, broken, work, silent });

function calls(): MemoryCalls<typeof demo.members> {
  const implemented = implementContract(demo, {
    handlers: {
      find: ({ input }) =>
        input.id === 0n ? Gone({ at: new Date(0) }) : { id: input.id, page: input.page, password: "never leaves" },
      mine: ({ auth }) => ({ who: auth.subject }),
      broken: () => ({ n: 0.5 }),
      work: ({ input, job: run }) => ({ doubled: input.n * 2 * run.attempt }),
      silent: () => {},
    },
  });
  const app = bind(implemented, {
    clock: systemClock,
    events: new Events(),
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
  });
  return memoryCalls(app);
}

test("a call in memory validates, fills in defaults, and filters the output like one over the wire", async () => {
  assert.deepEqual(await calls().find({ id: 5n }), ok({ id: 5n, page: 1 }));
  const refused = await calls().find({ id: 5n, page: 0 });
  assert.ok(!refused.ok && refused.fault.code === "INVALID_INPUT");
  assert.equal(refused.fault.data.issues[0]?.pointer, "/page");
});

test("faults come back as values", async () => {
  const gone = await calls().find({ id: 0n });
  assert.ok(!gone.ok && gone.fault.code === "GONE");
  assert.deepEqual(gone.fault.data, { at: new Date(0) });
});

test("access holds in memory too", async () => {
  const nobody = await calls().mine({});
  assert.ok(!nobody.ok && nobody.fault.code === "UNAUTHENTICATED");
  assert.deepEqual(await calls().mine({}, { auth: { subject: "ann" } }), ok({ who: "ann" }));
});

test("an output that does not fit its schema is an incident", async () => {
  const result = await calls().broken({});
  assert.ok(!result.ok && result.fault.code === "INTERNAL");
});

test("a job runs one attempt, without a store", async () => {
  assert.deepEqual(await calls().work({ n: 4 }), ok({ doubled: 8 }));
  assert.deepEqual(await calls().silent({}), ok());
});
