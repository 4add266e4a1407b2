import assert from "node:assert/strict";
import { test } from "node:test";
import { Aborted, err, manualClock, ok, type ManualClock, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { Events, type EventTable } from "../telemetry/index.ts";
import {
  bind,
  contract,
  event,
  fault,
  httpPlan,
  implementContract,
  memoryCalls,
  subscription,
  type BoundApp,
  type Handler,
  type Jobs,
  type MemoryCalls,
  type Principal,
  type StreamLimits,
} from "./index.ts";

const TooHigh = fault("TOO_HIGH", { kind: "out_of_range", data: { most: t.int32() } });
const Undeclared = fault("UNDECLARED", { kind: "gone" });
const count = subscription("count", {
  access: "public",
  input: { to: t.int32() },
  output: { n: t.int32() },
  faults: [TooHigh],
  resume: true,
  timeout: "1s",
  maxAge: "1h",
});
const live = contract("live.v1", { count });

type Members = typeof live.members;
type CountHandler = Handler<Members["count"], unknown, Principal>;

interface Bench {
  readonly app: BoundApp;
  readonly calls: MemoryCalls<Members>;
  readonly clock: ManualClock;
  readonly defects: EventTable["defect"][];
  readonly abandoned: EventTable["call.abandoned"][];
}

/** A handler that the compiler would refuse, as a program without types may have one. */
function untyped(handler: (call: never) => unknown): CountHandler {
  return handler as CountHandler;
}

function bench(handler: CountHandler, streamLimits?: Partial<StreamLimits>): Bench {
  const clock = manualClock();
  const events = new Events();
  const defects: EventTable["defect"][] = [];
  const abandoned: EventTable["call.abandoned"][] = [];
  events.on("defect", (one) => defects.push(one));
  events.on("call.abandoned", (one) => abandoned.push(one));
  const app = bind(implementContract(live, { handlers: { count: handler } }), {
    clock,
    events,
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
    streamLimits,
  });
  return { app, calls: memoryCalls<Members>(app), clock, defects, abandoned };
}

async function all<T, F>(stream: AsyncIterable<Result<T, F>>): Promise<Result<T, F>[]> {
  const seen: Result<T, F>[] = [];
  for await (const one of stream) seen.push(one);
  return seen;
}

const upTo: CountHandler = async function* ({ input }) {
  for (let n = 1; n <= input.to; n++) yield { n };
};

/** Turns of the loop: what hangs on promises has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a subscription gives its items, checked and filtered by their schema, and ends", async () => {
  const { calls, app } = bench(async function* ({ input }) {
    for (let n = 1; n <= input.to; n++) yield { n, password: "never leaves" };
  });
  assert.deepEqual(await all(calls.count({ to: 3 })), [ok({ n: 1 }), ok({ n: 2 }), ok({ n: 3 })]);
  await settled();
  assert.equal(app.streams.size, 0);
});

test("a stream ends with the declared fault that its handler returns, or meets by yield*", async () => {
  const returned = bench(async function* ({ input }) {
    yield { n: 1 };
    return TooHigh({ most: input.to });
  });
  const [first, last, ...rest] = await all(returned.calls.count({ to: 5 }));
  assert.deepEqual(first, ok({ n: 1 }));
  assert.ok(last !== undefined && !last.ok && last.fault.code === "TOO_HIGH" && last.fault.data.most === 5);
  assert.deepEqual(rest, []);

  let cleaned = false;
  const met = bench(async function* () {
    try {
      const two = yield* ok(2);
      yield { n: two };
      yield* err(TooHigh({ most: 1 }));
      yield { n: 99 };
    } finally {
      cleaned = true;
    }
  });
  const seen = await all(met.calls.count({ to: 5 }));
  assert.deepEqual(
    seen.map((one) => (one.ok ? one.value.n : one.fault.code)),
    [2, "TOO_HIGH"],
  );
  assert.ok(cleaned);
});

test("a fault in place of a stream, at once or by a promise", async () => {
  for (const handler of [
    (): unknown => TooHigh({ most: 1 }),
    async (): Promise<unknown> => err(TooHigh({ most: 1 })),
  ]) {
    const { calls, app } = bench(untyped(handler));
    const [only, ...rest] = await all(calls.count({ to: 1 }));
    assert.ok(only !== undefined && !only.ok && only.fault.code === "TOO_HIGH");
    assert.deepEqual(rest, []);
    assert.equal(app.streams.size, 0);
  }
});

test("what a handler may not do is an incident, and its finally blocks run", async () => {
  let cleaned = 0;
  const wrong: [RegExp, (call: never) => unknown][] = [
    [/boom/, fromBody(() => Promise.reject(new Error("boom")))],
    [/does not declare/, fromBody(async () => err(Undeclared()))],
    [/`yield` gives an item/, fromBody(async () => TooHigh({ most: 1 }))],
    [/`yield` gives an item/, fromBody(async () => ok({ n: 1 }))],
    [/visible ASCII/, fromBody(async () => event({ n: 1 }, { id: "ä" }))],
    [/visible ASCII/, fromBody(async () => event({ n: 1 }, { id: "tensile:end" }))],
    [/does not fit its schema/, fromBody(async () => ({ n: 0.5 }))],
    [/gave no stream/, () => ({ n: 1 })],
    [/gave no stream/, () => undefined],
    [
      /no iterator/,
      () => ({
        [Symbol.asyncIterator]: () => {
          throw new Error("no iterator");
        },
      }),
    ],
  ];
  function fromBody(second: () => Promise<unknown>): (call: never) => unknown {
    return async function* () {
      try {
        yield { n: 1 };
        yield await second();
        yield { n: 2 };
      } finally {
        cleaned++;
      }
    };
  }
  for (const [message, handler] of wrong) {
    const { calls, defects, app } = bench(untyped(handler));
    const seen = await all(calls.count({ to: 1 }));
    const last = seen.at(-1);
    assert.ok(last !== undefined && !last.ok && last.fault.code === "INTERNAL", String(message));
    assert.equal(defects.length, 1, String(message));
    assert.match(String(defects[0]?.error), message);
    await settled();
    assert.equal(app.streams.size, 0, String(message));
  }
  assert.equal(cleaned, 7);
});

test("leaving the loop ends the handler: its signal aborts, and its finally block runs", async () => {
  let why: unknown;
  let cleaned = false;
  const { calls, app, defects } = bench(async function* ({ signal }) {
    try {
      yield { n: 1 };
      yield { n: 2 };
    } finally {
      why = signal.reason;
      cleaned = true;
    }
  });
  for await (const one of calls.count({ to: 1 })) {
    assert.deepEqual(one, ok({ n: 1 }));
    break;
  }
  await settled();
  assert.ok(cleaned);
  assert.ok(why instanceof Aborted && why.why === "client");
  assert.equal(app.streams.size, 0);
  assert.deepEqual(defects, []);
});

test("a handler that waits is woken by its signal, and what it throws for that is no incident", async () => {
  const { calls, app, defects } = bench(async function* ({ signal }) {
    yield { n: 1 };
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  const stop = new AbortController();
  const iterator = calls.count({ to: 1 }, { signal: stop.signal })[Symbol.asyncIterator]();
  await iterator.next();
  const waiting = iterator.next();
  stop.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  await settled();
  assert.equal(app.streams.size, 0);
  assert.deepEqual(defects, []);
});

test("a handler that does not end when its client has left keeps its place, and the log hears of it", async () => {
  const { calls, app, clock, abandoned } = bench(async function* () {
    yield { n: 1 };
    await new Promise(() => undefined);
  });
  const iterator = calls.count({ to: 1 })[Symbol.asyncIterator]();
  await iterator.next();
  void iterator.next();
  await settled();
  await iterator.return?.();
  await clock.advance(5_000);
  assert.deepEqual(abandoned, [{ where: "count", timeoutMs: 5_000 }]);
  assert.equal(app.streams.size, 1);
});

test("the handler is pulled only when somebody asks for the next item", async () => {
  let made = 0;
  const { calls } = bench(async function* () {
    for (;;) yield { n: ++made };
  });
  const iterator = calls.count({ to: 1 })[Symbol.asyncIterator]();
  for (let i = 1; i <= 3; i++) {
    await iterator.next();
    await settled();
    assert.equal(made, i);
  }
  await iterator.return?.();
});

test("opening has the operation's time limit, the stream has none", async () => {
  const { calls, clock, app } = bench(() => new Promise(() => undefined));
  const late = all(calls.count({ to: 1 }));
  await clock.advance(1_000);
  const [only] = await late;
  assert.ok(only !== undefined && !only.ok && only.fault.code === "DEADLINE_EXCEEDED");
  assert.equal(app.streams.size, 0);

  const { promise, resolve } = Promise.withResolvers<void>();
  const long = bench(async function* ({ signal }) {
    await promise;
    yield { n: signal.aborted ? 0 : 1 };
  });
  const seen = all(long.calls.count({ to: 1 }));
  await long.clock.advance(600_000);
  resolve();
  assert.deepEqual(await seen, [ok({ n: 1 })]);
});

test("a handler that gives its stream after the deadline has it closed", async () => {
  let closed = false;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { calls, clock } = bench(untyped(() => promise));
  const late = all(calls.count({ to: 1 }));
  await clock.advance(1_000);
  await late;
  resolve({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: () => {
        closed = true;
        return Promise.resolve({ done: true });
      },
    }),
  });
  await settled();
  assert.ok(closed);
});

test("a drain ends every stream and opens no other; maxAge does the same for one", async () => {
  const forever: CountHandler = async function* ({ signal }) {
    yield { n: 1 };
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };
  const one = bench(forever);
  const seen = all(one.calls.count({ to: 1 }));
  await settled();
  await one.app.streams.drain();
  assert.deepEqual(
    (await seen).map((result) => (result.ok ? result.value.n : result.fault.code)),
    [1, "STREAM_MOVED"],
  );
  const [refused] = await all(one.calls.count({ to: 1 }));
  assert.ok(refused !== undefined && !refused.ok && refused.fault.code === "SHUTTING_DOWN");

  const old = bench(forever);
  const until = all(old.calls.count({ to: 1 }));
  await old.clock.advance(3_600_000);
  assert.equal((await until).length, 2);
  assert.equal(old.app.streams.size, 0);
  assert.equal(old.clock.waiting, 0);
});

test("there are at most `streams` streams; an ended one makes room", async () => {
  const { calls, app } = bench(upTo, { streams: 2 });
  const open = [calls.count({ to: 5 }), calls.count({ to: 5 })].map((stream) => stream[Symbol.asyncIterator]());
  for (const iterator of open) await iterator.next();
  const [refused] = await all(calls.count({ to: 1 }));
  assert.ok(refused !== undefined && !refused.ok && refused.fault.code === "TOO_MANY_STREAMS");
  await open[0]?.return?.();
  await settled();
  assert.equal(app.streams.size, 1);
  assert.deepEqual(await all(calls.count({ to: 1 })), [ok({ n: 1 })]);
});

test("a stream goes on after the id that its client has seen", async () => {
  const { calls } = bench(async function* ({ input, lastEventId }) {
    for (let n = Number(lastEventId ?? 0) + 1; n <= input.to; n++) yield event({ n }, { id: String(n) });
  });
  const first = calls.count({ to: 4 });
  for await (const one of first) if (one.ok && one.value.n === 2) break;
  assert.equal(first.lastEventId, "2");
  const second = calls.count({ to: 4 }, { lastEventId: first.lastEventId ?? "" });
  assert.deepEqual(await all(second), [ok({ n: 3 }), ok({ n: 4 })]);
  assert.equal(second.lastEventId, "4");
});

test("what a subscription cannot be is said at the start", () => {
  const options = { access: "public", input: {}, output: { n: t.int32() } } as const;
  assert.throws(() => subscription("s", { ...options, maxAge: 0 }), /maxAge/);
  const plan = (more: object): unknown => httpPlan(subscription("s", { ...options, ...more }));
  assert.throws(() => plan({ http: "PUT /s" }), /only reads/);
  assert.throws(() => plan({ http: { route: "GET /s", status: 201 } }), /status 200/);
  assert.throws(() => plan({ output: t.nothing() }), /stream of nothing/);
  assert.throws(() => plan({ input: { lastEventId: t.string() } }), /lastEventId/);
  assert.throws(() => bench(upTo, { streams: -1 }), /stream limit "streams"/);
  assert.throws(() => bench(upTo, { many: 1 } as object), /no limit|not a limit/);
});
