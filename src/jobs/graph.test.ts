import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, discard, fault, implementContract, job, type Contract } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { jobBench, settled, type JobBench } from "../../testing/job-bench.ts";

const Broken = fault("BROKEN", { kind: "not_found" });
const resize = job("resize", {
  input: { photo: t.int() },
  output: { bytes: t.int() },
  faults: [Broken],
  retry: { on: { BROKEN: discard } },
  queue: "media",
});
const announce = job("announce", { input: { album: t.string() }, output: { text: t.string() } });
const watermark = job("watermark", { input: { photo: t.int() }, queue: "media" });
const album = contract("album.v1", { resize, announce, watermark });

/** Photos below 0 are broken; `order` is what ran. */
async function bench(): Promise<JobBench & { readonly order: string[] }> {
  const order: string[] = [];
  const made = await jobBench(album, (of: Contract) =>
    implementContract(of as typeof album, {
      handlers: {
        resize: ({ input: { photo } }) => {
          order.push(`resize ${photo}`);
          return photo < 0 ? Broken() : { bytes: photo * 10 };
        },
        watermark: ({ input: { photo } }) => void order.push(`watermark ${photo}`),
        announce: async ({ job: run }) => {
          const sizes = await run.parents(resize);
          const all = await run.parents();
          order.push("announce");
          return {
            text: `${all.length}: ${sizes.map(({ state, output }) => `${state} ${output?.bytes ?? "-"}`).join(", ")}`,
          };
        },
      },
    }),
  );
  await made.engine.start();
  return { ...made, order };
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

test("jobs of a graph run after those that they name, and read what these came to", async () => {
  const { jobs, order, engine } = await bench();
  const graph = jobs.graph();
  const one = graph.add(resize, { photo: 1 });
  const two = graph.add(resize, { photo: 2 });
  const mark = graph.add(watermark, { photo: 2 }, { after: [two] });
  const last = graph.add(announce, { album: "x" }, { after: [one, two, mark] });
  const started = value(await graph.enqueue());
  assert.equal(started.refs.length, 4);
  assert.deepEqual(value(await started.ref(last).result()), { text: "3: succeeded 10, succeeded 20" });
  assert.ok(order.indexOf("watermark 2") > order.indexOf("resize 2"));
  assert.equal(order.at(-1), "announce");
  // What has ended can be named too, by its reference or its id.
  const later = value(await jobs.enqueue(announce, { album: "y" }, { after: [started.ref(one), started.ref(two).id] }));
  assert.equal(value(await later.result()).text, "2: succeeded 10, succeeded 20");
  await engine.drain();
});

test("when one fails for good, those that depend on its success are cancelled, and so on", async () => {
  const { jobs, order } = await bench();
  const graph = jobs.graph();
  const bad = graph.add(resize, { photo: -1 });
  const middle = graph.add(watermark, { photo: 1 }, { after: [bad] });
  const last = graph.add(announce, { album: "x" }, { after: [middle] });
  const started = value(await graph.enqueue());
  const result = await started.ref(last).result();
  assert.ok(!result.ok && result.fault.code === "JOB_CANCELLED");
  assert.deepEqual(order, ["resize -1"]);
  assert.equal(value(await jobs.get(started.ref(last).id))?.errors.at(-1)?.code, "DEPENDENCY_FAILED");
});

test("the last job of a batch runs when all have ended, however they did", async () => {
  const { jobs } = await bench();
  const made = value(await jobs.batch(resize, [{ photo: 1 }, { photo: -1 }], { job: announce, input: { album: "x" } }));
  assert.equal(made.jobs.length, 2);
  assert.equal(value(await made.last.result()).text, "2: succeeded 10, failed -");
  const strict = value(
    await jobs.batch(resize, [{ photo: -1 }], { job: announce, input: { album: "x" }, on: "succeeded" }),
  );
  assert.equal((await strict.last.result()).ok, false);
  const empty = value(await jobs.batch(resize, [], { job: announce, input: { album: "x" } }));
  assert.equal(value(await empty.last.result()).text, "0: ");
});

test("a graph is all or nothing, and says which input is wrong", async () => {
  const { jobs } = await bench();
  const graph = jobs.graph();
  graph.add(resize, { photo: 1 });
  graph.add(resize, { photo: "two" as never });
  const refused = await graph.enqueue();
  assert.ok(!refused.ok && refused.fault.code === "INVALID_INPUT");
  assert.deepEqual(
    refused.fault.data.issues.map(({ pointer }) => pointer),
    ["/1/photo"],
  );
  assert.deepEqual(value(await jobs.list()), []);
});

test("nodes of another graph, and a graph that is enqueued twice, are a TypeError", async () => {
  const { jobs } = await bench();
  const graph = jobs.graph();
  const node = graph.add(resize, { photo: 1 });
  assert.throws(() => jobs.graph().add(announce, { album: "x" }, { after: [node] }), /a node of another graph/);
  const started = value(await graph.enqueue());
  assert.throws(() => graph.add(resize, { photo: 2 }), /enqueued already/);
  await assert.rejects(graph.enqueue(), /enqueued already/);
  assert.throws(() => started.ref(jobs.graph().add(resize, { photo: 1 })), /of another graph/);
});

test("nothing of a paused queue begins until it is resumed, and other jobs go on", async () => {
  const { jobs, order, events } = await bench();
  const heard: unknown[] = [];
  events.on("jobs.paused", (event) => heard.push(event));
  value(await jobs.pause({ queue: "media" }));
  assert.deepEqual(value(await jobs.paused()).toSorted(), ["resize", "watermark"]);
  const held = value(await jobs.enqueue(resize, { photo: 1 }));
  value(await value(await jobs.enqueue(announce, { album: "x" })).result());
  await settled();
  assert.deepEqual(order, ["announce"]);
  value(await jobs.resume(resize));
  assert.deepEqual(value(await held.result()), { bytes: 10 });
  assert.deepEqual(value(await jobs.paused()), ["watermark"]);
  assert.deepEqual(heard, [
    { names: ["resize", "watermark"], paused: true },
    { names: ["resize"], paused: false },
  ]);
  await assert.rejects(jobs.pause({ queue: "mial" }), /No job of "album.v1" is in a queue "mial"/);
});
