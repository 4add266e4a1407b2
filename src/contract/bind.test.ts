import assert from "node:assert/strict";
import { test } from "node:test";
import { err, manualClock, ok, type Fault, type Result } from "../core/index.ts";
import { ReplyFields } from "../exchange/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { MemoryRun } from "./memory-run.ts";
import {
  Unauthenticated,
  bind,
  contract,
  fault,
  implementContract,
  job,
  middleware,
  mutation,
  query,
  type BoundApp,
  type Incoming,
  type Jobs,
  type Middleware,
  type MiddlewareCall,
  type Next,
  type Principal,
} from "./index.ts";

const Gone = fault("GONE", { kind: "gone" });
const Limited = fault("LIMITED", { kind: "resource_exhausted" });
const Hidden = fault("HIDDEN", { kind: "conflict" });

const shape = { n: t.int32() };
const open = query("open", { access: "public", input: shape, output: { n: t.int32() }, faults: [Gone] });
const signedIn = query("signedIn", { access: "authenticated", input: shape, output: { who: t.string() } });
const scoped = mutation("scoped", { access: { scopes: ["write", "admin"] }, input: shape, output: { n: t.int32() } });
const own = mutation("own", {
  access: async ({ auth, input }) => auth.subject === String(input.n),
  input: shape,
  output: { n: t.int32() },
});
const slow = query("slow", { access: "public", input: shape, output: { n: t.int32() }, timeout: "2s" });
const work = job("work", { input: shape, output: { n: t.int32() }, faults: [Gone], timeout: "3s" });
const demo = contract("demo.v1", { open, signedIn, scoped, own, slow, work }, { faults: [Limited] });

type Call = { input: { n: number }; signal: AbortSignal };

type Run = (call: MiddlewareCall, next: Next<object>) => ReturnType<Middleware>;

interface Bench {
  readonly app: BoundApp;
  readonly clock: ReturnType<typeof manualClock>;
  readonly defects: { incident: string; where: string; error: unknown }[];
  readonly shutdown: AbortController;
}

function bench(handle: (call: Call) => unknown, chain: Run[] = []): Bench {
  const clock = manualClock();
  const events = new Events();
  const defects: Bench["defects"] = [];
  events.on("defect", (event) => defects.push(event));
  const shutdown = new AbortController();
  const handler = handle as (call: unknown) => never;
  const implemented = implementContract(demo, {
    authenticate: (request) => {
      const token = request.header("authorization");
      if (token === undefined) return undefined;
      if (token === "bad") return Unauthenticated({}, "The token is not valid.");
      const [subject = "", scopes = ""] = token.split(" ");
      return { subject, scopes: scopes.split(",") };
    },
    context: () => ({ greeting: "hello" }),
    middleware: chain.map((run) => middleware(run)),
    handlers: {
      open: handler,
      signedIn: ({ auth, greeting }) => ({ who: `${greeting} ${auth.subject}` }),
      scoped: handler,
      own: handler,
      slow: handler,
      work: handler,
    },
  });
  let ids = 0;
  const app = bind(implemented, {
    clock,
    events,
    // No handler of this file enqueues.
    jobs: {} as Jobs,
    shutdown: shutdown.signal,
    newId: () => `incident-${++ids}`,
  });
  return { app, clock, defects, shutdown };
}

function incoming(headers: Record<string, string> = {}, signal = new AbortController().signal): Incoming {
  return {
    header: (name) => headers[name],
    remoteAddress: "127.0.0.1",
    requestId: "r1",
    signal,
    reply: new ReplyFields(),
  };
}

async function call(
  { app }: Bench,
  name: string,
  n = 1,
  request: Incoming = incoming(),
): Promise<Result<unknown, Fault>> {
  const operation = app.operations.get(name);
  assert.ok(operation);
  const admitted = await operation.admit(request);
  return admitted.ok ? operation.call(request, admitted.value, { n }) : admitted;
}

function codeOf(result: Result<unknown, Fault>): string {
  return result.ok ? "ok" : result.fault.code;
}

test("a handler may return a value, a fault, a Result, a promise of them, or be a generator", async () => {
  const forms: [(call: Call) => unknown, string][] = [
    [({ input }) => input, "ok"],
    [() => Gone(), "GONE"],
    [({ input }) => ok(input), "ok"],
    [() => err(Gone()), "GONE"],
    [async ({ input }) => input, "ok"],
    [async () => err(Gone()), "GONE"],
    [
      function* ({ input }) {
        return { n: yield* ok(input.n) };
      },
      "ok",
    ],
    [
      function* () {
        yield* err(Gone());
        return { n: 2 };
      },
      "GONE",
    ],
    [
      async function* () {
        const n: number = yield* ok(5);
        return { n };
      },
      "ok",
    ],
    [
      async function* () {
        yield* await Promise.resolve(err(Gone()));
        return { n: 2 };
      },
      "GONE",
    ],
  ];
  for (const [handle, expected] of forms) assert.equal(codeOf(await call(bench(handle), "open")), expected);
});

test("when everything is synchronous the call answers without a promise", () => {
  const { app } = bench(({ input }) => input);
  const operation = app.operations.get("open");
  assert.ok(operation);
  const result = operation.call(incoming(), undefined, { n: 4 });
  assert.ok(!(result instanceof Promise));
  assert.deepEqual(result, ok({ n: 4 }));
});

test("an early return closes the generator, so that its finally blocks run", async () => {
  const seen: string[] = [];
  const result = await call(
    bench(async function* () {
      try {
        yield* err(Gone());
      } finally {
        seen.push("closed");
      }
    }),
    "open",
  );
  assert.equal(codeOf(result), "GONE");
  assert.deepEqual(seen, ["closed"]);
});

test("whatever a handler throws becomes an incident, and its message stays inside", async () => {
  for (const handle of [
    () => {
      throw new Error("secret");
    },
    async () => {
      throw new Error("secret");
    },
    function* () {
      yield* ok(1);
      throw new Error("secret");
    },
    async function* () {
      yield* ok(1);
      throw new Error("secret");
    },
    function* () {
      yield 5;
    },
    () => {
      // oxlint-disable-next-line typescript/only-throw-error -- users do
      throw "secret";
    },
  ] as ((call: Call) => unknown)[]) {
    const rig = bench(handle);
    const result = await call(rig, "open");
    assert.ok(!result.ok);
    assert.deepEqual(result.fault.toJSON(), {
      code: "INTERNAL",
      kind: "internal",
      data: { incident: "incident-1" },
      message: "An unexpected error happened. Incident incident-1.",
    });
    assert.equal(rig.defects[0]?.incident, "incident-1");
    assert.equal(rig.defects[0]?.where, "open");
  }
});

test("a fault that the contract does not declare is a defect; one declared for all operations is not", async () => {
  const rig = bench(() => Hidden());
  assert.equal(codeOf(await call(rig, "open")), "INTERNAL");
  assert.match(String(rig.defects[0]?.error), /"open" answered with the fault HIDDEN, which it does not declare/);
  assert.equal(
    codeOf(
      await call(
        bench(() => Limited()),
        "open",
      ),
    ),
    "LIMITED",
  );
});

test("access is decided before and with the input", async () => {
  const rig = bench(({ input }) => input);
  const as = (token: string): Incoming => incoming({ authorization: token });
  assert.equal(codeOf(await call(rig, "signedIn")), "UNAUTHENTICATED");
  assert.deepEqual(await call(rig, "signedIn", 1, as("ann")), ok({ who: "hello ann" }));
  assert.equal(codeOf(await call(rig, "open", 1, as("bad"))), "UNAUTHENTICATED");
  assert.equal(codeOf(await call(rig, "scoped", 1, as("ann write"))), "PERMISSION_DENIED");
  assert.equal(codeOf(await call(rig, "scoped", 1, as("ann admin,write"))), "ok");
  assert.equal(codeOf(await call(rig, "own", 1, as("ann"))), "PERMISSION_DENIED");
  assert.equal(codeOf(await call(rig, "own", 1, as("1"))), "ok");
});

test("middleware runs outside in, extends the context, and may answer itself", async () => {
  const order: string[] = [];
  const rig = bench(
    (given) => {
      order.push(`handler ${(given as unknown as { tenant: string }).tenant}`);
      return { n: 1 };
    },
    [
      async ({ name }, next) => {
        order.push(`before ${name}`);
        const result = await next({ tenant: "t1" });
        order.push("after");
        return result;
      },
      (view, next) => (view.header("x-block") === undefined ? next({}) : err(Limited())),
    ],
  );
  assert.equal(codeOf(await call(rig, "open")), "ok");
  assert.deepEqual(order, ["before open", "handler t1", "after"]);
  assert.equal(codeOf(await call(rig, "open", 1, incoming({ "x-block": "1" }))), "LIMITED");
});

test("middleware that calls next twice is a defect and the handler runs once", async () => {
  let runs = 0;
  const rig = bench(
    () => ({ n: ++runs }),
    [
      async (_view, next) => {
        void (await next({}));
        return next({});
      },
    ],
  );
  assert.equal(codeOf(await call(rig, "open")), "INTERNAL");
  assert.equal(runs, 1);
});

test("a handler that never settles is answered at its deadline, and its signal aborts", async () => {
  let signal: AbortSignal | undefined;
  const rig = bench((given) => {
    signal = given.signal;
    return new Promise(() => {});
  });
  const answer = call(rig, "slow");
  await rig.clock.advance(1_999);
  assert.equal(signal?.aborted, false);
  await rig.clock.advance(10);
  assert.equal(codeOf(await answer), "DEADLINE_EXCEEDED");
  assert.equal(signal?.aborted, true);
});

test("no timer is left when calls have ended", async () => {
  const rig = bench(async ({ input, signal }) => {
    assert.equal(signal.aborted, false);
    return input;
  });
  for (let n = 0; n < 10; n++) assert.equal(codeOf(await call(rig, "slow", n)), "ok");
  await rig.clock.advance(2_010);
  assert.equal(rig.clock.waiting, 0);
});

test("a client that goes away and a shutdown abort the signal; the handler's rejection is then no defect", async () => {
  const waiting = ({ signal }: Call): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  const rig = bench(waiting);
  const client = new AbortController();
  const gone = call(rig, "open", 1, incoming({}, client.signal));
  await rig.clock.advance(0);
  client.abort();
  assert.equal(codeOf(await gone), "CANCELLED");
  const stopping = call(rig, "open");
  await rig.clock.advance(0);
  rig.shutdown.abort();
  assert.equal(codeOf(await stopping), "SHUTTING_DOWN");
  assert.deepEqual(rig.defects, []);
});

test("a job runs through the same waist, and tells when its handler outlives the deadline", async () => {
  const run = new MemoryRun(work, 0);
  const rig = bench((given) => ({ n: (given as unknown as { job: MemoryRun }).job.attempt }));
  assert.deepEqual(await rig.app.jobs.get("work")?.run({ run, signal: undefined }, { n: 1 }), ok({ n: 1 }));

  const { promise, resolve } = Promise.withResolvers<{ n: number }>();
  const stuck = bench(() => promise);
  let abandoned: Promise<unknown> | undefined;
  const answer = stuck.app.jobs
    .get("work")
    ?.run({ run, signal: undefined, onAbandoned: (ended) => void (abandoned = ended) }, { n: 1 });
  await stuck.clock.advance(3_010);
  assert.equal(codeOf((await answer) ?? ok()), "DEADLINE_EXCEEDED");
  resolve({ n: 1 });
  assert.deepEqual(await abandoned, ok({ n: 1 }));
});

test("implementing is checked at start too", () => {
  const handlers = {} as never;
  assert.throws(() => implementContract(demo, { handlers }), /no handler for open, signedIn, scoped, own, slow, work/);
  const all = Object.fromEntries(Object.keys(demo.members).map((name) => [name, () => ({ n: 1 })]));
  assert.throws(
    () => implementContract(demo, { handlers: { ...all, extra: () => 1 } as never }),
    /extra is not in the contract/,
  );
  assert.throws(
    () => implementContract(demo, { context: { signal: 1 }, handlers: all as never }),
    /The context of "demo.v1" has a member "signal"/,
  );
});

test("a principal may carry more than the framework knows", () => {
  interface Person extends Principal {
    readonly email: string;
  }
  const me = query("me", { access: "authenticated", input: {}, output: { email: t.string() } });
  implementContract(contract("me.v1", { me }), {
    authenticate: (): Person => ({ subject: "1", email: "a@b.c" }),
    handlers: { me: ({ auth }) => ({ email: auth.email }) },
  });
});
