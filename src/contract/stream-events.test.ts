import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { bind, contract, fault, implementContract, subscription, type Incoming, type Jobs } from "./index.ts";

const Broken = fault("BROKEN", { kind: "unavailable" });
const ticks = subscription("ticks", {
  access: "public",
  input: { then: t.enum(["end", "fail", "stay"]) },
  output: { n: t.int32() },
  faults: [Broken],
});
const implemented = implementContract(contract("demo.v1", { ticks }), {
  handlers: {
    ticks: async function* ({ input, signal }) {
      yield { n: 1 };
      yield { n: 2 };
      if (input.then === "fail") return Broken();
      if (input.then === "stay") await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return undefined;
    },
  },
});

async function outcomeOf(then: string, end: "read" | "leave" | "drain"): Promise<readonly unknown[]> {
  const events = new Events();
  const heard: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  events.on("subscription.start", ({ operation, requestId }) => heard.push(operation, requestId));
  events.on("subscription.end", ({ items, outcome, fault: code }) => {
    heard.push(items, outcome, code);
    ended.resolve();
  });
  const shutdown = new AbortController().signal;
  // Nothing here enqueues.
  const app = bind(implemented, { clock: manualClock(), events, jobs: {} as Jobs, shutdown, newId: () => "1" });
  const left = new AbortController();
  const incoming = { header: () => undefined, remoteAddress: "", requestId: "r1", signal: left.signal } as unknown;
  const opened = await app.operations.get("ticks")?.open?.(incoming as Incoming, undefined, { then });
  assert.ok(opened?.ok);
  const stream = opened.value;
  for (;;) {
    const step = stream.next();
    if (stream.items === 2 && end === "leave") left.abort();
    if (stream.items === 2 && end === "drain") stream.move();
    if ((await step).type !== "item") break;
  }
  await ended.promise;
  return heard;
}

test("a stream tells that it began, and how it ended after how many items", async () => {
  assert.deepEqual(await outcomeOf("end", "read"), ["ticks", "r1", 2, "completed", undefined]);
  assert.deepEqual(await outcomeOf("fail", "read"), ["ticks", "r1", 2, "failed", "BROKEN"]);
  assert.deepEqual(await outcomeOf("stay", "leave"), ["ticks", "r1", 2, "aborted", undefined]);
  assert.deepEqual(await outcomeOf("stay", "drain"), ["ticks", "r1", 2, "drained", undefined]);
});
