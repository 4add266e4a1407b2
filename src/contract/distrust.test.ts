/** What plain JavaScript, or a type that was forced, may hand to the waist: nobody gets in, nothing hangs, nothing ends the process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { err, manualClock, type Fault, type ManualClock, type Result } from "../core/index.ts";
import { ReplyFields } from "../exchange/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import {
  Unauthenticated,
  bind,
  contract,
  implementContract,
  memoryCalls,
  middleware,
  query,
  type BoundApp,
  type Incoming,
  type Jobs,
} from "./index.ts";

const output = { n: t.int32() };
const open = query("open", { access: "public", input: {}, output });
const signedIn = query("signedIn", { access: "authenticated", input: {}, output, timeout: "1s" });
const scoped = query("scoped", { access: { scopes: ["users:write"] }, input: {}, output });
const demo = contract("demo.v1", { open, signedIn, scoped });

interface Rig {
  readonly app: BoundApp;
  readonly clock: ManualClock;
  readonly defects: string[];
  readonly abandoned: string[];
}

function rig(parts: { handler?: unknown; authenticate?: unknown; context?: unknown; middleware?: unknown }): Rig {
  const clock = manualClock();
  const events = new Events();
  const defects: string[] = [];
  const abandoned: string[] = [];
  events.on("defect", ({ error }) => defects.push(String(error)));
  events.on("call.abandoned", ({ where }) => abandoned.push(where));
  const { handler = () => ({ n: 1 }), ...others } = parts;
  const handlers = { open: handler, signedIn: handler, scoped: handler };
  const app = bind(implementContract(demo, { ...others, handlers } as never), {
    clock,
    events,
    // No handler of this file enqueues.
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
  });
  return { app, clock, defects, abandoned };
}

const incoming: Incoming = {
  header: () => undefined,
  remoteAddress: "",
  requestId: "r1",
  signal: new AbortController().signal,
  reply: new ReplyFields(),
};

async function call({ app }: Rig, name: string): Promise<string> {
  const operation = app.operations.get(name);
  assert.ok(operation);
  const admitted = await operation.admit(incoming);
  const result: Result<unknown, Fault> = admitted.ok ? await operation.call(incoming, admitted.value, {}) : admitted;
  return result.ok ? "ok" : result.fault.code;
}

test("only a caller with a subject is a caller: anything else that authenticate returns lets nobody in", async () => {
  const wrong = [
    null,
    false,
    1,
    "ann",
    {},
    { subject: 7 },
    err(Unauthenticated()),
    { subject: "ann", scopes: "users:write" },
  ];
  for (const auth of wrong) {
    for (const authenticate of [() => auth, async () => auth]) {
      const bench = rig({ authenticate });
      assert.equal(await call(bench, "signedIn"), "INTERNAL", JSON.stringify(auth));
      assert.match(bench.defects[0] ?? "", /authenticate\(\) must return \{ subject/);
    }
  }
});

test("a scope is compared whole, never found inside of a longer text", async () => {
  const bench = rig({ authenticate: () => ({ subject: "ann", scopes: "users:write-none" }) });
  assert.equal(await call(bench, "scoped"), "INTERNAL");
});

test("authenticate that never settles is answered at the operation's time limit", async () => {
  const bench = rig({ authenticate: () => new Promise(() => {}) });
  const answer = call(bench, "signedIn");
  await bench.clock.advance(1_010);
  assert.equal(await answer, "DEADLINE_EXCEEDED");
  assert.deepEqual(bench.abandoned, ["signedIn: authenticate"]);
});

test("err() of something that is no fault is a defect, at once and later", async () => {
  for (const nonsense of [null, undefined, "text", { code: "GONE" }]) {
    for (const handler of [() => err(nonsense), async () => err(nonsense)]) {
      const bench = rig({ handler });
      assert.equal(await call(bench, "open"), "INTERNAL");
      assert.match(bench.defects[0] ?? "", /something that is no fault/);
    }
  }
});

test("next that nobody waits for ends no process, and a second one is reported", async () => {
  const twice = middleware(async (_call, next) => {
    const result = await next({});
    void next({});
    return result;
  });
  const bench = rig({ middleware: [twice] });
  assert.equal(await call(bench, "open"), "ok");
  assert.match(bench.defects[0] ?? "", /called next\(\) twice/);

  const forgets = middleware((_call, next) => {
    void next({});
    return err(Unauthenticated());
  });
  const throws = middleware(() => {
    throw new Error("inner");
  });
  const inner = rig({ middleware: [forgets, throws] });
  assert.equal(await call(inner, "open"), "UNAUTHENTICATED");
  assert.deepEqual(inner.defects, ["Error: inner"]);
});

test("middleware cannot put another input or caller under a handler", async () => {
  const forged = middleware<{ auth: object }>((_call, next) => next({ auth: { subject: "root" } }));
  const bench = rig({ middleware: [forged] });
  assert.equal(await call(bench, "open"), "INTERNAL");
  assert.match(bench.defects[0] ?? "", /has a member "auth"/);
});

test("a context whose methods handlers would not get is refused", async () => {
  class Services {
    readonly db = 1;
    find(): number {
      return this.db;
    }
  }
  assert.throws(() => rig({ context: new Services() }), /has "find" from its class/);
  const made = rig({ context: () => new Services() });
  assert.equal(await call(made, "open"), "INTERNAL");
  const nested = rig({
    context: () => ({ services: new Services() }),
    handler: ({ services }: { services: Services }) => ({ n: services.find() }),
  });
  assert.equal(await call(nested, "open"), "ok");
  assert.equal(await call(rig({ context: () => null }), "open"), "INTERNAL");
});

test("a call in memory gives a fault for an output that throws when it is read", async () => {
  const broken = {
    get n(): number {
      throw new Error("secret");
    },
  };
  const bench = rig({ handler: () => broken });
  const result = await memoryCalls<typeof demo.members>(bench.app).open({});
  assert.equal(result.ok ? "ok" : result.fault.code, "INTERNAL");
  assert.deepEqual(bench.defects, ["Error: secret"]);
});
