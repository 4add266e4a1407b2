/** What a call hands on to the calls that it makes: time, abort, trace. Over real sockets, through two servers. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { contract, implement, query, serve, t, type CallTools, type Principal, type Server } from "../index.ts";
import { createClient, type Client, type ClientOptions } from "./index.ts";

const inner = query("inner", { access: "public", input: {}, output: { left: t.float(), trace: t.string() } });
const outer = query("outer", { access: "public", input: {}, output: { code: t.string() }, timeout: "5s" });
const innerContract = contract("inner.v1", { inner });
const outerContract = contract("outer.v1", { outer });
type InnerClient = Client<{ readonly inner: typeof inner }>;

type InnerCall = CallTools<Principal | undefined>;

interface Two {
  readonly inner: Server;
  readonly outer: Server;
  /** Calls the outer server. */
  readonly call: (headers?: Record<string, string>) => Promise<string>;
}

async function two(
  context: TestContext,
  handleInner: (call: InnerCall) => unknown,
  handleOuter: (call: CallTools<Principal | undefined>, client: InnerClient) => Promise<{ code: string }>,
  options: Partial<ClientOptions> = {},
): Promise<Two> {
  const quiet = { port: 0, log: false, signals: [] } as const;
  const innerServer = await serve(implement(innerContract, { handlers: { inner: handleInner as () => never } }), quiet);
  const client = createClient(innerContract, { url: innerServer.url, ...options });
  const outerApp = implement(outerContract, { handlers: { outer: (call) => handleOuter(call, client) } });
  const outerServer = await serve(outerApp, quiet);
  context.after(async () => {
    await outerServer.stop();
    await innerServer.stop();
  });
  const call: Two["call"] = async (headers = {}) => {
    const answered = await createClient(outerContract, { url: outerServer.url }).outer({}, { headers });
    return answered.ok ? answered.value.code : answered.fault.code;
  };
  return { inner: innerServer, outer: outerServer, call };
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a call made for another has what is left of its time, less a margin for the way back, and its trace", async (context) => {
  const seen: { left: number; trace: string | undefined; state: string | undefined }[] = [];
  const servers = await two(
    context,
    ({ deadline, trace }) => {
      seen.push({ left: deadline.remaining(), trace: trace?.traceparent, state: trace?.tracestate });
      return { left: 0, trace: "" };
    },
    async (call, client) => {
      const answered = await client.inner({}, { parent: call });
      return { code: answered.ok ? "OK" : answered.fault.code };
    },
  );
  assert.equal(await servers.call({ "request-timeout": "1", traceparent, tracestate: "a=1" }), "OK");
  assert.equal(await servers.call(), "OK");
  const [first, second] = seen;
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(first.left <= 950, String(first.left));
  assert.deepEqual([first.trace, first.state], [traceparent, "a=1"]);
  assert.ok(second.left > 1_000 && second.left <= 4_950, String(second.left));
  assert.equal(second.trace, undefined);
});

test("without a parent nothing is handed on, unless the client was told to say its time", async (context) => {
  const seen: (string | undefined)[] = [];
  const run = async (options: Partial<ClientOptions>): Promise<void> => {
    const fetched: NonNullable<ClientOptions["fetch"]> = (request) => {
      seen.push(request.headers.get("request-timeout") ?? undefined, request.headers.get("traceparent") ?? undefined);
      return fetch(request);
    };
    const servers = await two(
      context,
      () => ({ left: 0, trace: "" }),
      async (_, client) => ({ code: (await client.inner({}, { timeout: "2s" })).ok ? "OK" : "" }),
      { ...options, fetch: fetched },
    );
    assert.equal(await servers.call({ traceparent }), "OK");
  };
  await run({});
  await run({ sendTimeout: true });
  assert.deepEqual([seen[0], seen[1], seen[3]], [undefined, undefined, undefined]);
  assert.match(seen[2] ?? "", /^1\.9\d?\d?$/);
});

test("a call that its parent's end cuts short ends so on both sides", async (context) => {
  const aborted = Promise.withResolvers<string>();
  const servers = await two(
    context,
    ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve((signal.reason as Error).name), { once: true });
      return new Promise(() => {});
    },
    async (call, client) => {
      const answered = await client.inner({}, { parent: call });
      return { code: answered.ok ? "OK" : answered.fault.code };
    },
  );
  assert.match(await servers.call({ "request-timeout": "0.2" }), /^(?:DEADLINE_EXCEEDED|TIMEOUT)$/);
  assert.match(await aborted.promise, /^(?:TimeoutError|AbortError)$/);
});
