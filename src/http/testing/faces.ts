/**
 * Runs a test on every carrier: the engine over real sockets, by HTTP/1.1 and by HTTP/2, and fetch in memory. What one answers the
 * others must answer too.
 */
import { request as httpRequest } from "node:http";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { test, type TestContext } from "node:test";
import { bind, type BoundApp, type Implemented, type Jobs } from "../../contract/index.ts";
import { systemClock } from "../../core/index.ts";
import { Events, type EventTable } from "../../telemetry/index.ts";
import { createEngine } from "../engine/index.ts";
import { createFetch, createHttpHandler, type HttpHandlerOptions } from "../index.ts";

export interface Sent {
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export interface Received {
  readonly status: number;
  /** By lower-case name, without those that only a socket needs. */
  readonly headers: { readonly [name: string]: string };
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface Face {
  readonly name: "engine" | "h2" | "fetch";
  send(method: string, target: string, sent?: Sent): Promise<Received>;
  readonly defects: EventTable["defect"][];
  readonly events: Events;
}

/** A bound app for tests: real clock, no jobs. */
export function boundApp(implemented: Implemented): {
  readonly app: BoundApp;
  readonly defects: EventTable["defect"][];
} {
  const events = new Events();
  const defects: EventTable["defect"][] = [];
  events.on("defect", (event) => defects.push(event));
  let ids = 0;
  const app = bind(implemented, {
    clock: systemClock,
    events,
    // Nothing here enqueues.
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => `incident-${ids++}`,
  });
  return { app, defects };
}

/** Registers `run` as one test for each carrier. */
export function bothFaces(
  name: string,
  implemented: Implemented,
  run: (face: Face, context: TestContext) => Promise<void>,
  options: HttpHandlerOptions = {},
): void {
  test(`${name} (fetch)`, async (context) => run(fetchFace(implemented, options), context));
  test(`${name} (engine)`, async (context) => run(await engineFace(implemented, options, context), context));
  test(`${name} (h2)`, async (context) => run(await http2Face(implemented, options, context), context));
}

function fetchFace(implemented: Implemented, options: HttpHandlerOptions): Face {
  const { app, defects } = boundApp(implemented);
  const fetch = createFetch(createHttpHandler(app, options));
  return {
    name: "fetch",
    defects,
    events: app.events,
    async send(method, target, { headers, body } = {}) {
      const init: RequestInit = { method };
      if (headers !== undefined) init.headers = headers;
      if (body !== undefined) init.body = body;
      const request = new Request(`http://local${target}`, init);
      // A string body makes the constructor add a content-type that nobody sent.
      if (headers?.["content-type"] === undefined) request.headers.delete("content-type");
      const response = await fetch(request);
      const bytes = await response.bytes();
      const fields = Object.fromEntries(response.headers);
      return { status: response.status, headers: fields, text: new TextDecoder().decode(bytes), bytes };
    },
  };
}

const socketOnly = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"]);

interface Listening {
  readonly host: string;
  readonly port: number;
  /** What a face has of its app. */
  readonly seen: Pick<Face, "defects" | "events">;
}

async function listen(implemented: Implemented, options: HttpHandlerOptions, context: TestContext): Promise<Listening> {
  const { app, defects } = boundApp(implemented);
  const engine = createEngine({ handler: createHttpHandler(app, options) });
  const listening = await engine.listen({ port: 0 });
  if (!listening.ok) throw new Error(listening.fault.message);
  context.after(() => engine.close());
  return { ...listening.value, seen: { defects, events: app.events } };
}

async function engineFace(implemented: Implemented, options: HttpHandlerOptions, context: TestContext): Promise<Face> {
  const { host, port, seen } = await listen(implemented, options, context);
  const send: Face["send"] = (method, target, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const request = httpRequest({
        host,
        port,
        method,
        path: target,
        headers: { ...length, ...headers },
        agent: false,
      });
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const fields = Object.entries(response.headers).filter(([name]) => !socketOnly.has(name));
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(fields.map(([name, value]) => [name, String(value)])),
            text: Buffer.concat(chunks).toString(),
            bytes: Buffer.concat(chunks),
          });
        });
      });
      request.end(body);
    });
  return { name: "engine", ...seen, send };
}

/** One connection for all requests of a test. */
async function http2Face(implemented: Implemented, options: HttpHandlerOptions, context: TestContext): Promise<Face> {
  const { host, port, seen } = await listen(implemented, options, context);
  const session = connect(`http://${host}:${port}`);
  context.after(() => session.destroy());
  const send: Face["send"] = (method, target, { headers = {}, body } = {}) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    return sendHttp2(session, { ":method": method, ":path": target, ...length, ...headers }, body);
  };
  return { name: "h2", ...seen, send };
}

function sendHttp2(session: ClientHttp2Session, head: Record<string, string>, body: Sent["body"]): Promise<Received> {
  return new Promise((resolve, reject) => {
    const stream = session.request(head, { endStream: body === undefined });
    const chunks: Buffer[] = [];
    let fields: IncomingHttpHeaders & { ":status"?: number | undefined } = {};
    stream.on("response", (received) => (fields = received));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      const kept = Object.entries(fields).filter(([name]) => !name.startsWith(":") && !socketOnly.has(name));
      resolve({
        status: fields[":status"] ?? 0,
        headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
        text: Buffer.concat(chunks).toString(),
        bytes: Buffer.concat(chunks),
      });
    });
    if (body !== undefined) stream.end(body);
  });
}
