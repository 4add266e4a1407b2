import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock, ok, type Fault, type Result } from "../core/index.ts";
import { ReplyFields } from "../exchange/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import {
  PermissionDenied,
  bind,
  contract,
  fault,
  implementContract,
  job,
  memoryCalls,
  middleware,
  mutation,
  query,
  type BoundApp,
  type Incoming,
  type Jobs,
  type Middleware,
} from "./index.ts";

const Limited = fault("LIMITED", { kind: "resource_exhausted", data: { retryAfterMs: t.int() } });
const Undeclared = fault("UNDECLARED", { kind: "conflict" });

const read = query("read", { access: "public", input: {}, output: { n: t.int32() }, timeout: "2s" });
const write = mutation("write", { access: { scopes: ["w"] }, input: {}, output: { n: t.int32() } });
const work = job("work", { input: {} });
const demo = contract("demo.v1", { read, write, work });

function rig(list: readonly Middleware<object, Fault>[]) {
  const clock = manualClock();
  const events = new Events();
  const defects: unknown[] = [];
  events.on("defect", ({ error }) => defects.push((error as Error).message));
  const ran: string[] = [];
  const implemented = implementContract(demo, {
    authenticate: (request) => {
      const subject = request.header("authorization");
      return subject === undefined ? undefined : { subject, scopes: ["w"] };
    },
    middleware: list,
    handlers: {
      read: () => (ran.push("read"), { n: 1 }),
      write: () => (ran.push("write"), { n: 2 }),
      work: () => (ran.push("work"), undefined),
    },
  });
  const app = bind(implemented, {
    clock,
    events,
    // No handler of this file enqueues.
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
  });
  return { app, clock, defects, ran };
}

function incoming(headers: Record<string, string> = {}): Incoming {
  return {
    header: (name) => headers[name],
    remoteAddress: "192.0.2.1",
    requestId: "r1",
    signal: new AbortController().signal,
    reply: new ReplyFields(),
  };
}

async function admit(app: BoundApp, name: string, request = incoming()): Promise<string> {
  const admitted = await app.operations.get(name)?.admit(request);
  assert.ok(admitted);
  return codeOf(admitted);
}

function codeOf(result: Result<unknown, Fault>): string {
  return result.ok ? "ok" : result.fault.code;
}

test("admit runs after access, outermost first, and the first refusal is the answer", async () => {
  const seen: string[] = [];
  const first = middleware({
    admit: async (call, { type, name }) => {
      seen.push(`first ${type} ${name} ${call.auth?.subject} ${call.remoteAddress} ${call.requestId}`);
      return undefined;
    },
  });
  const second = middleware({
    faults: [Limited],
    admit: (call) => {
      seen.push("second");
      return call.header("x-flood") === undefined ? undefined : Limited({ retryAfterMs: 5 });
    },
  });
  const { app } = rig([first, second, middleware({ admit: () => void seen.push("third") })]);
  assert.equal(await admit(app, "write"), "UNAUTHENTICATED");
  assert.deepEqual(seen, []);
  assert.equal(await admit(app, "write", incoming({ authorization: "ann" })), "ok");
  assert.deepEqual(seen, ["first mutation write ann 192.0.2.1 r1", "second", "third"]);
  seen.length = 0;
  assert.equal(await admit(app, "read", incoming({ "x-flood": "1" })), "LIMITED");
  assert.deepEqual(seen, ["first query read undefined 192.0.2.1 r1", "second"]);
});

test("a synchronous admit makes no promise", () => {
  const { app } = rig([middleware({ admit: () => undefined }), middleware({ admit: () => PermissionDenied() })]);
  const admitted = app.operations.get("read")?.admit(incoming());
  assert.ok(admitted !== undefined && "ok" in admitted);
  assert.equal(codeOf(admitted), "PERMISSION_DENIED");
});

test("calls in memory are admitted too, jobs are not", async () => {
  const { app, ran } = rig([middleware({ faults: [Limited], admit: () => Limited({ retryAfterMs: 1 }) })]);
  const calls = memoryCalls<typeof demo.members>(app);
  assert.equal(codeOf(await calls.read({})), "LIMITED");
  assert.equal(codeOf(await calls.write({})), "UNAUTHENTICATED");
  assert.equal(codeOf(await calls.write({}, { auth: { subject: "ann", scopes: ["w"] } })), "LIMITED");
  assert.equal(codeOf(await calls.work({})), "ok");
  assert.deepEqual(ran, ["work"]);
});

test("what admit throws, rejects with, or must not answer is a defect", async () => {
  const broken: [() => unknown, RegExp][] = [
    [() => assert.fail("thrown"), /thrown/],
    [async () => assert.fail("rejected"), /rejected/],
    [() => Undeclared(), /UNDECLARED, which it does not declare/],
    [async () => Undeclared(), /UNDECLARED, which it does not declare/],
    [() => true, /something that is no fault/],
    [() => null, /something that is no fault/],
  ];
  for (const [admits, message] of broken) {
    const { app, defects } = rig([middleware({ admit: admits as () => undefined })]);
    assert.equal(await admit(app, "read"), "INTERNAL");
    assert.match(String(defects[0]), message);
  }
});

test("an admit that never answers is cut at the operation's time limit", async () => {
  const { app, clock } = rig([middleware({ admit: () => new Promise<undefined>(() => undefined) })]);
  const admitted = admit(app, "read");
  await clock.advance(2000);
  assert.equal(await admitted, "DEADLINE_EXCEEDED");
});

test("its faults are declared for every operation, once", async () => {
  const limiting = middleware({
    faults: [Limited],
    call: async () => ({ ok: false, fault: Limited({ retryAfterMs: 1 }) }) as never,
  });
  const { app } = rig([limiting, middleware({ faults: [Limited, PermissionDenied], admit: () => undefined })]);
  assert.deepEqual(
    app.contract.faults.map(({ code }) => code),
    ["LIMITED"],
  );
  const declared = contract("demo.v1", { read }, { faults: [Limited] });
  const handlers = { read: () => ({ n: 1 }) };
  assert.equal(implementContract(declared, { middleware: [limiting], handlers }).contract, declared);
  const other = fault("LIMITED", { kind: "conflict" });
  assert.throws(
    () => implementContract(contract("demo.v1", { read }, { faults: [other] }), { middleware: [limiting], handlers }),
    /a fault LIMITED that is not the one declared under this code/,
  );
});

test("call sees the peer and the reply; without a call there is nothing in between", async () => {
  const seen: unknown[] = [];
  const around = middleware(async (call, next) => {
    seen.push(call.remoteAddress, call.reply);
    call.reply.set("x-a", "1");
    return next({});
  });
  const { app } = rig([middleware({ admit: () => undefined }), around]);
  const request = incoming();
  assert.deepEqual(await app.operations.get("read")?.call(request, undefined, {}), ok({ n: 1 }));
  assert.deepEqual(seen, ["192.0.2.1", request.reply]);
  const { app: plain } = rig([middleware({ admit: () => undefined, wire: (next) => next })]);
  const direct = plain.operations.get("read")?.call(incoming(), undefined, {});
  assert.ok(direct !== undefined && "ok" in direct, "no promise was made");
});

test("mistakes are found at start and say where", () => {
  const implement = (list: unknown) => () =>
    implementContract(contract("demo.v1", { read }), { middleware: list as [], handlers: { read: () => ({ n: 1 }) } });
  assert.throws(implement({}), /middleware is a list/);
  assert.throws(implement([middleware({ admit: () => undefined }), {}]), /middleware\[1\] is no middleware/);
  assert.throws(implement([Object.assign(() => undefined, { admit: 1 })]), /middleware\[0\]: admit is no function/);
  assert.throws(
    implement([Object.assign(() => undefined, { faults: ["A"] })]),
    /middleware\[0\]: faults holds something/,
  );
  assert.throws(() => middleware({}), /at least one of call, admit and wire/);
  assert.throws(() => middleware(null as never), /at least one of/);
  assert.throws(() => middleware({ admits: () => undefined } as never), /there is no "admits"/);
});
