/** The time of a call, as its caller may shorten it; and the trace that it belongs to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import {
  bind,
  contract,
  implementContract,
  memoryCalls,
  middleware,
  query,
  type CallTools,
  type Jobs,
  type MemoryCalls,
  type Middleware,
  type MiddlewareCall,
  type Next,
} from "./index.ts";

const slow = query("slow", { access: "public", input: {}, output: { left: t.float() }, timeout: "2s" });
const demo = contract("demo.v1", { slow });
type Handle = (call: CallTools<undefined>) => unknown;

interface Bench {
  readonly clock: ReturnType<typeof manualClock>;
  readonly calls: MemoryCalls<{ readonly slow: typeof slow }>;
  readonly abandoned: number[];
}

type Run = (call: MiddlewareCall, next: Next<object>) => ReturnType<Middleware>;

function bench(handle: Handle, chain: Run[] = []): Bench {
  const clock = manualClock();
  const events = new Events();
  const abandoned: number[] = [];
  events.on("call.abandoned", ({ timeoutMs }) => abandoned.push(timeoutMs));
  const implemented = implementContract(demo, {
    middleware: chain.map((run) => middleware(run)),
    handlers: { slow: handle as () => never },
  });
  const shutdown = new AbortController().signal;
  // Nothing here enqueues.
  const app = bind(implemented, { clock, events, jobs: {} as Jobs, shutdown, newId: () => "1" });
  return { clock, calls: memoryCalls(app), abandoned };
}

const forever: Handle = () => new Promise(() => {});

async function codeAfter(made: Bench, header: string, ms: number): Promise<string | undefined> {
  let code: string | undefined;
  void made.calls.slow({}, { headers: { "request-timeout": header } }).then((result) => {
    code = result.ok ? "ok" : result.fault.code;
  });
  await made.clock.advance(ms);
  return code;
}

test("a caller's own time ends a call earlier than the operation's", async () => {
  const made = bench(forever);
  assert.equal(await codeAfter(made, "0.5", 499), undefined);
  const again = bench(forever);
  assert.equal(await codeAfter(again, "0.5", 500), "DEADLINE_EXCEEDED");
  assert.deepEqual(again.abandoned, [500]);
});

test("it cannot make it longer, and what cannot be read changes nothing", async () => {
  for (const header of ["3600", "soon", "-1", ""]) {
    assert.equal(await codeAfter(bench(forever), header, 1_900), undefined, header);
    assert.equal(await codeAfter(bench(forever), header, 2_010), "DEADLINE_EXCEEDED", header);
  }
});

test("no time at all is over at once", async () => {
  assert.equal(await codeAfter(bench(forever), "0", 1), "DEADLINE_EXCEEDED");
});

test("the handler sees how long it has, and its signal aborts then", async () => {
  let aborted = "";
  const made = bench(async ({ deadline, signal }) => {
    const left = deadline.remaining();
    assert.equal(left, 1_250);
    signal.addEventListener("abort", () => (aborted = (signal.reason as Error).name));
    await new Promise(() => {});
  });
  assert.equal(await codeAfter(made, "1.25", 1_250), "DEADLINE_EXCEEDED");
  assert.equal(aborted, "TimeoutError");
});

test("without a caller's time the operation's own counts down", async () => {
  const made = bench(async ({ deadline }) => ({ left: deadline.remaining() }));
  const result = await made.calls.slow({});
  assert.deepEqual(result.ok && result.value, { left: 2_000 });
});

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ours = "00-4bf92f3577b34da6a3ce929d0e0e4736-aaaaaaaaaaaaaaaa-01";

test("the trace of the caller reaches the handler, or that of a span which middleware began", async () => {
  const seen: (string | undefined)[] = [];
  const note: Handle = ({ trace }) => {
    seen.push(trace?.traceparent);
    return { left: 0 };
  };
  const headers = { traceparent };
  void (await bench(note).calls.slow({}, { headers }));
  void (await bench(note).calls.slow({}, {}));
  const began = bench(note, [
    async (call, next) => {
      assert.equal(call.trace?.traceparent, traceparent);
      call.continueTrace({ traceparent: ours });
      return next({});
    },
  ]);
  void (await began.calls.slow({}, { headers }));
  assert.deepEqual(seen, [traceparent, undefined, ours]);
});
