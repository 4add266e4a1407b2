/** An app behind the engine on a real socket, for the tests of middleware. */
import { request as httpRequest } from "node:http";
import type { TestContext } from "node:test";
import {
  contract,
  implementContract,
  mutation,
  query,
  bind,
  type Jobs,
  type Middleware,
  type CallTools,
} from "../../contract/index.ts";
import { systemClock, type Clock, type Fault } from "../../core/index.ts";
import { createFetch, createHttpHandler, loadEngine, type ExtraRoute } from "../../http/index.ts";
import { t } from "../../schema/index.ts";
import { Events } from "../../telemetry/index.ts";

const read = query("read", { access: "public", http: "GET /read", input: {}, output: { text: t.string() } });
const write = mutation("write", {
  access: "public",
  http: { route: "POST /write", headers: { version: "If-Version" } },
  input: { version: t.optional(t.string()), text: t.string() },
  output: { length: t.int() },
});
const demo = contract("demo.v1", { read, write });

interface Received {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly bytes: Buffer;
}

interface Rig {
  readonly url: string;
  readonly port: number;
  readonly fetch: (request: Request) => Promise<Response>;
  /** What `defect` events reported. */
  readonly defects: string[];
  /** Over a socket of its own, with exactly these headers. */
  send(method: string, target: string, headers?: Record<string, string>, body?: string | Uint8Array): Promise<Received>;
}

const lengthOf: Writes = ({ input }) => ({ length: input.text.length });

type Writes = (call: { readonly input: { readonly text: string } } & CallTools<undefined>) => unknown;
type Reads = (tools: CallTools<undefined>) => unknown;

interface RigOptions {
  readonly read?: Reads;
  readonly write?: Writes;
  readonly extraRoutes?: readonly ExtraRoute[];
  /** Of the app; the engine's is the system's. */
  readonly clock?: Clock;
}

export async function rig(
  context: TestContext,
  middleware: readonly Middleware<object, Fault>[],
  options: RigOptions = {},
): Promise<Rig> {
  const events = new Events();
  const defects: string[] = [];
  events.on("defect", ({ error }) => defects.push(error instanceof Error ? error.message : String(error)));
  const implemented = implementContract(demo, {
    middleware,
    handlers: {
      read: (options.read ?? (() => ({ text: "hello" }))) as () => { text: string },
      write: (options.write ?? lengthOf) as () => { length: number },
    },
  });
  const app = bind(implemented, {
    clock: options.clock ?? systemClock,
    events,
    // Nothing here enqueues.
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "incident",
  });
  const handler = createHttpHandler(app, { extraRoutes: options.extraRoutes ?? [] });
  const { createEngine } = await loadEngine();
  const engine = createEngine({ handler });
  const listening = await engine.listen({ port: 0 });
  if (!listening.ok) throw new Error(listening.fault.message);
  context.after(() => engine.close());
  const { port } = listening.value;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    fetch: createFetch(handler),
    defects,
    send: (method, target, headers = {}, body) => sendRequest(port, method, target, headers, body),
  };
}

function sendRequest(
  port: number,
  method: string,
  target: string,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const options = { host: "127.0.0.1", port, method, path: target, headers: { ...length, ...headers }, agent: false };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(fields),
          bytes: Buffer.concat(chunks),
        });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
