import assert from "node:assert/strict";
import { test } from "node:test";
import { bind, contract, implementContract, mutation, query, type Jobs } from "../../contract/index.ts";
import { HeaderBlock } from "../../exchange/index.ts";
import { t } from "../../schema/index.ts";
import { Events } from "../../telemetry/index.ts";
import { createFetch, createHttpHandler, type ExtraRoute } from "../index.ts";
import { OverloadGate, type Shed } from "./gate.ts";
import { resolveOverloadLimits, type OverloadLimits } from "./limits.ts";
import { simulatedLoop } from "./testing/simulated-loop.ts";

const nothing = { access: "public", input: {}, output: t.object({ ok: t.boolean() }) } as const;
const wait = query("wait", nothing);
const waitLow = query("waitLow", { ...nothing, priority: "low" });
const waitCritical = query("waitCritical", { ...nothing, priority: "critical" });
const work = query("work", { ...nothing, input: { ms: t.int32() } });
const workLow = query("workLow", { ...nothing, input: { ms: t.int32() }, priority: "low" });
const change = mutation("change", { ...nothing, input: { text: t.string() } });
const shop = contract("shop.v1", { wait, waitLow, waitCritical, work, workLow, change });

interface Setup {
  /** Sends a request; what its answer is, once it is there. */
  get(target: string): Promise<Response>;
  readonly fetch: (request: Request) => Promise<Response>;
  readonly gate: OverloadGate;
  readonly sheds: Shed[];
  readonly loop: ReturnType<typeof simulatedLoop>;
  /** Lets every handler that waits go on. */
  release(): void;
}

function setUp(limits: Partial<OverloadLimits>, extraRoutes: readonly ExtraRoute[] = []): Setup {
  const loop = simulatedLoop();
  const sheds: Shed[] = [];
  let waiting: (() => void)[] = [];
  const held = (): Promise<{ ok: boolean }> => new Promise((resolve) => waiting.push(() => resolve({ ok: true })));
  const works = ({ input }: { input: { ms: number } }): { ok: boolean } => {
    loop.work(input.ms);
    return { ok: true };
  };
  const app = bind(
    implementContract(shop, {
      handlers: {
        wait: held,
        waitLow: held,
        waitCritical: held,
        work: works,
        workLow: works,
        change: () => ({ ok: true }),
      },
    }),
    {
      clock: loop.clock,
      events: new Events(),
      jobs: {} as Jobs,
      shutdown: new AbortController().signal,
      newId: () => "i",
    },
  );
  const gate = new OverloadGate({
    limits: resolveOverloadLimits(limits),
    clock: loop.clock,
    afterTurn: loop.afterTurn,
    onShed: (shed) => sheds.push(shed),
  });
  const fetch = createFetch(createHttpHandler(app, { overload: gate, extraRoutes }));
  return {
    get: (target) => fetch(new Request(`http://local${target}`)),
    fetch,
    gate,
    sheds,
    loop,
    release() {
      for (const go of waiting) go();
      waiting = [];
    },
  };
}

test("a refusal is the OVERLOADED problem with Retry-After, names its route, and reads nothing of the body", async () => {
  const { get, fetch, gate, sheds, release } = setUp({ inFlight: 1 });
  const first = get("/wait");
  await Promise.resolve();
  assert.equal(gate.stats().inFlight, 1);
  let pulled = 0;
  const body = new ReadableStream(
    { pull: (controller) => (pulled++, controller.enqueue(new Uint8Array(10))) },
    { highWaterMark: 0 },
  );
  const refused = await fetch(
    new Request("http://local/change", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      duplex: "half",
    } as RequestInit),
  );
  assert.equal(refused.status, 503);
  assert.equal(pulled, 0);
  const problem = (await refused.json()) as { code: string; data: { retryAfter: string } };
  assert.equal(problem.code, "OVERLOADED");
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(seconds >= 1 && seconds <= 3, String(seconds));
  assert.equal(problem.data.retryAfter, `${seconds}s`);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(sheds, [{ reason: "in_flight", priority: "normal", method: "POST", route: "/change" }]);
  release();
  assert.equal((await first).status, 200);
  assert.equal(gate.stats().inFlight, 0);
  assert.deepEqual(gate.stats().shed, { queue: 0, in_flight: 1, streams: 0 });
});

test("low priority is refused first, then normal, critical last", async () => {
  const { get, gate, loop, release } = setUp({ inFlight: 8 });
  const answers: Promise<Response>[] = [];
  const statusOf = async (target: string): Promise<number | "waits"> => {
    const before = gate.stats().inFlight;
    const answer = get(target);
    await Promise.resolve();
    if (gate.stats().inFlight === before) return (await answer).status;
    answers.push(answer);
    return "waits";
  };
  for (let i = 0; i < 6; i++) assert.equal(await statusOf("/waitLow"), "waits");
  assert.equal(await statusOf("/waitLow"), 503);
  assert.equal(await statusOf("/wait"), "waits");
  assert.equal(await statusOf("/wait"), "waits");
  assert.equal(await statusOf("/wait"), 503);
  assert.equal(await statusOf("/waitCritical"), "waits");
  assert.equal(await statusOf("/waitCritical"), 503);
  release();
  for (const answer of answers) assert.equal((await answer).status, 200);
  // Something more important was refused a moment ago: low priority stays out, though there is room.
  assert.equal((await get("/workLow?ms=0")).status, 503);
  assert.equal((await get("/work?ms=0")).status, 200);
  loop.work(1_001);
  assert.equal((await get("/workLow?ms=0")).status, 200);
});

test("requests that wait too long for the event loop are refused, low priority at half the time", async () => {
  const { get, gate, loop } = setUp({ queueMs: 20, queuePatienceMs: 100 });
  const turn = async (targets: readonly string[]): Promise<number[]> => {
    let answers: Promise<Response>[] = [];
    // The handlers run while `get` is called, as they do while sockets are read.
    loop.turn(() => (answers = targets.map((target) => get(target))));
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const many = Array.from({ length: 60 }, () => "/work?ms=1");
  for (let i = 0; i < 6; i++) await turn(many);
  assert.equal(gate.stats().loopOverloaded, true);
  const ok = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length;
  assert.ok(Math.abs(ok(await turn(many)) - 21) <= 1);
  loop.idle(3_000);
  for (let i = 0; i < 6; i++) await turn(many.map(() => "/workLow?ms=1"));
  assert.ok(Math.abs(ok(await turn(many.map(() => "/workLow?ms=1"))) - 11) <= 1);
  assert.ok(gate.stats().shed.queue > 0);
});

test("answers that are streamed are counted until they end, fail or are given up, and bounded", async () => {
  let fail = false;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield new Uint8Array(1);
      if (fail) throw new Error("the source broke");
    }
  };
  const download: ExtraRoute = {
    method: "GET",
    path: "/download",
    handle: () => ({ status: 200, headers: HeaderBlock.empty, body: pieces() }),
  };
  const { get, gate, sheds } = setUp({ streams: 2 }, [download]);
  const [one, two] = [await get("/download"), await get("/download")];
  assert.equal(gate.stats().streams, 2);
  assert.equal((await get("/download")).status, 503);
  assert.equal(sheds[0]?.reason, "streams");
  assert.equal((await get("/work?ms=0")).status, 200);
  await one.body?.cancel();
  assert.equal(gate.stats().streams, 1);
  const reader = two.body?.getReader();
  await reader?.read();
  fail = true;
  await assert.rejects(async () => {
    for (;;) await reader?.read();
  });
  assert.equal(gate.stats().streams, 0);
});

test("those who are refused together are told to come back apart, and further apart the longer it lasts", async () => {
  const { get, loop, release } = setUp({ inFlight: 1, retryAfterS: 30 });
  const held = get("/wait");
  await Promise.resolve();
  const spread = async (): Promise<number[]> => {
    const seconds = new Set<number>();
    for (let i = 0; i < 300; i++) seconds.add(Number((await get("/wait")).headers.get("retry-after")));
    return [...seconds].toSorted((a, b) => a - b);
  };
  assert.deepEqual(await spread(), [1, 2, 3]);
  for (let i = 0; i < 10; i++) {
    loop.work(1_000);
    await get("/wait");
  }
  assert.deepEqual((await spread()).at(-1), 13);
  for (let i = 0; i < 60; i++) {
    loop.work(1_000);
    await get("/wait");
  }
  assert.deepEqual((await spread()).at(-1), 30);
  release();
  await held;
});

test("a priority that is none stops the program, and so do limits that cannot be", () => {
  assert.throws(
    () => query("oops", { ...nothing, priority: "high" as "low" }),
    /has the priority "high"\. Take "critical"/,
  );
  const extra = { method: "GET", path: "/x", handle: () => ({}) as never, priority: "urgent" as "low" };
  assert.throws(() => setUp({}, [extra]), /the extra route "GET \/x" has the priority "urgent"/);
  assert.throws(() => resolveOverloadLimits({ inFlite: 1 } as object), /"inFlite" is not a limit of admission/);
  assert.throws(() => resolveOverloadLimits({ inFlight: 1.5 }), /"inFlight" must be a number from 1/);
  assert.throws(
    () => resolveOverloadLimits({ queueMs: 300 }),
    /"queueMs" \(300\) must not be above "queuePatienceMs" \(250\)/,
  );
  assert.equal(resolveOverloadLimits({ inFlight: 5 }).inFlightFloor, 5);
});
